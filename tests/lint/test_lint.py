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
    run = subprocess.run([sys.executable, "-m", *LINTERS[linter]], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
