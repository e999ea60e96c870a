# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of this scenario share: the machines, and both indexes as their clients see them."""

import json
import os
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
import requests
from commands import BIN, LONG, run
from requests.adapters import HTTPAdapter

PLACE = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
SITE = Path(__file__).with_name("site")
PROXY = "10.213.7.10"
collect_ignore = [] if LONG else ["test_unreachable.py"]
INVENTORIES = ["--inventory", Path(os.environ["MOLECULE_INVENTORY_FILE"]).parent, "--inventory", SITE]


def execute(machine, *command, check=True):
    """What a command prints on a machine."""
    return subprocess.run(
        ["docker", "exec", f"wheelhouse-fleet-{machine}", *command],
        check=check,
        capture_output=True,
        text=True,
    ).stdout.strip()


def play(playbook, *arguments):
    """Run a playbook as this scenario's operator does."""
    return run(BIN / "ansible-playbook", *INVENTORIES, playbook, *arguments)


def handshake(name):
    """A client that asks the proxy for a name and does not look at the certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection((PROXY, 443), timeout=10), server_hostname=name)


class Index:
    """An index under the name that clients use, with the files that its operator hands to them."""

    def __init__(self, host, name, backend):
        self.host, self.name, self.backend = host, name, backend
        self.machine = host.removeprefix("fleet-")
        self.url = f"https://{name}"
        self.files = PLACE / "clients" / host
        self.simple = f"{self.url}/pypi/stable/+simple/" if backend == "devpi" else f"{self.url}/simple/"
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.verify = str(self.files / "ca.pem")
        self.http.mount("https://", HTTPAdapter(max_retries=0))

    @property
    def passwords(self):
        return json.loads(execute(self.machine, "cat", "/etc/wheelhouse/pypi/secrets/secrets.json"))["passwords"]

    def get(self, path, **options):
        return self.http.get(self.url + path, timeout=30, **options)

    def answers(self):
        return self.get("/+api" if self.backend == "devpi" else "/simple/").status_code == 200


DEVPI = Index("fleet-devpi", "devpi.fleet.test", "devpi")
WHEELS = Index("fleet-pypiserver", "wheels.fleet.test", "pypiserver")


@pytest.fixture(params=[DEVPI, WHEELS], ids=lambda index: index.name)
def index(request):
    """Each index."""
    return request.param


__all__ = ["DEVPI", "INVENTORIES", "PROXY", "SITE", "WHEELS", "Index", "execute", "handshake", "play"]
