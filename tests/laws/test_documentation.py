# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reference says what the specifications say."""

from __future__ import annotations

import subprocess
import sys

from tree import ROOT


def pages(directory):
    return {path.relative_to(directory).as_posix(): path.read_text() for path in directory.rglob("*") if path.is_file()}


def test_reference_is_what_the_specifications_say(tmp_path):
    """Nobody edits it: change the specification and type `make docs`."""
    # A process of its own, because Ansible's loader of plugins changes how Python imports.
    subprocess.run([sys.executable, ROOT / "tests/documentation.py", tmp_path], check=True)
    assert pages(ROOT / "docs/reference") == pages(tmp_path)
