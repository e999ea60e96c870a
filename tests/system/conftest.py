# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of these tests `make test` has no time for; with WHEELHOUSE_LONG=yes they are there."""

from commands import LONG

SELDOM = ["ecosystem"]
collect_ignore = [] if LONG else [f"test_{name}.py" for name in SELDOM]
