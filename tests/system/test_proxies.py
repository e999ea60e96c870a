# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An index and the proxy in front of it that do not fit each other are refused before the first change.

The hosts are this machine under other addresses, and the run is in check mode.
"""

from __future__ import annotations

import json
import re
import sys

import pytest
import yaml
from commands import BIN, run

LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
PASSWORD = "correct-horse-battery"
GOOD = {
    "nginx_proxy_tls": "selfsigned",
    "nginx_proxy_server_name": "{{ inventory_hostname }}.internal",
    "pypi_index_address": "192.0.2.7",
    "pypi_public_name": "pypi.example.com",
    "pypi_proxy": "front",
}
PROXIED = {
    "nobody": (GOOD | {"pypi_proxy": "nobody"}, 'got "nobody", allowed is a host of the group pypi_proxies (both'),
    "nameless": (GOOD | {"pypi_public_name": ""}, "needed is the name under which front serves this index"),
    "unproxied": ({"pypi_public_name": "pypi.example.com"}, "but no pypi_proxy"),
    "plain": (GOOD | {"nginx_proxy_tls": "none"}, "got none, allowed behind a proxy is selfsigned"),
    "unknown-ca": (GOOD | {"nginx_proxy_tls": "acme"}, "together with nginx_proxy_ca_file"),
    "loopback": (GOOD | {"nginx_proxy_listen_address": "127.0.0.1"}, "got 127.0.0.1, where front cannot connect"),
    "address": (GOOD | {"nginx_proxy_server_name": "192.0.2.7"}, "nginx verifies no addresses"),
    "itself": (GOOD | {"pypi_index_address": "127.0.0.1"}, "looks for itself at 127.0.0.1 and finds itself there"),
    "nowhere": (GOOD | {"pypi_index_address": "nowhere.invalid"}, "at nowhere.invalid and finds nothing ("),
    "mistyped": (GOOD | {"pypi_proxy_addresses": ["the-proxy"]}, 'nginx_proxy_behind on mistyped: got "the-proxy"'),
    "one": (GOOD | {"pypi_proxy": "claimed"}, "claimed, the proxy in front of one, was refused"),
    "two": (GOOD | {"pypi_proxy": "claimed"}, "claimed, the proxy in front of two, was refused"),
    "neighbour": ({"ansible_host": "127.0.7.9"}, "both claim port 28700 of 127.0.7.9"),
    "mirrored": ({"pypi_package_proxy": f"http://me:{PASSWORD}@proxy.example.com"}, "without user and password"),
}
PROXIES = {
    "both": ({}, "is in the groups pypi and pypi_proxies, allowed is one of them"),
    "claimed": ({}, "one and two both claim the name pypi.example.com on claimed"),
    "crowded": ({"ansible_host": "127.0.7.8"}, "both claim port 28700 of 127.0.7.8"),
    "crowd": ({"ansible_host": "127.0.7.8"}, "both claim port 28700 of 127.0.7.8"),
    "pigeon": ({"pypi_proxy_deployment": "pigeon"}, "allowed is one of container, systemd and supervisord"),
}


def up_pypi(place, *arguments):
    """Run the playbook in check mode against an index for each mistake, and proxies."""

    def hosts(group, first):
        return {
            name: LOCAL
            | {
                "ansible_host": f"127.0.{first}.{number}",
                "nginx_proxy_port": 28700,
                "nginx_proxy_tls_port": 28701,
                **variables,
            }
            for number, (name, variables) in enumerate(group.items(), 1)
        }

    indexes = {name: variables for name, (variables, _words) in PROXIED.items()} | {"both": {}}
    for number, variables in enumerate(indexes.values()):
        variables["pypi_server_instance"] = f"proxied-{number}"
    indexes["two"]["pypi_public_name"] = indexes["one"]["pypi_public_name"]
    proxies = {name: given for name, (given, _words) in PROXIES.items()} | {"front": {"ansible_host": "127.0.7.9"}}
    for number, variables in enumerate(proxies.values()):
        variables.setdefault("nginx_proxy_instance", f"front-{number}")
    # Each index of the proxy that is good has a name of its own there.
    fine = [variables for variables in indexes.values() if variables.get("pypi_proxy") == "front"]
    for number, variables in enumerate(fine):
        if variables["pypi_public_name"]:
            variables["pypi_public_name"] = f"pypi{number}.example.com"
    inventory = place / "hosts.yml"
    groups = {"pypi": {"hosts": hosts(indexes, 6)}, "pypi_proxies": {"hosts": hosts(proxies, 7)}}
    groups["pypi_proxies"]["hosts"]["both"] = {}
    inventory.write_text(yaml.safe_dump(groups, default_flow_style=False))
    return run(BIN / "ansible-playbook", "--check", "--forks=8", "-i", inventory, "up_pypi.yml", *arguments)


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    return up_pypi(tmp_path_factory.mktemp("proxies"))


def said(result, host):
    """What the run said of a host's failure."""
    found = re.findall(
        rf"^(?:fatal|failed): \[{host}(?: -> [^\]]*)?\].*\n((?:[ \t]+.*\n)*)", result.output, re.MULTILINE
    )
    return " ".join(" ".join(found).split())


def recap(result, host):
    """How many tasks changed something on a host, and how many failed."""
    return re.search(rf"^{host} .*changed=(\d+) .*failed=(\d+)", result.output, re.MULTILINE).groups()


@pytest.mark.parametrize("host", [*PROXIED, *PROXIES])
def test_mistake_is_refused_before_the_first_change(refused, host):
    sentence = {**PROXIED, **PROXIES}[host][1]
    assert sentence in said(refused, host), str(refused)
    assert recap(refused, host) == ("0", "1")


def test_password_of_a_package_proxy_is_not_shown(refused):
    assert PASSWORD not in refused.output


@pytest.mark.parametrize("limit", ["loopback", "loopback:nobody:!both"])
def test_limit_that_leaves_out_the_proxy_is_refused(tmp_path, limit):
    result = up_pypi(tmp_path, f"--limit={limit}")
    assert "front, the proxy in front of loopback, was left out by --limit" in said(result, "loopback"), str(result)
    assert recap(result, "loopback") == ("0", "1")


def test_no_proxies_are_no_news(tmp_path):
    """An inventory without the group is the usual one."""
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"pypi": {"hosts": {"alone": LOCAL | {"nginx_proxy_port": 0}}}}))
    result = run(BIN / "ansible-playbook", "--check", "-i", inventory, "up_pypi.yml")
    assert "[WARNING]" not in result.output
    assert "nginx_proxy_port on alone" in said(result, "alone")


def test_proxies_of_other_inventories_are_left_alone(tmp_path):
    """destroy and up_pypi know the group by its name: no pattern may become that of all hosts."""
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"others": {"hosts": {"other": LOCAL}}}))
    for playbook in ("up_pypi.yml", "playbooks/destroy.yml"):
        result = run(BIN / "ansible-playbook", "-i", inventory, playbook)
        assert result.says("Expected are the index hosts in the group pypi"), str(result)
        assert result.output.count("TASK") == 1


# The inventory that people copy

EXAMPLE = [BIN / "ansible-playbook", "-i", "inventories/example", "up_pypi.yml"]
HERE = {**LOCAL, "pypi_index_address": "192.0.2.7", "nginx_proxy_port": 28702, "nginx_proxy_tls_port": 28703}


def test_example_inventory_has_every_group():
    result = run(*EXAMPLE, "--list-hosts")
    assert result.returncode == 0, str(result)
    assert "[WARNING]" not in result.output
    listed = run(BIN / "ansible-inventory", "-i", "inventories/example", "--list")
    groups = json.loads(listed.output)
    sizes = {group: len(groups[group]["hosts"]) for group in groups["all"]["children"] if group != "ungrouped"}
    assert sizes == {"pypi": 1, "pypi_proxies": 1, "pypi_clients": 2}


def test_example_inventory_asks_for_what_has_to_be_changed():
    result = run(*EXAMPLE, "--check", "--tags=always", "-e", json.dumps(HERE))
    assert "certbot_agree_tos on pypi.example.com: got false, allowed is only true" in said(result, "pypi.example.com")


def test_example_inventory_is_fit_once_it_is_changed():
    """But for its clients: this machine may have a pip.conf of its own, which would be refused."""
    changed = json.dumps(HERE | {"certbot_agree_tos": True})
    result = run(*EXAMPLE, "--check", "--tags=always", "--limit", "!pypi_clients", "-e", changed)
    assert result.returncode == 0, str(result)
    assert result.changed == 0
