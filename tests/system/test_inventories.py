# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An inventory without a host to work on, or with a vault that stays closed, is refused in a sentence."""

from __future__ import annotations

import os
import subprocess

import pytest
import yaml
from commands import BIN, Result, run
from tree import ROOT

NOTHING_THERE = "has no host: it does not exist, is empty or cannot be read"
LIMIT = "which leaves none of the index hosts (index), and needed is at least one"
HOSTS = {
    "pypi": {"hosts": {"index": {}}},
    "others": {"hosts": {"web": {}, "mail": {}}, "vars": {"ansible_connection": "local"}},
}

# What is wrong: name → the inventory, arguments, what is said.
CASES = {
    "no_inventory": (None, [], [NOTHING_THERE, "make … INVENTORY=PATH", "ansible-playbook … -i PATH"]),
    "no_inventory_but_a_limit": (None, ["--limit=web"], ["has no host, so --limit has nothing to choose from"]),
    "empty_inventory": ({}, [], [NOTHING_THERE]),
    "no_group": (
        {"others": HOSTS["others"]},
        [],
        ["Expected are the index hosts in the group pypi", "none there. It has others, web, mail.", "-e pypi_hosts="],
    ),
    "empty_group": (
        HOSTS | {"pypi": {"hosts": {}}},
        [],
        ["Expected are the index hosts in the group pypi", "none there. It has others, web, mail."],
    ),
    "unknown_group": (
        HOSTS,
        ["-e", "pypi_hosts=typo"],
        ["Expected are the index hosts in pypi_hosts, which is typo,", "It has pypi, others, index, web, mail."],
    ),
    "limit_to_others": (HOSTS, ["--limit=others"], [f"Got --limit others, {LIMIT}", "leave --limit out"]),
    "limit_to_nobody": (HOSTS, ["--limit=typo"], ["--limit leaves us with no hosts to target"]),
}


def write(place, inventory):
    """An inventory in a directory of its own, or none."""
    directory = place / "inventory"
    if inventory is not None:
        directory.mkdir()
    if inventory:
        (directory / "hosts.yml").write_text(yaml.safe_dump(inventory, sort_keys=False))
    return directory


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """Run a playbook by its full name where nothing is configured and no checkout is near."""
    place = tmp_path_factory.mktemp("elsewhere")

    def elsewhere(playbook, *arguments):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        done = subprocess.run(
            [BIN / "ansible-playbook", f"wheelhouse.pypi.{playbook}", *arguments],
            cwd=place,
            env={**clean, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "ANSIBLE_NOCOLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Result(done.returncode, done.stdout)

    return elsewhere


def refused(result, *sentences):
    assert result.returncode != 0, str(result)
    assert "changed=1" not in result.output
    assert "Refuse bad input before the first change" not in result.output
    for words in sentences:
        assert result.says(words), str(result)


@pytest.mark.parametrize("case", CASES)
def test_inventory_without_a_host_to_work_on_is_refused(elsewhere, tmp_path, case):
    inventory, arguments, sentences = CASES[case]
    refused(elsewhere("up_pypi", "-i", write(tmp_path, inventory), *arguments), *sentences)


@pytest.mark.parametrize("playbook", ["verify", "destroy"])
def test_other_playbooks_refuse_it_too(elsewhere, tmp_path, playbook):
    inventory, arguments, sentences = CASES["no_group"]
    refused(elsewhere(playbook, "-i", write(tmp_path, inventory), *arguments), *sentences)


@pytest.mark.parametrize("target", ["pypi", "verify", "destroy"])
def test_make_refuses_it_too(tmp_path, target):
    inventory = write(tmp_path, None)
    refused(run("make", target, f"INVENTORY={inventory}"), f"The inventory {inventory} {NOTHING_THERE}")


def test_hosts_outside_the_group_can_be_named(elsewhere, tmp_path):
    inventory = write(tmp_path, HOSTS)
    listed = elsewhere("up_pypi", "-i", inventory, "-e", "pypi_hosts=mail", "--list-hosts")
    assert listed.returncode == 0, str(listed)
    assert "mail" in listed.output
    assert "index\n" not in listed.output


@pytest.fixture
def vault(tmp_path):
    """An inventory whose secrets are encrypted. Beside it are files with the right password and a wrong one."""
    inventory = write(tmp_path, HOSTS)
    (inventory / "group_vars").mkdir()
    secrets = inventory / "group_vars/pypi.yml"
    secrets.write_text("pypi_server_root_password: correct-horse-battery\n")
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("sesame\n")
    wrong.write_text("simsim\n")
    subprocess.run([BIN / "ansible-vault", "encrypt", "--vault-password-file", right, secrets], check=True)
    return inventory


HINT = "has a vault and no password came. Add ARGS='--ask-vault-pass' to be asked for it"


def test_vault_without_its_password_is_refused(vault):
    refused(run("make", "pypi", f"INVENTORY={vault}"), "no vault secrets found", f"{vault} {HINT}")


def test_vault_with_a_wrong_password_is_refused(vault):
    opened = run("make", "pypi", f"INVENTORY={vault}", f"ARGS=--vault-password-file={vault.parent}/wrong")
    refused(opened, "no vault secrets were found that could decrypt")


def test_single_value_in_a_vault_without_its_password_is_refused_before_the_first_change(tmp_path):
    index = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    inventory = write(tmp_path, {"pypi": {"hosts": {"index": index}}})
    password = tmp_path / "password"
    password.write_text("sesame\n")
    value = subprocess.run(
        [BIN / "ansible-vault", "encrypt_string", "--vault-password-file", password, "--name=password", "open"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    (inventory / "group_vars").mkdir()
    users = "pypi_server_users:\n  - name: pypi\n    " + value.replace("\n", "\n    ")
    (inventory / "group_vars/pypi.yml").write_text(users.rstrip() + "\n")
    opened = run("make", "pypi", f"INVENTORY={inventory}", "ARGS=--check")
    assert opened.returncode != 0
    assert opened.changed == 0
    assert "Bring up the index" not in opened.output
    assert opened.says("no vault secrets found"), str(opened)
    assert opened.says(f"{inventory} {HINT}")


def test_nobody_is_told_of_a_vault_who_gave_its_password(vault):
    opened = run(
        "make", "pypi", f"INVENTORY={vault}", f"ARGS=--limit=others --vault-password-file={vault.parent}/right"
    )
    refused(opened, LIMIT)
    assert not opened.says(HINT)


def test_nobody_is_told_of_a_vault_who_has_none(tmp_path):
    inventory = write(tmp_path, HOSTS)
    limited = run("make", "pypi", f"INVENTORY={inventory}", "ARGS=--limit=others")
    refused(limited, LIMIT)
    assert not limited.says(HINT)
