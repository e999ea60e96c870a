# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of these tests `make test` has no time for; with WHEELHOUSE_LONG=yes they are there."""

from commands import LONG

collect_ignore = [] if LONG else ["test_ecosystem.py"]
