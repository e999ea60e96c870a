# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host over SSH that cannot be worked on is refused in a sentence, and the others go on."""

from __future__ import annotations

import pytest
import yaml
from plays import FIRST_PLAYS, play
from ssh_hosts import PASSWORD, STRANGER, ssh_hosts

UBUNTU = "sed -i 's/Debian/Ubuntu/; s/debian/ubuntu/; s/^VERSION_ID=.*/VERSION_ID=24.04/' /usr/lib/os-release"

# What is wrong: name → what a shell script changes in the host, what the inventory says, what is said of it.
HOSTS = {
    "fine": ("ln -s /usr/bin/python3 '/opt/my python'", {"ansible_python_interpreter": "/opt/my python"}, []),
    "no_password": ("", {"ansible_become_password": None}, ["takes root", "Missing sudo password", "ARGS='-K'"]),
    "wrong_password": ("", {"ansible_become_password": "x"}, ["takes root", "Incorrect sudo password", "ARGS='-K'"]),
    "no_right": ("", {"ansible_user": STRANGER}, ["takes root", "not in the sudoers file", "a user with sudo"]),
    "no_sudo": ("rm /usr/bin/sudo", {}, ["takes root", "sudo: not found", "a user with sudo"]),
    "no_python": (
        "rm -f /usr/bin/python3* /usr/local/bin/python3*",
        {},
        ["no Python as python3.13, ", "3.11 or newer", "apt-get install python3"],
    ),
    "old_python": (
        "printf '#!/bin/sh\\necho 3.6\\n' >/opt/python; chmod 755 /opt/python",
        {"ansible_python_interpreter": "/opt/python"},
        ["Python 3.6 as /opt/python", "3.11 or newer", "ansible_python_interpreter"],
    ),
    "broken_python": (
        "printf '#!/bin/sh\\nexit 127\\n' >/usr/bin/python3.13; chmod 755 /usr/bin/python3.13",
        {},
        ["a broken Python as /usr/bin/python3.13", "3.11 or newer", "ansible_python_interpreter"],
    ),
    "python_nowhere": (
        "",
        {"ansible_python_interpreter": "/nowhere/python3"},
        ["no Python as /nowhere/python3", "3.11 or newer", "ansible_python_interpreter"],
    ),
    "closed": (
        "",
        {"ansible_port": 1},
        ["cannot be reached", "Connection refused", "until this works", "ssh -p 1 -i ", " ordinary@127.0.22."],
    ),
    "denied": (
        "",
        {"ansible_ssh_private_key_file": "/dev/null"},
        ["cannot be reached", "Permission denied", "until this works", "-i /dev/null", " ordinary@127.0.22."],
    ),
    "unknown": (
        "",
        {"ansible_host": "nowhere.invalid"},
        ["cannot be reached", "Could not resolve", "until this works", "ordinary@nowhere.invalid"],
    ),
    "old_machine": (
        'set -- setarch i686 "$@"',
        {},
        ["is Linux on i686, allowed is Linux on x86_64 or aarch64", "container_image_source"],
    ),
    "ubuntu": (
        UBUNTU + "; rm -rf /usr/bin/docker* /usr/local/bin/docker* /usr/sbin/dockerd /usr/bin/podman",
        {},
        ["runs Ubuntu 24.04", "has no container engine", "Debian 12 and 13", "an engine that runs is used as it is"],
    ),
    "ubuntu_service": (
        UBUNTU,
        {"pypi_server_deployment": "systemd"},
        ["runs Ubuntu 24.04", "Debian 12 and 13 only", "set it to container"],
    ),
}
REFUSED = [name for name, (_change, _given, words) in HOSTS.items() if words]
# What every playbook looks at; machine and distribution matter to those who bring up an index.
UNREADY = ["no_password", "no_python", "closed"]


@pytest.fixture(scope="module")
def inventory(tmp_path_factory):
    """Write an inventory of some of the hosts, which run: index hosts, or of the groups that are named."""
    place = tmp_path_factory.mktemp("hosts")
    with ssh_hosts(place, {name: change for name, (change, _given, _words) in HOSTS.items()}) as running:

        def given(name):
            said = {"ansible_become_password": PASSWORD} | running[name] | HOSTS[name][1]
            return {key: value for key, value in said.items() if value is not None}

        def inventory(names, *groups):
            hosts = {"hosts": {name: given(name) for name in names}}
            file = tmp_path_factory.mktemp("inventory") / "hosts.yml"
            said = {"pypi": {"hosts": {"index": given("fine")}}} | dict.fromkeys(groups or ("pypi",), hosts)
            file.write_text(yaml.safe_dump(said))
            return file

        yield inventory


@pytest.fixture(scope="module")
def brought_up(inventory):
    """The run that meets all of them. Whoever is not refused only hears what would be written on the controller."""
    return play("up_pypi.yml", inventory(HOSTS), "--check", "--tags=pypi_client", "--forks=8")


def refused(run, host):
    """The sentence that ended a host before anything was changed there."""
    assert run.returncode != 0
    assert run.stats[host]["failures"] == 1
    assert run.stats[host]["changed"] == 0
    return run.messages[host]


@pytest.mark.parametrize("host", REFUSED)
def test_unfit_host_is_refused_before_the_first_change(brought_up, host):
    sentence = refused(brought_up, host)
    assert brought_up.plays[host] <= FIRST_PLAYS
    assert host in sentence
    for words in HOSTS[host][2]:
        assert words in sentence


def test_refusing_shows_no_password(brought_up):
    assert PASSWORD not in brought_up.output


def test_other_hosts_go_on(brought_up):
    assert brought_up.stats["fine"]["failures"] == 0
    assert brought_up.plays["fine"] > FIRST_PLAYS


@pytest.mark.parametrize("host", UNREADY)
def test_only_host_that_is_unfit_fails_the_run(inventory, host):
    run = play("up_pypi.yml", inventory([host]), "--check")
    assert HOSTS[host][2][0] in refused(run, host)
    assert run.plays[host] <= FIRST_PLAYS


@pytest.mark.parametrize("playbook", ["verify", "destroy"])
def test_other_playbooks_say_the_same(inventory, playbook):
    run = play(f"playbooks/{playbook}.yml", inventory(UNREADY))
    for host in UNREADY:
        assert HOSTS[host][2][0] in refused(run, host)


@pytest.mark.parametrize(
    ("playbook", "group"),
    [
        ("up_pypi.yml --tags=pypi_client", "pypi_clients"),
        ("playbooks/clients.yml", "pypi_clients"),
        ("playbooks/destroy.yml", "pypi_clients"),
        ("playbooks/destroy.yml", "pypi_proxies"),
    ],
)
def test_the_same_is_said_of_clients_and_proxies(inventory, playbook, group):
    playbook, *arguments = playbook.split()
    run = play(playbook, inventory(UNREADY, group), "--check", *arguments)
    for host in UNREADY:
        assert HOSTS[host][2][0] in refused(run, host)


def test_migrating_says_the_same(inventory):
    source, destination = "closed", "no_python"
    run = play(
        "playbooks/migrate.yml", inventory(UNREADY), "-e", f"migrate_from={source}", "-e", f"migrate_to={destination}"
    )
    for host in (source, destination):
        assert HOSTS[host][2][0] in refused(run, host)


def test_host_is_not_blamed_for_another(inventory):
    run = play(
        "playbooks/migrate.yml", inventory(UNREADY), "-e", "migrate_from=no_password", "-e", "migrate_to=no_python"
    )
    assert "takes root" in refused(run, "no_password")
    assert "no_python" not in run.messages
