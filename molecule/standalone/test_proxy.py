# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy of a host without containers, looked at from that host: what it may do, how it ends, begins and logs."""

import concurrent.futures
import itertools
import re

import pytest
from commands import poll

PROXY = "wheelhouse-pypi-proxy"
PLACE = "/etc/wheelhouse/pypi"
CACHE = f"/var/cache/wheelhouse/{PROXY.removeprefix('wheelhouse-')}"
LOG = f"/var/log/wheelhouse/{PROXY.removeprefix('wheelhouse-')}/access.log"
CONFIGURATION = f"{PLACE}/proxy/nginx.conf"
BESIDE = "setpriv --reuid 8142 --regid 8142 --clear-groups"


@pytest.fixture(scope="module")
def systemd(host):
    return host.file(f"/etc/systemd/system/{PROXY}.service").exists


@pytest.fixture(scope="module")
def address(host):
    """Where it listens for plain HTTP, as its configuration says."""
    found = re.search(r"listen (\S+?):(\d+) default_server;", host.file(CONFIGURATION).content_string)
    return f"127.0.0.1:{found[2]}" if found[1] == "0.0.0.0" else f"{found[1]}:{found[2]}"  # noqa: S104 - only compared


@pytest.fixture(scope="module")
def answers(host, address):
    """Whether it answers who names no host of ours, asked by what every host has."""
    program = (
        "import http.client, sys\n"
        "connection = http.client.HTTPConnection(sys.argv[1], timeout=5)\n"
        "connection.request('GET', '/', headers={'Host': 'evil.example', 'Connection': 'close'})\n"
        "sys.exit(connection.getresponse().status != 421)"
    )
    return lambda: host.run("python3 -c %s %s", program, address).rc == 0


def master(host):
    return int(host.file(f"{CACHE}/nginx.pid").content_string)


def reload(host):
    host.check_output(f"{BESIDE} nginx -e /dev/null -c {CONFIGURATION} -s reload")


def status(host, pid):
    return dict(line.split(":\t", 1) for line in host.file(f"/proc/{pid}/status").content_string.splitlines())


# What there is


def test_no_engine_is_there(host):
    assert not host.exists("docker")
    assert not host.file("/run/docker.sock").exists


def test_own_service_of_the_distributions_nginx_does_not_start(host, systemd):
    if systemd:
        assert host.run("systemctl is-enabled nginx.service").stdout.strip() == "disabled"
        assert host.run("systemctl is-active nginx.service").stdout.strip() == "inactive"
    assert not host.run("ls /etc/rc2.d").stdout.count("S01nginx")


def test_user_can_do_nothing_else(host):
    user = host.user("wheelhouse-proxy")
    assert (user.uid, user.gid, user.shell, user.home) == (8142, 8142, "/usr/sbin/nologin", "/nonexistent")


def test_nothing_below_the_cache_is_roots(host):
    """A check of the configuration that ran as root would leave files that nginx cannot open."""
    assert host.check_output(f"find {CACHE} -not -user wheelhouse-proxy") == ""


def test_process_is_confined(host, systemd):
    facts = status(host, master(host))
    assert facts["Uid"].split() == ["8142"] * 4
    assert "8141" in facts["Groups"].split()
    assert facts["NoNewPrivs"].strip() == "1"
    low_port = 1 << 10  # CAP_NET_BIND_SERVICE
    assert {int(facts[name], 16) & ~low_port for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    if systemd:
        told = host.check_output(f"systemd-analyze security --no-pager {PROXY}.service")
        assert float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", told)[1]) <= 2.0
        inside = f"/proc/{master(host)}/root"
        assert host.check_output(f"ls -A {inside}/home {inside}/root") == f"{inside}/home:\n\n{inside}/root:"
        assert "secrets" not in host.check_output(f"ls {inside}{PLACE}")


def test_host_name_of_others_is_told_so(answers):
    assert answers()


# How it ends and begins


def test_reload_drops_no_request(host, address, answers):
    """2 clients at once, 10 reloads: every request is answered."""
    running = True

    def client():
        return [answers() for _ in itertools.takewhile(lambda _: running, itertools.count())]

    with concurrent.futures.ThreadPoolExecutor() as pool:
        clients = [pool.submit(client) for _ in range(2)]
        before = master(host)
        for _ in range(10):
            reload(host)
        running = False
        results = [answer for done in clients for answer in done.result()]
    assert results
    assert all(results)
    assert master(host) == before


def test_killed_proxy_comes_back_with_workers_of_its_own(host, answers):
    """Workers outlive their master and hold its ports: none of before may be left."""
    before = master(host)
    host.check_output(f"python3 -c 'import os; os.kill({before}, 9)'")
    poll(lambda: master(host) != before and answers(), 10)
    groups = host.run("grep -l '^nginx: worker' /proc/[0-9]*/cmdline").stdout.split()
    parents = {status(host, path.split("/")[2])["PPid"].strip() for path in groups}
    assert parents == {str(master(host))}


def test_refused_configuration_leaves_the_one_before(host, answers):
    good = host.file(CONFIGURATION).content_string
    try:
        host.check_output("echo 'nonsense;' >> %s", CONFIGURATION)
        assert host.run(f"{BESIDE} nginx -e /dev/null -c {CONFIGURATION} -s reload").rc != 0
        assert answers()
    finally:
        host.check_output("printf %s %s > %s", "%s", good, CONFIGURATION)
    reload(host)
    assert answers()


# What it writes


def test_log_is_rotated_and_written_on(host, systemd, answers):
    if systemd:
        assert answers()
        host.check_output(f"logrotate --force /etc/logrotate.d/{PROXY}")
        assert host.file(f"{LOG}.1").size > 0
        poll(lambda: answers() and '"GET / HTTP/1.1" 421' in host.file(LOG).content_string, 10)
        assert host.file(LOG).user == "wheelhouse-proxy"
    else:
        program = host.file(f"/etc/supervisor/conf.d/{PROXY}.conf").content_string
        assert "stdout_logfile_maxbytes=10MB" in program
        before = host.file(f"/var/log/{PROXY}.log").size
        poll(lambda: answers() and host.file(f"/var/log/{PROXY}.log").size > before, 10)
