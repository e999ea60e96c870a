# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Software for the tests: the product's, with the pins and hashes that images and hosts have, and tools."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tree import ROOT

SOFTWARE = ROOT / "roles/container_image/files"


def installed(software: str, folder: Path = SOFTWARE) -> Path:
    """A virtual environment under build/test/, made by one test at a time, anew when pins or Python have changed."""
    requirements = folder / software / "requirements.txt"
    venv = ROOT / f"build/test/{software}-venv"
    venv.parent.mkdir(parents=True, exist_ok=True)
    with venv.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mark = venv / "installed"
        wanted = f"{sys.version} {hashlib.sha256(requirements.read_bytes()).hexdigest()}"
        if not mark.exists() or mark.read_text() != wanted:
            shutil.rmtree(venv, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", venv], check=True)
            pip = [venv / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "--require-hashes", "--requirement", requirements], check=True)
            mark.write_text(wanted)
    return venv
