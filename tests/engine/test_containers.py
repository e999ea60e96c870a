# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A container of a real engine: it is as told, whatever became of it, and one that is so is left alone."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from commands import docker
from plays import play

NAME = "wheelhouse-test-service"
ELSEWHERE = f"{NAME}-elsewhere"
TOLD = {
    "name": NAME,
    "image": f"{NAME}:1",
    "instance": NAME,
    "network": NAME,
    "memory": "64m",
    "pids_limit": 20,
    "tmp_size": "1m",
    "mounts": [{"type": "volume", "source": NAME, "target": "/data"}],
    "env": {"SERVICE": "this"},
    "groups": ["8141"],
    "published_ports": ["127.0.0.1:18077:8080"],
}
CHANGES = "ENTRYPOINT []", 'CMD ["sleep", "1000"]', "HEALTHCHECK --interval=300ms CMD true"


def name_image(number):
    docker("tag", f"{NAME}:of{number}", f"{NAME}:1")


@pytest.fixture(scope="module")
def images(lab):
    """Two, imported, so that they have no label by which whoever purges an index meanwhile would remove them."""
    origin = docker("create", "wheelhouse/base:trixie", "true")
    for number in (1, 2):
        changes = [f"--change={change}" for change in (*CHANGES, f"LABEL wheelhouse.test={number}")]
        with subprocess.Popen(["docker", "export", origin], stdout=subprocess.PIPE) as export:
            command = ["docker", "import", *changes, "-", f"{NAME}:of{number}"]
            subprocess.run(command, stdin=export.stdout, check=True, capture_output=True)
    docker("rm", origin)
    yield
    docker("image", "rm", f"{NAME}:of1", f"{NAME}:of2")


@pytest.fixture(scope="module")
def service(images):
    """Where the container is, and afterwards nothing of it."""
    name_image(1)
    yield
    for command in (
        ("rm", "--force", "--volumes", NAME),
        ("network", "rm", NAME, ELSEWHERE),
        ("volume", "rm", NAME),
        ("image", "rm", f"{NAME}:1"),
    ):
        subprocess.run(["docker", *command], check=False, capture_output=True)


@pytest.fixture
def run(service, tmp_path):
    """Run the container with these options, and tell whether that changed anything."""

    def run(*arguments, **options):
        playbook = tmp_path / "play.yml"
        tasks = [{"wheelhouse.pypi.service_container": TOLD | options}]
        playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
        here = "--connection", "local", "--extra-vars", f"ansible_python_interpreter={sys.executable}"
        ran = play(playbook, "localhost,", *here, *arguments)
        assert ran.returncode == 0, ran.output
        return ran.stats["localhost"]["changed"] == 1

    return run


def inspect(words):
    return docker("inspect", "--format", words, NAME)


def test_it_may_do_no_more_than_it_needs_and_the_second_run_leaves_it_alone(run):
    assert run("--check")
    assert not docker("ps", "--all", "--quiet", "--filter", f"name={NAME}")
    assert run()
    host = json.loads(inspect("{{ json .HostConfig }}"))
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["Init"]) == (True, ["ALL"], True)
    assert "no-new-privileges" in " ".join(host["SecurityOpt"])
    assert (host["Memory"], host["PidsLimit"], host["RestartPolicy"]["Name"]) == (64 * 1024**2, 20, "unless-stopped")
    assert (host["GroupAdd"], host["LogConfig"]["Config"]) == (["8141"], {"max-file": "3", "max-size": "10m"})
    assert host["PortBindings"] == {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18077"}]}
    assert docker("exec", NAME, "sh", "-c", "stat -f -c %T /tmp /data; echo $SERVICE").split()[::2] == ["tmpfs", "this"]

    begun = inspect("{{ .Id }} {{ .State.StartedAt }}")
    assert not run("--check")
    assert not run()
    assert inspect("{{ .Id }} {{ .State.StartedAt }}") == begun


@pytest.mark.parametrize(
    "other",
    [
        {"memory": "256m"},
        {"pids_limit": 30},
        {"tmp_size": "2m"},
        {"env": {"SERVICE": "that"}},
        {"groups": []},
        {"mounts": []},
        {"published_ports": ["127.0.0.1:18078:8080"]},
        {"network": ELSEWHERE},
    ],
    ids=lambda other: next(iter(other)),
)
def test_whatever_it_is_told_anew_it_is_made_so(run, other):
    assert run(**other)
    assert not run(**other)


@pytest.mark.parametrize(
    "done",
    [
        ("stop", "--time", "0", NAME),
        ("pause", NAME),
        ("update", "--memory", "32m", NAME),
        ("update", "--restart", "no", NAME),
        ("network", "disconnect", NAME, NAME),
        ("rm", "--force", NAME),
    ],
    ids=" ".join,
)
def test_whatever_became_of_it_the_next_run_mends(run, done):
    run()
    docker(*done)
    assert run("--check")
    assert run()
    assert inspect("{{ .State.Status }} {{ .HostConfig.Memory }} {{ .HostConfig.RestartPolicy.Name }}") == (
        f"running {64 * 1024**2} unless-stopped"
    )


def test_another_image_of_the_same_name_is_taken(run):
    run()
    name_image(2)
    assert run()
    assert inspect('{{ index .Config.Labels "wheelhouse.test" }}') == "2"
    assert not run()
