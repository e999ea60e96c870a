# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each failure that the page on troubles tells of, met for real, says what the page quotes.

Here are those that need no container engine; the others are met in engine/ and in molecule/tls.
"""

from __future__ import annotations

import os
import socket
import ssl
import sys

import pytest
import requests
import yaml
from authority import Authority, Listener
from commands import BIN, run
from live_devpi import LiveDevpi
from pages import quoted, typed
from releases import wheel
from tree import ROOT

# What this machine is configured for must not answer in the place of the index.
ALONE = {"PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1"} | dict.fromkeys(
    ["PIP_CERT", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_INDEX_URL", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"], ""
)


@pytest.fixture(scope="module")
def index():
    """An index that nobody may replace releases in, of alice, and bob who may not upload to it."""
    with LiveDevpi() as server:
        settings = {"bases": [], "volatile": False, "acl_upload": ["alice"]}
        for path, body in {"alice": {"password": "a"}, "bob": {"password": "b"}, "alice/stable": settings}.items():
            answer = requests.put(f"{server.url}{path}", json=body, auth=("root", server.password), timeout=10)
            answer.raise_for_status()
        yield f"{server.url}alice/stable/"


@pytest.fixture
def upload(index, tmp_path):
    """Upload one-1.0 with twine; another seed makes another file of that name."""

    def upload(user, password, seed=0):
        [(name, content)] = wheel("one", "1.0", seed=seed).items()
        (tmp_path / name).write_bytes(content)
        to = ["--repository-url", index, "--username", user, "--password", password]
        done = run(BIN / "twine", "upload", "--non-interactive", "--disable-progress-bar", *to, tmp_path / name)
        return done.output if done.returncode else ""

    return upload


def test_upload_with_a_wrong_password_or_without_the_right(upload):
    quoted("An upload is refused: 401 or 403", upload("alice", "wrong"), upload("bob", "b"))


def test_upload_of_a_release_that_is_there(upload):
    assert not upload("alice", "a")
    quoted("An upload is refused: the release is there already", upload("alice", "a", seed=1))


def test_package_that_the_index_does_not_have(index, tmp_path):
    asked = run(BIN / "pip", "download", "--index-url", f"{index}+simple/", "requests", "--dest", tmp_path, **ALONE)
    assert asked.returncode != 0
    quoted("A package is not found, though it is there", asked.output)
    path = f"{BIN}:{os.environ['PATH']}"
    configured = run(
        "bash", "-c", typed("pip config list"), PATH=path, PIP_INDEX_URL="https://other.example.com/simple/"
    )
    assert "https://other.example.com/simple/" in configured.output


def test_certificate_that_the_client_does_not_trust(tmp_path):
    authority = Authority(tmp_path)
    pair = authority.issue("/CN=index", authority.issue_ca("/CN=Nobody's Root"), "DNS:localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.path, pair.key)
    with Listener(lambda connection: context.wrap_socket(connection, server_side=True).close()) as server:
        url = f"https://localhost:{server.port}/simple/"
        pip = run(BIN / "pip", "download", "--retries=0", "--index-url", url, "one", "--dest", tmp_path, **ALONE)
        uv = run(BIN / "uv", "pip", "install", "--dry-run", "--default-index", url, "one", UV_HTTP_RETRIES="0", **ALONE)
    assert pip.returncode, uv.returncode
    quoted("A client does not trust the certificate", pip.output, uv.output)


def test_controller_without_a_python_that_is_good_enough(tmp_path):
    """A Python that is old or lacks venv is one that fails when the Makefile asks it."""
    (tmp_path / "Makefile").symlink_to(ROOT / "Makefile")
    (tmp_path / "requirements.txt").write_text("")
    for name, word in {"python3.9": "version_info", "python3.12": "ensurepip"}.items():
        (tmp_path / name).write_text(f'#!/bin/sh\ncase "$2" in *{word}*) exit 1;; esac\n')
        (tmp_path / name).chmod(0o755)
    old, bare = (run("make", f"PYTHON={tmp_path}/{name}", "pypi", cwd=tmp_path) for name in ("python3.9", "python3.12"))
    assert old.returncode == bare.returncode == 2
    quoted("The controller's Python is too old, or cannot make environments", old.output, bare.output)


def test_inventory_whose_vault_password_is_missing(tmp_path):
    """And the way out of it: a file with the password."""
    host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"pypi": {"hosts": {"index": host}}}))
    secrets, password = tmp_path / "group_vars/pypi.yml", tmp_path / "vault-password"
    secrets.parent.mkdir()
    secrets.write_text("nginx_proxy_port: 0\n")
    password.write_text("correct-horse-battery\n")
    assert run(BIN / "ansible-vault", "encrypt", "--vault-password-file", password, secrets).returncode == 0
    look = (BIN / "ansible-playbook", "up_pypi.yml", "--check", "--inventory", tmp_path / "hosts.yml")
    refused = run(*look)
    assert refused.returncode != 0
    quoted("The vault password is missing", refused.output)
    assert run(*look, ANSIBLE_VAULT_PASSWORD_FILE=str(password)).says("nginx_proxy_port on index: got 0, allowed is")


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """What a run says that may not become root on a host, cannot reach another, and finds the port of a third taken."""
    inventory = tmp_path_factory.mktemp("inventory") / "hosts.yml"
    common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        hosts = {
            # Whoever runs the tests, root included, becomes nobody by a command that always fails.
            "poor": {"ansible_become_user": "nobody", "ansible_become_exe": "/bin/false", "nginx_proxy_port": 1},
            "gone": {
                "ansible_connection": "ssh",
                "ansible_host": "127.0.2.1",
                "ansible_port": 1,
                "nginx_proxy_port": 2,
            },
            "late": {"ansible_host": "127.0.1.1", "nginx_proxy_port": taken.getsockname()[1]},
        }
        for name in hosts:
            hosts[name]["pypi_server_instance"] = f"trouble-{name}"
        inventory.write_text(yaml.safe_dump({"pypi": {"hosts": hosts, "vars": common}}))
        result = run(BIN / "ansible-playbook", "up_pypi.yml", "--check", "--inventory", inventory)
    assert result.returncode != 0
    assert result.changed == 0
    return result.output


def test_host_that_cannot_be_reached(refused):
    quoted("A host cannot be reached", refused)


def test_host_where_ansible_may_not_become_root(refused):
    quoted("Ansible may not become root", refused)


def test_host_whose_port_somebody_else_holds(refused):
    quoted("Somebody else holds the port", refused)
