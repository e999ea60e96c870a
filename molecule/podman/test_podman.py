# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator of Podman relies on, looked at from outside the product: on the host, and over its address."""

import json
import os

import pytest
import requests
from commands import BIN, poll, run
from commands import docker as docker_of_this_machine

HOST = "wheelhouse-podman"
URL = "http://localhost:18090"
INDEX, PROXY = "pypi-index", "pypi-proxy"
UIDS = {INDEX: 8141, PROXY: 8142}

both = pytest.mark.parametrize("container", [INDEX, PROXY])


@pytest.fixture(scope="module")
def podman(host):
    """Run a podman command on the host and return what it prints."""

    def run(command):
        return host.check_output(f"podman {command}")

    return run


@pytest.fixture(scope="module")
def inspect(podman):
    return lambda container: json.loads(podman(f"container inspect {container}"))[0]


@pytest.fixture(scope="module")
def process(host, inspect):
    """The process id, on the host, of the server that a container's init process looks after."""
    return lambda container: int(host.check_output(f"pgrep --parent {inspect(container)['State']['Pid']}").split()[0])


def answers():
    try:
        return requests.get(f"{URL}/+api", timeout=2).status_code == 200
    except requests.RequestException:
        return False


def healthy(inspect, container):
    return inspect(container)["State"]["Health"]["Status"] == "healthy"


def test_unchanged_run_leaves_containers_alone(host, podman):
    names = " ".join(sorted(podman("ps --all --format '{{.Names}}'").split()))
    now = podman(f"inspect --format '{{{{.Name}}}} {{{{.Id}}}} {{{{.Image}}}} {{{{.State.StartedAt}}}}' {names}")
    assert now.strip() == host.file("/root/containers-after-first-run").content_string.strip()


def test_there_is_no_docker(host):
    assert not host.exists("dockerd")
    assert host.check_output("docker --version").startswith("podman version 5.")
    assert host.file("/run/docker.sock").linked_to == "/run/podman/podman.sock"


def test_host_listens_on_the_proxys_port_only(host, podman):
    """But for Podman's name server, on the address that the containers' own network has on the host."""
    gateway = json.loads(podman("network inspect pypi"))[0]["subnets"][0]["gateway"]
    listening = [
        line.split()[3]
        for line in host.check_output("ss --no-header --listening --tcp --numeric").splitlines()
        if not line.split()[3].startswith("127.0.0.")
    ]
    assert sorted(listening) == sorted(["0.0.0.0:18090", f"{gateway}:53"])


@both
def test_container_is_confined(host, process, podman, container):
    status = dict(
        line.split(":\t", 1) for line in host.file(f"/proc/{process(container)}/status").content_string.splitlines()
    )
    assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")} == {0}
    assert status["NoNewPrivs"] == "1"
    assert status["Uid"].split() == [str(UIDS[container])] * 4
    assert host.run(f"podman exec {container} touch /usr/local/probe").rc != 0
    assert host.run(f"podman exec {container} touch /etc/probe").rc != 0


@both
def test_container_has_its_limits(inspect, container):
    settings = inspect(container)["HostConfig"]
    assert settings["Memory"] > 0
    assert settings["PidsLimit"] > 0
    assert settings["RestartPolicy"]["Name"] == "unless-stopped"
    assert settings["LogConfig"]["Size"] == "10MB"


@both
def test_container_is_healthy(inspect, container):
    poll(lambda: healthy(inspect, container), 30)


@both
def test_server_comes_back_when_it_is_killed(host, inspect, process, container):
    before = inspect(container)["State"]["StartedAt"]
    host.check_output(f"kill -KILL {process(container)}")
    poll(lambda: inspect(container)["State"]["StartedAt"] != before and answers(), 10)


def test_everything_comes_back_with_the_host(host, inspect):
    before = {container: inspect(container)["State"]["StartedAt"] for container in UIDS}
    docker_of_this_machine("restart", "--time", "60", HOST)
    poll(answers, 60)
    assert all(inspect(container)["State"]["StartedAt"] != before[container] for container in UIDS)
    poll(lambda: all(healthy(inspect, container) for container in UIDS), 30)


def test_container_is_made_anew_when_it_is_told_otherwise(inspect):
    bundle = "/etc/ssl/host-ca-certificates.crt"
    assert bundle not in [mount["Source"] for mount in inspect(INDEX)["Mounts"]]
    inventory = os.environ["MOLECULE_INVENTORY_FILE"]
    play = run(
        *(BIN / "ansible-playbook", "--inventory", inventory, "--tags", "pypi_server"),
        *("--extra-vars", f"pypi_server_ca_bundle={bundle}", "up_pypi.yml"),
    )
    assert play.returncode == 0, str(play)
    assert bundle in [mount["Source"] for mount in inspect(INDEX)["Mounts"]]
