# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests on a container engine share: the engine, and a log file for what takes long."""

from __future__ import annotations

import fcntl
import re

import pytest
from commands import BIN, LONG, run
from pages import typed
from tree import ROOT

LOGS = ROOT / "build/test-logs"
# `make test` has no time for these; with WHEELHOUSE_LONG=yes they are there.
SELDOM = ["client", "https", "images", "journey", "page_cache", "release", "two_machines"]
collect_ignore = [] if LONG else [f"test_{name}.py" for name in SELDOM]


def alone(*command):
    """Run a command that no other worker may run at the same time: two that start an engine would start two."""
    LOGS.mkdir(parents=True, exist_ok=True)
    with (LOGS / "engine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = run(*command)
    assert result.returncode == 0, str(result)


@pytest.fixture(scope="session")
def engine():
    """A container engine on this machine, brought up by this project's own role."""
    alone(BIN / "ansible-playbook", "--inventory", "localhost,", "tests/engine/engine.yml")


@pytest.fixture(scope="module")
def lab(engine):
    """Images of inventory hosts, on an engine that this project's own role brought up, by whoever comes first.

    Once for each module: one before it may have purged an index, which removes every image that nothing uses.
    """
    alone("bash", "-c", typed(".venv/bin/ansible-playbook -i localhost, molecule/lab/prepare.yml"))


@pytest.fixture
def log(request):
    """A file that keeps what a long command says."""
    LOGS.mkdir(parents=True, exist_ok=True)
    with (LOGS / (re.sub(r"\W+", "-", request.node.name) + ".log")).open("w") as file:
        yield file
