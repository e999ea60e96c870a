# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tests run at the same time, where pytest is told to run two."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling


class Lines(LoadScopeScheduling):
    """What has the container engine to itself is one line of tests; every other file is a line of its own."""

    def _split_scope(self, nodeid):
        return "engine" if nodeid.startswith("engine/") else nodeid.split("::", 1)[0]


def pytest_xdist_make_scheduler(config, log):
    return Lines(config, log)
