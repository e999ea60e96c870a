# SPDX-License-Identifier: GPL-3.0-or-later
"""A package with nothing in it but its version, to prove that an index takes packages and gives them back."""

from importlib.metadata import version

__version__ = version("simple-test")
