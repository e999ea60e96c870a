# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The linters, as tests: one run tells everything."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tree import ROOT

LINTERS = {
    "ansible-lint": ["ansiblelint", "--offline", "--strict", "--nocolor"],
    "ruff check": ["ruff", "check", "--config", ".config/ruff.toml"],
    "ruff format": ["ruff", "format", "--check", "--config", ".config/ruff.toml"],
}


@pytest.mark.parametrize("linter", LINTERS)
def test_linter_finds_nothing(linter):
    command = [sys.executable, "-m", *LINTERS[linter]]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
