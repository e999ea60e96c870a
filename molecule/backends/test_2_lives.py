# SPDX-License-Identifier: GPL-3.0-or-later
"""An index stops cleanly, comes back by itself, survives a failed upgrade, and is refused what would break it."""

import concurrent.futures
import subprocess
import threading

import pytest
from commands import poll
from conftest import INDEXES, play

SYSTEMD_MACHINES = ["wheelhouse-bookworm", "wheelhouse-trixie"]


def test_index_stops_cleanly_within_two_seconds(service):
    try:
        assert service.stop() <= 2
        if service.deployment == "systemd":
            result = service.run("systemctl", "show", "--property", "Result", "--value", service.service)
            assert result == "success"
    finally:
        service.start()
    poll(service.answers, 20)


@pytest.mark.parametrize("part", ["service", "proxy"])
def test_killed_service_comes_back_within_ten_seconds(service, part):
    unit = getattr(service, part)
    before = service.process(unit)
    service.run("kill", "-KILL", str(before))
    poll(lambda: service.process(unit) not in (0, before) and service.answers(), 10)


def test_reload_of_the_proxy_drops_no_request(service):
    configuration = f"/etc/wheelhouse/{service.instance}/proxy/nginx.conf"
    command = ["setpriv", "--reuid", "8142", "--regid", "8142", "--clear-groups", "nginx", "-e", "/dev/null"]
    reloaded, answers, url = threading.Event(), [], service.url

    def client():
        while not reloaded.is_set():
            answers.append(service.http.get(f"{url}/", timeout=10, verify=False).status_code)

    before = service.process(service.proxy)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        clients = [pool.submit(client) for _turn in range(2)]
        try:
            for _turn in range(5):
                service.run(*command, "-c", configuration, "-s", "reload")
        finally:
            reloaded.set()
        for one in clients:
            one.result()
    assert set(answers) == {200}
    assert service.process(service.proxy) == before


def test_log_of_the_proxy_is_rotated_and_written_on(service):
    log = service.proxy_log
    if service.deployment == "systemd":
        service.run("logrotate", "--force", f"/etc/logrotate.d/{service.proxy}")
        assert int(service.run("stat", "--format", "%s", f"{log}.1")) > 0
    else:
        assert "stdout_logfile_maxbytes=10MB" in service.run("cat", f"/etc/supervisor/conf.d/{service.proxy}.conf")
    before = int(service.run("stat", "--format", "%s", log))
    poll(lambda: service.answers() and int(service.run("stat", "--format", "%s", log)) > before, 10)


def test_failed_upgrade_leaves_the_old_server_running(named, tmp_path):
    index = named("pypiserver-systemd")
    before = index.process(index.service)
    software = tmp_path / "software"
    software.mkdir()
    (software / "requirements.txt").write_text("pypiserver==2.4.2 --hash=sha256:" + 64 * "0" + "\n")
    (software / "index-server").write_text("#!/bin/sh\n")
    failed = play("playbooks/up_pypi.yml", index.name, "python_environment", python_environment_directory=str(software))
    assert failed.returncode != 0
    assert failed.says("What was there before is untouched"), str(failed)
    assert index.process(index.service) == before
    assert index.answers()
    healed = play("playbooks/up_pypi.yml", index.name, "python_environment")
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
    result = play("playbooks/up_pypi.yml", index.name, "pypi_server", pypi_server_packages=packages)
    assert result.returncode != 0
    assert result.says("1 of 2 could not be had"), str(result)
    assert result.says("wheelhouse-has-no-such-package"), str(result)
    assert index.get("/simple/").text == before


def test_releases_move_to_the_other_backend_and_are_the_same_bytes(named):
    """facts/seeds, rows 2 and 5: from a directory of packages to indexes with users."""
    index = named("devpi-supervisord")
    moved = play(
        "playbooks/migrate.yml",
        "all,localhost",
        migrate_from="pypiserver-systemd",
        migrate_to=index.name,
        migrate_index="pypi/stable",
    )
    assert moved.returncode == 0, str(moved)
    assert moved.says("with the same bytes"), str(moved)
    files = index.get("/pypi/stable/+simple/six/", headers={"Accept": "text/html"}).text
    assert "six-1.16.0-py2.py3-none-any.whl" in files


@pytest.mark.parametrize("machine", SYSTEMD_MACHINES)
def test_reboot_brings_everything_back_within_a_minute(machine):
    subprocess.run(["docker", "restart", "--time", "20", machine], check=True, capture_output=True)
    there = [index for index in INDEXES.values() if index.machine == machine]
    poll(lambda: all(index.answers() for index in there), 60)
