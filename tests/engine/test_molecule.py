# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every molecule scenario, from nothing to nothing."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from commands import BIN
from tree import ROOT

# Those that `make test` runs, or those that were asked for. The rest is in `make test-long`.
SELDOM = {"default", "engine", "podman"}
ALL = {path.parent.name for path in ROOT.glob("molecule/*/molecule.yml")}
SCENARIOS = os.environ.get("WHEELHOUSE_SCENARIOS", "").split() or sorted(ALL - SELDOM)


def failures(said):
    """The tasks of a log that failed: a play goes on long after them, and takes down what they were about."""
    tasks = re.split(r"^(?=TASK |PLAY |INFO )", said, flags=re.MULTILINE)
    return "".join(task for task in tasks if re.search(r"^(?:fatal|failed): ", task, re.MULTILINE))[:12000]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario_passes(lab, scenario, log):
    assert scenario in ALL, f"there are {', '.join(sorted(ALL))}"
    environment = os.environ | {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "MOLECULE_GLOB": "molecule/*/molecule.yml",
        "NO_COLOR": "1",
    }
    run = subprocess.run(
        [BIN / "molecule", "test", "--scenario-name", scenario],
        cwd=ROOT,
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
        check=False,
    )
    said = Path(log.name).read_text()
    assert run.returncode == 0, f"see {log.name}; what failed:\n{failures(said)}\nand the end:\n{said[-3000:]}"
    assert not re.findall(r"^.*\[(?:DEPRECATION )?WARNING\].*$", said, re.MULTILINE)
