# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tests run at the same time, where pytest is told to run several."""

from __future__ import annotations

import os

import pytest
from xdist.scheduler import LoadScopeScheduling

ALONE = "what has the container engine to itself"
LONGEST = "engine/test_molecule.py::test_scenario_passes[fleet]"
# These have hosts of their own, so several may run at a time. Three workers end at about the same time in this order:
# each knows its next one ahead.
SHARING = [
    LONGEST,
    "engine/test_client.py",
    "engine/test_molecule.py::test_scenario_passes[tls]",
    "engine/test_molecule.py::test_scenario_passes[backends]",
    "engine/test_release.py",
    "engine/test_vagrant.py",
    "engine/test_containers.py",
    "engine/test_molecule.py::test_scenario_passes[default]",
    "engine/test_molecule.py::test_scenario_passes[engine]",
    "engine/test_molecule.py::test_scenario_passes[podman]",
]


def _line(nodeid):
    """The line of tests that a test is in: within a line they run one after the other, in order."""
    file = nodeid.partition("::")[0]
    if nodeid in SHARING:
        return nodeid
    return ALONE if file.startswith("engine/") and file not in SHARING else file


class Lines(LoadScopeScheduling):
    """What looks at all that is on the engine has it alone: scenarios wait for it, or come after it."""

    def _split_scope(self, nodeid):
        return _line(nodeid)

    def _assign_work_unit(self, node):
        for line in self.workqueue:
            if self._may_run(node, line):
                self.workqueue.move_to_end(line, last=False)
                return super()._assign_work_unit(node)

    def _reschedule(self, node):
        if not self.workqueue or self._pending_of(self.assigned_work[node]) < 2:
            super()._reschedule(node)

    def mark_test_complete(self, node, item_index, duration=0):
        super().mark_test_complete(node, item_index, duration)
        for other in self.nodes:
            if other is not node:
                self._reschedule(other)

    def _may_run(self, node, line):
        if line not in SHARING or ALONE in self.assigned_work[node]:
            return True
        alone = [lines[ALONE] for lines in self.assigned_work.values() if ALONE in lines]
        return ALONE not in self.workqueue and all(all(tests.values()) for tests in alone)


def pytest_collection_modifyitems(items):
    """The line that others wait for begins; what is neither is for workers that would wait."""

    first = [ALONE, *SHARING]

    def rank(item):
        line = _line(item.nodeid)
        return first.index(line) if line in first else len(first)

    items.sort(key=rank)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """What takes longest has the processors first; tests that only compute stand back for those with an engine."""
    if os.geteuid() == 0 and "PYTEST_XDIST_WORKER" in os.environ:  # nobody else may come back from that
        niceness = 0 if item.nodeid == LONGEST else 5 if item.nodeid.startswith("engine/") else 10
        os.setpriority(os.PRIO_PROCESS, 0, niceness)
    return (yield)


def pytest_xdist_make_scheduler(config, log):
    return Lines(config, log)
