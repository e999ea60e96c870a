# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make release` refuses what is no release, before it builds anything, and says all that is wrong at once."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest
from tree import ROOT

NEEDED = ("galaxy.yml", "CHANGELOG.md", ".gitignore", "tests/release.py", "tests/archive.py", "tests/tree.py")
WHO = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")


@pytest.fixture
def clone(tmp_path):
    """A checkout that is ready for version 3.2.1."""
    for name in NEEDED:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    galaxy = tmp_path / "galaxy.yml"
    galaxy.write_text(re.sub(r"^version: .*$", "version: 3.2.1", galaxy.read_text(), flags=re.MULTILINE))
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 3.2.1 (2026-11-20)\n\n- New.\n\n## 3.2.0 (2026-10-01)\n")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def git(place, *arguments):
    subprocess.run(["git", *WHO, *arguments], cwd=place, check=True, capture_output=True)


def commit(place):
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "--message", "All of it")


def refused(place):
    """What it says of a checkout that it does not build."""
    ran = subprocess.run([sys.executable, "tests/release.py"], cwd=place, capture_output=True, text=True, check=False)
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert ran.stdout == ""
    assert not (place / "build").exists()
    *sentences, last = ran.stderr.splitlines()
    assert last == f"Nothing was built. Then: make release ({len(sentences)} to mend)"
    return sentences


def test_a_checkout_that_is_ready_has_nothing_to_mend(clone):
    asked = "import release; print(list(release.refusals('3.2.1')))"
    ran = subprocess.run([sys.executable, "-c", asked], cwd=clone / "tests", check=True, capture_output=True, text=True)
    assert ran.stdout == "[]\n"


def test_changes_that_no_commit_has(clone):
    (clone / "galaxy.yml").write_text((clone / "galaxy.yml").read_text() + "\n")
    (clone / "new.txt").write_text("new\n")
    [sentence] = refused(clone)
    assert sentence.startswith("The checkout has changes that no commit has: galaxy.yml, new.txt. ")


def test_a_version_without_an_entry_in_the_changelog(clone):
    for text, shown in {
        "## 3.2.0 (2026-10-01)\n\n- Old.\n": "'3.2.0 (2026-10-01)'",
        "## 3.2.1 (not yet released)\n\n- New.\n": "'3.2.1 (not yet released)'",
        "## 3.2.1 (2026-11-20)\n\n## 3.2.0 (2026-10-01)\n\n- Old.\n": "'3.2.1 (2026-11-20)'",
        "Nothing.\n": "'nothing'",
    }.items():
        (clone / "CHANGELOG.md").write_text(f"# Changelog\n\n{text}")
        commit(clone)
        [sentence] = refused(clone)
        assert sentence.startswith(f"CHANGELOG.md begins with {shown}, needed is '## 3.2.1 (YYYY-MM-DD)' with what is ")


def test_a_tag_that_exists(clone):
    git(clone, "tag", "3.2.1")
    [sentence] = refused(clone)
    assert re.match(r"The tag 3\.2\.1 exists already, at [0-9a-f]{7,}\. What people have under a version ", sentence)


@pytest.mark.parametrize("version", ["1.0", "v1.0.0", "1.0.0-rc1", "01.0.0", "1.0.0.0"])
def test_a_version_that_is_none(clone, version):
    galaxy = clone / "galaxy.yml"
    galaxy.write_text(galaxy.read_text().replace("3.2.1", version))
    commit(clone)
    assert f"version in galaxy.yml: got '{version}', allowed are three numbers" in refused(clone)[0]


def test_all_that_is_wrong_is_said_at_once(clone):
    git(clone, "tag", "3.2.1")
    (clone / "CHANGELOG.md").write_text("# Changelog\n")
    assert len(refused(clone)) == 3
