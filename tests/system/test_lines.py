# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines that pages have people type and that need no host: those of CONTRIBUTING.md, and what `make` tells."""

from __future__ import annotations

import re

from commands import BIN, run
from pages import typed
from tree import ROOT


def shell(line):
    result = run("bash", "-c", line)
    assert result.returncode == 0, f"{line}\n{result}"
    return result.output


def test_one_test_is_run_as_contributing_says():
    shell(typed("make install_test_pkgs"))
    for line in (
        typed(".venv/bin/pytest tests/unit -k devpi_index"),
        typed(".venv/bin/pytest tests/laws -k readme"),
    ):
        assert re.search(r"\d+ passed", shell(line))


def test_lines_that_run_many_tests_name_what_is_there():
    """They are parts of `make test`, which is running; whether they would run them is make's to say."""
    lines = [
        *(typed("make unit"), typed("make lint"), typed("make molecule SCENARIO=default")),
        *(typed("make test"), typed("make test-long"), typed("make bench"), typed("make release")),
        *(typed(".venv/bin/pytest tests/laws"), typed(".venv/bin/pytest tests/system/test_refusals.py")),
    ]
    for line in lines:
        would_run = shell(f"{line} --dry-run") if line.startswith("make ") else line
        named = re.findall(r"tests\b[\w./]*", would_run)
        assert named, line
        assert not [path for path in named if not (ROOT / path).exists()]
        scenarios = re.findall(r"WHEELHOUSE_SCENARIOS='?([\w ]+)'? ", would_run)
        assert not [word for words in scenarios for word in words.split() if not (ROOT / f"molecule/{word}").is_dir()]
    assert re.search(rf"^exec {lines[3]}$", (ROOT / ".ci/run").read_text(), re.MULTILINE)


def test_make_tells_its_targets_and_builds_an_archive():
    assert "pypi " in shell(typed("make help"))
    shell(typed("make build"))
    assert list(ROOT.glob("build/wheelhouse-pypi-*.tar.gz"))


def test_picture_takes_a_browser_and_an_index(tmp_path):
    """The first browser by name that PATH has; here one that is never called, or none."""
    take = (BIN / "python", "tests/screenshot.py", "http://127.0.0.1:9/", tmp_path / "index.png")
    assert run(*take, PATH=str(tmp_path)).says("On Debian: apt-get install chromium")
    (tmp_path / "chromium").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "chromium").chmod(0o755)
    assert run(*take, PATH=str(tmp_path)).says("Bring one up with 'make pypi', or name another: URL=")
    assert not (tmp_path / "index.png").exists()
