# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done about a container, by what an engine says. With real engines: tests/engine/test_service_container.py."""

from __future__ import annotations

import json

import pytest

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
    """Have the container where the engine answers so, and tell which modules were started with what."""

    def have(answers, module_results=(), check_mode=False):
        engine = tmp_path / "docker"
        lines = [f"'{words} '*) printf '%s\\n' '{said}' ;;" for words, said in answers.items()]
        engine.write_text("\n".join(["#!/bin/sh", 'case "$* " in', *lines, "*) exit 1 ;;", "esac", ""]))
        engine.chmod(0o755)
        action = load_action("service_container", dict(WANTED), environment={"PATH": f"{tmp_path}:/usr/bin:/bin"})
        action._task.check_mode = check_mode
        started, results = [], dict(module_results)

        def execute(name, module_args, task_vars):
            json.dumps(module_args)
            started.append((name.rpartition(".")[2], module_args))
            return results.get(started[-1][0], {"changed": True})

        monkeypatch.setattr(action, "_execute_module", execute)
        return action.run(task_vars={}), started

    return have


@pytest.fixture
def label(have):
    """What the label of a container says that was told what is wanted."""
    _result, started = have({})
    return dict(started)["docker_container"]["labels"]["wheelhouse.pypi.told"]


def answers(label, status="running", memory=1024**3):
    found = f"{status}|{IMAGE}|{memory}|512|unless-stopped|example |{label}|healthy"
    return {"container inspect": found, "image inspect": IMAGE, "network inspect": "[]"}


def test_one_that_is_as_told_is_left_alone(have, label):
    result, started = have(answers(label))
    assert (result["changed"], result["health"], started) == (False, "healthy", [])


def test_one_that_stopped_is_started_and_not_made_anew(have, label):
    result, started = have(answers(label, status="exited"))
    assert result["changed"]
    ((name, args),) = started
    assert (name, args["recreate"], args["networks"]) == ("docker_container", False, [{"name": "example"}])


@pytest.mark.parametrize("other", [{"label": "<no value>"}, {"memory": 0}], ids=str)
def test_one_that_is_not_as_told_is_made_anew(have, label, other):
    _result, started = have(answers(**{"label": label} | other))
    assert dict(started)["docker_container"]["recreate"]


def test_what_the_engine_says_of_its_health_is_told(have, label):
    came = {"docker_container": {"changed": True, "container": {"State": {"Health": {"Status": "starting"}}}}}
    result, _started = have({}, came)
    assert result["health"] == "starting"


def test_where_nothing_is_the_network_comes_first(have):
    _result, started = have({})
    assert [name for name, _args in started] == ["docker_network", "docker_container"]
    assert dict(started)["docker_container"]["networks"] == [{"name": "example"}]


def test_check_mode_joins_no_network_that_it_did_not_make(have):
    _result, started = have({}, check_mode=True)
    assert "networks" not in dict(started)["docker_container"]


def test_a_network_that_cannot_be_made_ends_it(have):
    result, started = have({}, {"docker_network": {"failed": True, "msg": "no more addresses"}})
    assert (result["failed"], result["msg"]) == (True, "no more addresses")
    assert [name for name, _args in started] == ["docker_network"]
