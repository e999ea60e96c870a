# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of which some hosts are out of reach. Long, so for `make test-long`: each try to reach one takes its time."""

import json
import re

import yaml
from conftest import DEVPI, WHEELS, execute, handshake, play


def test_others_finish_when_hosts_cannot_be_reached(tmp_path):
    """One is new and was never there; one was brought up before, and its clients notice nothing."""
    gone = {
        "ansible_host": "10.213.7.250",
        "pypi_public_name": "gone.fleet.test",
        "nginx_proxy_server_name": "gone.inner",
    }
    hosts = {"fleet-gone": gone | {"pypi_index_address": "10.213.7.250"}, "fleet-pypiserver": {"ansible_port": 1}}
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"pypi": {"hosts": hosts}}))
    result = play("up_pypi.yml", "--inventory", inventory)
    assert result.returncode == 2, str(result)
    for host, words in {
        "fleet-gone": "unreachable=0 failed=1",
        "fleet-pypiserver": "unreachable=0 failed=1",
        "fleet-devpi": "unreachable=0 failed=0",
        "fleet-proxy": "unreachable=0 failed=0",
    }.items():
        recap = " ".join(re.search(rf"^{host} .*", result.output, re.MULTILINE)[0].split())
        assert words in recap, str(result)
    assert result.says(f"{DEVPI.url}/ works:")
    assert WHEELS.get("/simple/").status_code == 200
    with handshake("gone.fleet.test") as tls:
        tls.sendall(b"GET / HTTP/1.0\r\nHost: gone.fleet.test\r\n\r\n")
        answer = tls.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"The index behind this name is not set up yet" in answer
    assert (
        json.loads(execute("proxy", "cat", "/etc/wheelhouse/pypi/indexes/wheels.fleet.test.json"))["host"]
        == WHEELS.host
    )
