# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done about a container, by what an engine says. With real engines: tests/engine/test_containers.py."""

from __future__ import annotations

import json

import pytest
from ansible.errors import AnsibleActionFail

WANTED = {
    "name": "example-index",
    "image": "wheelhouse/devpi:1",
    "instance": "example",
    "network": "example",
    "memory": "1g",
    "pids_limit": 512,
    "tmp_size": "64m",
}
IMAGE = "sha256:1"


@pytest.fixture
def have(load_action, monkeypatch, tmp_path):
    """Have the container where the engine answers so, and tell what docker_container was started with."""

    def have(answers, module_result=None, network="exit 9", check_mode=False):
        engine = tmp_path / "docker"
        lines = [f"'{words} '*) printf '%s\\n' '{said}' ;;" for words, said in answers.items()]
        lines += [f"'network create '*) {network} ;;", "*) exit 1 ;;"]
        engine.write_text("\n".join(["#!/bin/sh", 'case "$* " in', *lines, "esac", ""]))
        engine.chmod(0o755)
        action = load_action("service_container", dict(WANTED), environment={"PATH": f"{tmp_path}:/usr/bin:/bin"})
        action._task.check_mode = check_mode
        started = []

        def execute(name, module_args, task_vars):
            json.dumps(module_args)
            assert name == "community.docker.docker_container"
            started.append(module_args)
            return module_result or {"changed": True}

        monkeypatch.setattr(action, "_execute_module", execute)
        return action.run(task_vars={}), started

    return have


@pytest.fixture
def label(have):
    """What the label of a container says that was told what is wanted."""
    _result, (args,) = have({"network inspect": "[]"})
    return args["labels"]["wheelhouse.pypi.told"]


def answers(label, status="running", memory=1024**3):
    found = f"{status}|{IMAGE}|{memory}|512|unless-stopped|example |{label}|healthy"
    return {"container inspect": found, "image inspect": IMAGE, "network inspect": "[]"}


def test_one_that_is_as_told_is_left_alone(have, label):
    result, started = have(answers(label))
    assert (result["changed"], result["health"], started) == (False, "healthy", [])


def test_one_that_stopped_is_started_and_not_made_anew(have, label):
    result, (args,) = have(answers(label, status="exited"))
    assert result["changed"]
    assert (args["recreate"], args["networks"]) == (False, [{"name": "example"}])


@pytest.mark.parametrize("other", [{"label": "<no value>"}, {"memory": 0}], ids=str)
def test_one_that_is_not_as_told_is_made_anew(have, label, other):
    _result, (args,) = have(answers(**{"label": label} | other))
    assert args["recreate"]


def test_what_the_engine_says_of_its_health_is_told(have):
    came = {"changed": True, "container": {"State": {"Health": {"Status": "starting"}}}}
    result, _started = have({"network inspect": "[]"}, came)
    assert result["health"] == "starting"


def test_a_network_that_is_missing_is_made_first(have, tmp_path):
    result, (args,) = have({}, {"changed": False}, network=f"echo $3 > {tmp_path}/made")
    assert (tmp_path / "made").read_text() == "example\n"
    assert (result["changed"], args["networks"]) == (True, [{"name": "example"}])


def test_check_mode_makes_no_network_and_joins_none(have):
    result, (args,) = have({}, check_mode=True)
    assert result["changed"]
    assert "networks" not in args


def test_a_network_that_cannot_be_made_ends_it(have):
    with pytest.raises(AnsibleActionFail, match="The network example could not be made: no more addresses"):
        have({}, network="echo no more addresses >&2; exit 1")
