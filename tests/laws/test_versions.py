# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of versions in more than one file is the same in all of them."""

from __future__ import annotations

import re

from tree import ROOT, load

EXECUTION_ENVIRONMENT = load(ROOT / "execution-environment.yml")


def pins(file):
    return dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / file).read_text(), re.MULTILINE))


def test_execution_environment_has_the_version_that_is_built():
    archive = f"wheelhouse-pypi-{load(ROOT / 'galaxy.yml')['version']}.tar.gz"
    assert f"build/{archive}" in [file["src"] for file in EXECUTION_ENVIRONMENT["additional_build_files"]]
    assert EXECUTION_ENVIRONMENT["dependencies"]["galaxy"]["collections"] == [{"name": archive, "type": "file"}]


def test_execution_environment_differs_in_ansible_alone():
    """Both ends are tested with the rest alike, so what fails at one end only is Ansible's doing or Python's."""
    oldest, newest = pins("requirements.txt"), pins("execution-environment.txt")
    assert newest
    assert {name for name in oldest.keys() & newest.keys() if oldest[name] != newest[name]} == {
        "ansible",
        "ansible-core",
    }
    declared = set(pins("requirements.in"))
    assert declared <= newest.keys()


def test_execution_environment_asks_of_others_what_the_controller_has():
    """What a collection asks of any execution environment has no upper bound, and is no more than what was tested."""
    asked = re.findall(r"^([\w-]+)>=([\d.]+) ", (ROOT / "meta/ee-requirements.txt").read_text(), re.MULTILINE)
    tested = pins("requirements.in")
    assert {name for name, _lowest in asked} == set(tested) - {"ansible", "ansible-core", "jinja2"}
    for name, lowest in asked:
        assert [*map(int, lowest.split("."))] <= [*map(int, tested[name].split("."))]


def test_oldest_ansible_is_the_one_that_controllers_have():
    """Older than what is tested is not supported."""
    tested = pins("requirements.txt")["ansible-core"].rpartition(".")[0]
    assert load(ROOT / "meta/runtime.yml")["requires_ansible"] == f">={tested}.0"
