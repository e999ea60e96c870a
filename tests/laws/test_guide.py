# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A newcomer finds everything from the two files that are opened first: README.md and the Makefile."""

from __future__ import annotations

import re

import pytest
from tree import MODULES, ROLES, ROOT

PLAYBOOKS = sorted(path.stem for path in ROOT.glob("playbooks/*.yml"))


@pytest.mark.parametrize("part", [*PLAYBOOKS, *(role.name for role in ROLES), *(path.stem for path in MODULES)])
def test_readme_names_every_part(part):
    """What README.md does not name is found by accident or not at all."""
    assert re.search(rf"\b{part}\b", (ROOT / "README.md").read_text())


def test_make_help_tells_of_every_target():
    """`make help` lists the comments behind `##`; a target without one is invisible."""
    targets = re.findall(r"^([a-z][\w-]*):(?!=)(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets
    assert not [target for target, rest in targets if not re.search(r" ## \S", rest)]


def test_requirements_of_users_and_tests_agree():
    """What is tested is what users install."""

    def pins(file):
        return dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / file).read_text(), re.MULTILINE))

    tested, used = pins("tests/requirements.txt"), pins("requirements.txt")
    assert used
    assert used == {package: tested.get(package) for package in used}
    alone = pins("tests/unit/requirements.txt")  # what ansible-test installs; it takes no hashes
    assert alone
    assert alone.items() <= used.items()
    assert pins("tests/publishing/requirements.txt")["ansible-core"] == used["ansible-core"]
