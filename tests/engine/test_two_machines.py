# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An index and a second machine that installs from it, by the inventory and the lines of README.md.

The index is on this machine, under another port, and the second machine is a container: what the README reaches by SSH,
which test_vagrant.py does, is reached without it here.
"""

from __future__ import annotations

import sys

import pytest
import yaml
from commands import checkout, docker, run
from pages import ALL, typed

INSTANCE, CLIENT = "wheelhouse-two", "wheelhouse-two-client"
PORT, TLS_PORT = 18150, 18151
GATEWAY = "{{.NetworkSettings.Networks.bridge.Gateway}}"


@pytest.fixture(scope="module")
def place(tmp_path_factory, lab):
    """A copy of the checkout with the README's inventory, and the second machine."""
    place = checkout(tmp_path_factory.mktemp("two"), INSTANCE, PORT)
    docker("run", "--detach", "--name", CLIENT, "--init", "wheelhouse/lab:bookworm", "sleep", "infinity")
    [text] = [part.text for part in ALL if part.page == "README.md" and "pypi_clients" in part.text]
    inventory = yaml.safe_load(text)
    inventory["pypi"]["hosts"]["index.example.com"] = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "pypi_server_instance": INSTANCE,
        # Both machines know it by its address on the network of containers: no name of it leads there.
        "nginx_proxy_server_name": docker("inspect", "--format", GATEWAY, CLIENT),
        "nginx_proxy_port": PORT,
        "nginx_proxy_tls_port": TLS_PORT,
    }
    inventory["pypi_clients"]["hosts"]["client.example.com"] = {
        "ansible_connection": "community.docker.docker",
        "ansible_host": CLIENT,
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    (place / "two.yml").write_text(yaml.safe_dump(inventory))
    yield place
    run("bash", "-c", "make destroy PURGE=yes INVENTORY=two.yml", cwd=place)
    docker("rm", "--force", "--volumes", CLIENT)


def test_second_machine_installs_what_was_uploaded(place):
    on_client = f"docker exec {CLIENT} bash -c "
    for line in (
        typed(".venv/bin/uv init --lib build/hello-index"),
        typed(".venv/bin/uv build build/hello-index"),
        typed("make pypi INVENTORY=two.yml"),
        typed(
            ".venv/bin/twine upload --config-file build/clients/index.example.com/pypirc "
            "--repository pypi-stable build/hello-index/dist/*"
        ),
        typed("ssh client.example.com 'python3 -m venv try && try/bin/pip install hello-index'"),
    ):
        # requests, by which twine uploads, takes a bundle that this machine may name there for the only one.
        own = {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": ""} if "twine" in line else {}
        result = run("bash", "-c", line.replace("ssh client.example.com ", on_client), cwd=place, **own)
        assert result.returncode == 0, f"{line}\n{result}"
    assert "hello-index" in docker("exec", CLIENT, "try/bin/pip", "list")
