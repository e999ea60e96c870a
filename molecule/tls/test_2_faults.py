# SPDX-License-Identifier: GPL-3.0-or-later
"""Each fault: what was in service goes on serving, the text says what to do, and the next run heals."""

import contextlib
import json

import pytest
from commands import poll
from conftest import NAME, play, served
from pages import quoted


@contextlib.contextmanager
def stays_in_service():
    before = served()
    yield
    assert served() == before


@pytest.fixture(autouse=True)
def an_hour_later(index):
    """Faults come far enough from each other, so that the limit on failed validations stays out of their way."""
    index.later()


def says(done, *words):
    assert done.returncode == 1, done.stdout + done.stderr
    said = " ".join(done.stderr.split())
    for word in words:
        assert word in said, done.stderr


def heals(index, *arguments):
    """The next run has a new certificate and nginx serves it."""
    before = served()
    done = index.renew("--force", *arguments)
    assert done.returncode == 0, done.stderr
    assert f"issued {NAME}" in done.stdout
    assert f"changed {NAME}" in done.stdout
    assert served() != before
    assert served() == index.certificate(f"{index.lineage}/fullchain.pem")


def test_ca_is_down(index, acme):
    with acme.down(), stays_in_service():
        says(index.renew("--force"), "could not be reached", "run again", "The certificate in service stays.")
    heals(index)


def test_name_does_not_resolve(index, acme):
    acme.restart()  # what it has validated before it would not validate again
    with acme.lie("servfail", NAME), stays_in_service():
        done = index.renew("--force")
        says(done, f"could not validate {NAME}", "The CA finds no address for the name", "then run again")
        quoted("The ACME server finds no address for the name", done.stderr)
    heals(index)


def test_name_leads_elsewhere(index, acme):
    acme.restart()
    with acme.lie("a", NAME, addresses=["127.0.0.1"]), stays_in_service():
        done = index.renew("--force")
        says(done, f"could not validate {NAME}", "does not reach port 80")
        quoted("The ACME server does not reach the host", done.stderr)
    heals(index)


def test_name_that_fails_is_not_tried_a_fifth_time_within_an_hour(index, acme):
    acme.restart()
    second = "packages.wheelhouse.test"
    asked = {"certificates": [{"name": second, "domains": [second]}], "hook": [], "state": "/root/hasty.json"}
    index.run("rm", "-f", asked["state"])
    with acme.lie("servfail", second):
        for _turn in range(4):
            says(index.renew(**asked), f"could not validate {second}")
        orders = acme.orders()
        says(index.renew(**asked), "failed validation 4 times within the last hour", "the next attempt is possible at")
        says(index.renew("--force", **asked), "The CA was not asked")
        assert acme.orders() == orders


def test_name_is_blocked(index):
    blocked = "blocked.wheelhouse.test"
    with stays_in_service():
        says(
            index.renew(certificates=[{"name": blocked, "domains": [blocked]}], hook=[], state="/root/blocked.json"),
            "forbidden by policy",
            "does not issue for what was asked",
            "There is no certificate of that name yet.",
        )


def test_account_is_unknown_after_the_server_was_reset(index, acme):
    acme.restart()
    before = served()
    done = index.renew("--force")
    assert done.returncode == 0, done.stderr
    assert "set aside /etc/wheelhouse/pypi/certbot/config/set-aside/" in done.stdout
    assert f"changed {NAME}" in done.stdout
    assert served() != before


@pytest.mark.parametrize("fault", ["kid", "key"])
def test_account_binding_is_wrong(index, acme, fault):
    """On a server that asks for one, with an account yet to be made."""
    acme.restart()
    right = index.read("/etc/wheelhouse/pypi/certbot/cli.ini")
    place = f"/etc/wheelhouse/pypi/certbot/eab-{fault}"
    wrong = right.replace("/certbot/config", f"/certbot/eab-{fault}")
    wrong = wrong.replace("wheelhouse-kid", "nobodys-kid") if fault == "kid" else wrong.replace("zWNDZM6e", "aaaaaaaa")
    assert wrong != right
    index.write("/etc/wheelhouse/pypi/certbot/eab.ini", wrong)
    index.run("chown", "8143:8143", "/etc/wheelhouse/pypi/certbot/eab.ini")
    with stays_in_service():
        says(
            index.renew(
                configuration="/etc/wheelhouse/pypi/certbot/eab.ini",
                config_directory=place,
                hook=[],
                state="/root/eab.json",
            ),
            "Set eab-kid and eab-hmac-key",
        )
    index.run("rm", "-rf", place, "/etc/wheelhouse/pypi/certbot/eab.ini")


@contextlib.contextmanager
def full(index, directory):
    """A directory on a file system of its own with no room left."""
    index.run(
        "sh",
        "-c",
        f"cp -a {directory} {directory}.real && mount -t tmpfs -o size=32m,mode=0700 tmpfs {directory}"
        f" && cp -a {directory}.real/. {directory}/",
    )
    index.run("sh", "-c", f"dd if=/dev/zero of={directory}/ballast bs=4k", check=False)
    try:
        yield
    finally:
        index.run("sh", "-c", f"umount {directory} && rm -rf {directory}.real")


def test_disk_of_the_accounts_is_full(index, acme):
    with stays_in_service(), full(index, "/etc/wheelhouse/pypi/certbot"):
        orders = acme.orders()
        says(index.renew("--force"), "KiB to be free", "The CA was not asked", "Make room")
        assert acme.orders() == orders
    heals(index)


def test_disk_of_the_certificates_is_full(index):
    with stays_in_service(), full(index, "/etc/wheelhouse/pypi/tls/certificates"):
        says(index.renew("--force"), "could not be taken into service", "No space left on device")
    done = index.renew()
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"kept {NAME}\nchanged {NAME}\n", "no new order was needed"
    assert served() == index.certificate(f"{index.lineage}/fullchain.pem")


def test_nginx_does_not_accept_its_configuration(index):
    path = "/etc/wheelhouse/pypi/proxy/nginx.conf"
    good = index.read(path)
    index.write(path, good + "nonsense;\n")
    try:
        with stays_in_service():
            says(
                index.renew("--force"),
                "could not be taken into service",
                "nginx does not accept its configuration",
                "nonsense",
            )
            assert index.certificate(index.installed) == served(), "a restart of nginx finds the certificate that works"
    finally:
        index.write(path, good)
    done = index.renew()
    assert done.returncode == 0, done.stderr
    assert f"changed {NAME}" in done.stdout
    assert served() == index.certificate(f"{index.lineage}/fullchain.pem")


def test_nginx_is_down(index):
    assert index.renew("--force", hook=[]).returncode == 0  # a new one that was not taken into service yet
    index.run("docker", "stop", "pypi-proxy")
    try:
        says(index.renew(), "could not be taken into service", "is not running")
    finally:
        index.run("docker", "start", "pypi-proxy")
    poll(lambda: index.run("docker", "exec", "pypi-proxy", "healthcheck", check=False).returncode == 0, 30)
    done = index.renew()
    assert done.returncode == 0, done.stderr
    assert served() == index.certificate(f"{index.lineage}/fullchain.pem")


@pytest.mark.parametrize("seconds", ["0.7", "1.5", "3"])
def test_run_is_killed(index, seconds):
    before = served()
    index.run("timeout", "--signal", "KILL", seconds, *index.program, index.settings_path, "--force", check=False)
    assert served() in (before, index.certificate(index.installed))
    poll(lambda: not index.run("docker", "ps", "--quiet", "--filter", "ancestor=wheelhouse/certbot:5.8.0").stdout, 60)
    heals(index)


def test_failed_timer_is_told_by_systemd(index, acme):
    unit = "wheelhouse-pypi-renewal.service"
    with acme.down(), stays_in_service():
        assert index.run("systemctl", "start", unit, check=False).returncode != 0
        assert "could not be reached" in index.run("journalctl", "--unit", unit, "--output", "cat").stdout
        assert index.run("systemctl", "is-failed", unit, check=False).stdout.strip() == "failed"
    assert index.run("systemctl", "start", unit).returncode == 0


def test_play_fails_in_the_same_words_and_the_next_one_heals(acme):
    usual = ("up_pypi.yml", "--tags", "nginx_proxy,certbot")
    more = (
        *usual,
        "--extra-vars",
        json.dumps({"nginx_proxy_server_aliases": ["packages.wheelhouse.test", "wheels.wheelhouse.test"]}),
    )
    try:
        with acme.down(), stays_in_service():
            result = play(*more)
            assert result.returncode != 0
            assert result.says("what was in service before goes on serving")
            assert result.says("could not be reached")
        orders = acme.orders()
        result = play(*more)
        assert result.returncode == 0, str(result)
        assert acme.orders() > orders
    finally:
        result = play(*usual)
    assert result.returncode == 0, str(result)
