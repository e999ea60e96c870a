# SPDX-License-Identifier: GPL-3.0-or-later
"""An index stops cleanly, comes back by itself, survives a failed upgrade, and is refused what would break it."""

import subprocess

import pytest
from commands import poll
from conftest import INDEXES, play

SYSTEMD_MACHINES = ["wheelhouse-bookworm", "wheelhouse-trixie"]


def test_index_stops_cleanly_within_two_seconds(service):
    try:
        assert service.supervisor("stop", service.service) <= 2
        if service.deployment == "systemd":
            result = service.run("systemctl", "show", "--property", "Result", "--value", service.service)
            assert result == "success"
    finally:
        service.supervisor("start", service.service)
    poll(service.answers, 20)


@pytest.mark.parametrize("part", ["service", "proxy"])
def test_killed_service_comes_back_within_ten_seconds(service, part):
    unit = getattr(service, part)
    before = service.process(unit)
    service.run("kill", "-KILL", str(before))
    poll(lambda: service.process(unit) not in (0, before) and service.answers(), 10)


def test_failed_upgrade_leaves_the_old_server_running(named, tmp_path):
    index = named("pypiserver-systemd")
    before = index.process(index.service)
    software = tmp_path / "software"
    software.mkdir()
    (software / "requirements.txt").write_text("pypiserver==2.4.2 --hash=sha256:" + 64 * "0" + "\n")
    (software / "index-server").write_text("#!/bin/sh\n")
    failed = play("playbooks/up_pypi.yml", index.name, python_environment_directory=str(software))
    assert failed.returncode != 0
    assert failed.says("What was there before is untouched"), str(failed)
    assert index.process(index.service) == before
    assert index.answers()
    healed = play("playbooks/up_pypi.yml", index.name)
    assert healed.returncode == 0, str(healed)
    assert index.process(index.service) == before
    left = index.run("ls", "/opt/wheelhouse").split()
    assert len([name for name in left if name.startswith(f"{index.instance}-")]) == 1


@pytest.mark.parametrize(
    ("host", "given", "words"),
    [
        ("devpi-supervisord", {"pypi_server_deployment": "systemd"}, "PID 1 there is"),
        ("devpi-systemd", {"pypi_server_deployment": "supervisord"}, "systemd does so already"),
        ("pypiserver-systemd", {"pypi_server_backend": "devpi"}, "Its data would not follow"),
        ("pypiserver-systemd", {"pypi_server_packages_directory": "/etc/hostname"}, "is no directory"),
        ("pypiserver-systemd", {"pypi_server_packages_directory": "/etc/ssl"}, "belongs to root"),
    ],
)
def test_what_would_break_an_index_is_refused_before_the_first_change(host, given, words):
    result = play("playbooks/up_pypi.yml", host, **given)
    assert result.returncode != 0
    assert result.says(words), str(result)
    assert result.changed == 0


def test_requirement_that_cannot_be_had_is_named_and_the_rest_stays(named):
    index = named("pypiserver-systemd")
    before = index.get("/simple/").text
    packages = [{"requirement": "six==1.16.0"}, {"requirement": "wheelhouse-has-no-such-package==0.0.1"}]
    result = play("playbooks/up_pypi.yml", index.name, pypi_server_packages=packages)
    assert result.returncode != 0
    assert result.says("1 of 2 could not be had"), str(result)
    assert result.says("wheelhouse-has-no-such-package"), str(result)
    assert index.get("/simple/").text == before


@pytest.mark.parametrize("machine", SYSTEMD_MACHINES)
def test_reboot_brings_everything_back_within_a_minute(machine):
    subprocess.run(["docker", "restart", "--time", "20", machine], check=True, capture_output=True)
    there = [index for index in INDEXES.values() if index.machine == machine]
    poll(lambda: all(index.answers() for index in there), 60)
