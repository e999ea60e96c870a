# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which index a machine of the group pypi_clients is a client of, and what is said when that is not known.

Nothing is changed: each run ends before the first change. What clients are set up with: tests/engine/test_client.py.
"""

from __future__ import annotations

import sys

import pytest
import yaml
from commands import BIN, run

HERE = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
INSTANCE = {"pypi_server_instance": "wheelhouse-no-such-instance"}


@pytest.fixture
def clients(tmp_path):
    """Run the playbook for an inventory of groups of hosts, all of them this machine."""

    def clients(*arguments, playbook="clients", **groups):
        hosts = {
            group: {"hosts": {name: HERE | INSTANCE | variables for name, variables in hosts.items()}}
            for group, hosts in groups.items()
        }
        (tmp_path / "hosts.yml").write_text(yaml.safe_dump(hosts))
        inventory = ("--inventory", tmp_path / "hosts.yml")
        return run(BIN / "ansible-playbook", *inventory, f"playbooks/{playbook}.yml", *arguments)

    return clients


def test_inventory_without_clients_is_no_news(clients):
    result = clients(pypi={"index": {}})
    assert result.returncode == 0, str(result)
    assert "WARNING" not in result.output
    assert "TASK" not in result.output


SEVERAL = (
    "pypi_client_of on client: got nothing, needed is the index host that it installs from,"
    " because the inventory has 2: one, two."
)
UNKNOWN = 'pypi_client_of on client: got "three", allowed is an index host of the inventory (one).'


@pytest.mark.parametrize(
    ("playbook", "indexes", "client", "words"),
    [
        ("clients", {"one": {}, "two": {}}, {}, SEVERAL),
        ("up_pypi", {"one": {}, "two": {}}, {}, SEVERAL),
        ("clients", {}, {}, "because the inventory has none."),
        ("clients", {"one": {}}, {"pypi_client_of": "three"}, UNKNOWN),
        ("up_pypi", {"one": {}}, {"pypi_client_of": "three"}, UNKNOWN),
    ],
)
def test_client_of_nobody_knows_whom_is_refused(clients, playbook, indexes, client, words):
    """up_pypi takes an index host, and refuses before anything else is looked at."""
    limit = ("client",) if playbook == "clients" else ("client,one", "--check", "--tags=always")
    result = clients("--limit", *limit, playbook=playbook, pypi=indexes, pypi_clients={"client": client})
    assert result.returncode == 2, str(result)
    assert result.changed == 0
    assert result.says(words), str(result)


def test_index_host_that_was_never_brought_up_is_named(clients):
    result = clients("--limit", "client", pypi={"index": {}}, pypi_clients={"client": {}})
    assert result.returncode == 2, str(result)
    assert result.changed == 0
    assert result.says("client is a client of index, which does not say what to tell clients"), str(result)
    assert result.says("Run 'make pypi' for the whole inventory, without --limit, once."), str(result)
