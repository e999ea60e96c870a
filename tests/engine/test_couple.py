# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two indexes on one host, brought up by one run, share nothing but images."""

from __future__ import annotations

import sys

import pytest
import requests
import yaml
from commands import docker, run

PORTS = {"wheelhouse-first": 18110, "wheelhouse-second": 18120}
ODD = "p%s #;$(id)'\"\\{}&<>:/@"  # every character that some layer in between might take for its own


@pytest.fixture(scope="module")
def make(tmp_path_factory, engine):
    place = tmp_path_factory.mktemp("couple")
    hosts = {
        name: {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "ansible_pipelining": False,
            "pypi_server_instance": name,
            "nginx_proxy_port": port,
            "pypi_client_directory": str(place / name),
        }
        for name, port in PORTS.items()
    }
    hosts["wheelhouse-second"] |= {
        "pypi_server_root_password": f"root {ODD}",
        "pypi_server_users": [{"name": "pypi", "password": ODD}],
    }
    (place / "hosts.yml").write_text(yaml.safe_dump({"pypi": {"hosts": hosts}}))
    yield lambda *words: run("make", *words, f"INVENTORY={place}/hosts.yml")
    run("make", "destroy", "PURGE=yes", f"INVENTORY={place}/hosts.yml")


def test_one_run_brings_up_both(make):
    result = make("pypi")
    assert result.returncode == 0, str(result)
    for port in PORTS.values():
        assert result.says(f"http://localhost:{port}/ works: 11 of 11 checks passed.")


def test_given_passwords_are_the_ones_that_count(make):
    url = f"http://localhost:{PORTS['wheelhouse-second']}/+login"
    for user, password in {"root": f"root {ODD}", "pypi": ODD}.items():
        answer = requests.post(url, json={"user": user, "password": password}, timeout=10)
        assert answer.status_code == 200, answer.text


def test_each_has_an_identity_and_secrets_of_its_own(make):
    answers = [requests.get(f"http://localhost:{port}/+api", timeout=10) for port in PORTS.values()]
    assert len({answer.headers["X-Devpi-Uuid"] for answer in answers}) == 2
    assert [answer.json()["result"]["login"] for answer in answers] == [
        f"http://localhost:{port}/+login" for port in PORTS.values()
    ]
    secrets = [run("cat", f"/etc/wheelhouse/{name}/secrets/secrets.json").output for name in PORTS]
    assert secrets[0] != secrets[1]


def test_destroying_one_leaves_the_other(make):
    first, second = PORTS
    before = docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", f"{second}-index", f"{second}-proxy")
    result = make("destroy", "PURGE=yes", f"ARGS=--limit={first}")
    assert result.returncode == 0, str(result)
    assert docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", f"{second}-index", f"{second}-proxy") == before
    assert requests.get(f"http://localhost:{PORTS[second]}/+api", timeout=10).status_code == 200
    assert f"{first}-data" not in docker("volume", "ls", "--quiet").splitlines()
