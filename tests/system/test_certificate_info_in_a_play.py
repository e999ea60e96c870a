# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of certificate_info takes ansible's own commands to see; the rest is in tests/unit."""

from __future__ import annotations

import json
import shutil
import ssl
import sys
from functools import partial

import pytest
import yaml
from authority import Listener, refusing_old, server, speak_http
from commands import BIN, run

NAME = "pypi.example.com"


@pytest.fixture(scope="module")
def good(authority, root):
    return authority.issue("/CN=leaf", root, f"DNS:{NAME}")


def test_files_that_ansible_vault_encrypted(good, tmp_path, run_module):
    encrypted, password = tmp_path / "encrypted", tmp_path / "password"
    password.write_text("anything")
    for option, plain in (("path", good.path), ("privatekey_path", good.key), ("ca_path", good.path)):
        shutil.copy(plain, encrypted)
        done = run(BIN / "ansible-vault", "encrypt", "--vault-password-file", password, encrypted)
        assert done.returncode == 0, done
        pair = {"path": str(good.path), "privatekey_path": str(good.key)}
        assert run_module("certificate_info", {**pair, option: str(encrypted)})["msg"] == (
            f"Expected PEM in {encrypted}, got $ANSIBLE_VAULT: is it encrypted by ansible-vault? "
            "Bring it here with ansible.builtin.copy, which decrypts it."
        )


# Warnings: within this process Ansible shows them and does not return them


@pytest.fixture
def play(tmp_path):
    """What a play gets to see of the module."""

    def play(environment=(), **args):
        playbook, seen = tmp_path / "play.yml", tmp_path / "seen"
        tasks = [
            {"wheelhouse.pypi.certificate_info": args, "register": "looked"},
            {"ansible.builtin.copy": {"content": "{{ looked | to_json }}", "dest": str(seen), "mode": "0600"}},
        ]
        variables = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        playbook.write_text(yaml.safe_dump([{"hosts": "localhost", "vars": variables, "tasks": tasks}]))
        done = run(BIN / "ansible-playbook", "-i", "localhost,", playbook, **dict(environment))
        assert done.returncode == 0, done
        result = json.loads(seen.read_text())
        assert all(done.says(" ".join(warning.split())) for warning in result.get("warnings", []))
        return result

    return play


def test_a_chain_that_newer_clients_may_refuse(authority, play):
    """A root as many have made by hand, without keyUsage."""
    careless = authority.issue_ca("/CN=Careless root", section="careless_root")
    pair = authority.issue("/CN=leaf", careless, f"DNS:{NAME}")
    args = {"path": str(pair.path), "privatekey_path": str(pair.key), "ca_path": str(careless.path), "names": [NAME]}
    result = play(**args)
    assert result["problems"] == []
    assert result["warnings"] == [
        f"The certificate in {pair.path} is accepted by Python up to 3.12, but clients with Python 3.13 or newer may "
        "refuse it (VERIFY_X509_STRICT): CA cert does not include key usage extension. Have it, or the CA, issued anew "
        "without that."
    ]


def test_old_protocols_that_could_not_be_tried(good, root, play):
    """The first answer makes no sense, so it tells nothing."""
    with Listener(refusing_old(server(good), speak_http)) as listener:
        host = {"host": NAME, "connect_to": "127.0.0.1", "port": listener.port, "ca_path": str(root.path)}
        result = play(**host)
    assert result["old_protocols"] is None
    assert result["problems"] == []
    [warning] = result["warnings"]
    assert warning.startswith(f"Whether {NAME}:{listener.port} accepts TLSv1 (")
    assert ") and TLSv1.1 (" in warning
    assert warning.endswith(") is not known: it could not be tried from this host. Look from another one.")


def test_old_protocols_that_this_host_does_not_speak(good, root, tmp_path, play):
    """One cannot be tried, and is not called refused; the other can."""
    settings = tmp_path / "openssl.cnf"
    settings.write_text(
        "openssl_conf = all\n[all]\nssl_conf = tls\n[tls]\nsystem_default = default\n[default]\nProtocol = -TLSv1\n"
    )
    play = partial(play, {"OPENSSL_CONF": str(settings)}, host=NAME, connect_to="127.0.0.1", ca_path=str(root.path))
    with Listener(server(good)) as listener:
        result = play(port=listener.port)
    assert result["old_protocols"] is None
    assert [warning.split(" (")[0] for warning in result["warnings"]] == [
        f"Whether {NAME}:{listener.port} accepts TLSv1"
    ]

    with Listener(server(good, ssl.TLSVersion.TLSv1)) as listener:
        result = play(port=listener.port)
    assert result["old_protocols"] == ["TLSv1.1"]
    assert len(result["warnings"]) == 1
