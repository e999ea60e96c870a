# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of this scenario share: each index, as its operator and its clients have it in hand."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import requests
from commands import BIN, poll, run
from staleness import fetches


class Index:
    """A host of the inventory: an index and its proxy on a machine."""

    def __init__(self, name, variables):
        self.name = name
        self.machine = variables["machine"]
        self.instance = variables["pypi_server_instance"]
        self.backend = variables["pypi_server_backend"]
        self.deployment = variables["pypi_server_deployment"]
        self.tls = "nginx_proxy_tls" in variables
        self.port = variables.get("nginx_proxy_port", 443 if self.tls else 8080)
        # The address that clients use.
        self.url = f"{'https' if self.tls else 'http'}://{variables['nginx_proxy_server_name']}:{self.port}"
        self.service = f"wheelhouse-{self.instance}-index"
        self.proxy = f"wheelhouse-{self.instance}-proxy"
        self.http = requests.Session()
        self.http.trust_env = False
        # nginx may close an idle connection just when a client uses it again: each request has its own.
        self.http.headers["Connection"] = "close"

    def run(self, *command, check=True):
        """Run a command on the machine."""
        return subprocess.run(
            ["docker", "exec", self.machine, *command], check=check, capture_output=True, text=True
        ).stdout.strip()

    @property
    def passwords(self):
        return json.loads(self.run("cat", f"/etc/wheelhouse/{self.instance}/secrets/secrets.json"))["passwords"]

    def get(self, path, **options):
        return self.http.get(self.url + path, timeout=10, verify=False, **options)

    def answers(self):
        """Whether a client gets an answer of the index itself."""
        try:
            answer = self.get(
                "/+api" if self.backend == "devpi" else "/simple/", headers={"Accept": "application/json"}
            )
        except requests.RequestException:
            return False
        return answer.status_code in (200, 401)

    def stop(self):
        """Stop it; how many seconds it went on after it was told to, however long the command that tells it takes."""
        if self.deployment == "systemd":
            self.run("systemctl", "stop", self.service)
            stamps = "InactiveEnterTimestampMonotonic,ActiveExitTimestampMonotonic"
            told = self.run("systemctl", "show", "--property", stamps, self.service).split()
            stamp = {name: int(value) for name, value in (line.split("=") for line in told)}
            return (stamp["InactiveEnterTimestampMonotonic"] - stamp["ActiveExitTimestampMonotonic"]) / 1e6
        # supervisord logs a tenth of a second late that it has told it, and up to a second late that it has gone.
        gone = f"while readlink /proc/{self.process(self.service)}/exe > /dev/null; do sleep 0.02; done; date +%s.%N"
        ended = self.run("timeout", "60", "sh", "-ec", f"supervisorctl stop {self.service} > /dev/null & {gone}; wait")
        line = f"grep 'waiting for {self.service} to stop' /var/log/supervisor/supervisord.log | tail -n 1"
        began = self.run("sh", "-ec", f"date --date \"$({line} | cut -d ' ' -f 1-2 | tr , .)\" +%s.%N")
        return float(ended) - float(began) + 0.1

    def start(self):
        self.run({"systemd": "systemctl", "supervisord": "supervisorctl"}[self.deployment], "start", self.service)

    @property
    def proxy_log(self):
        """The file of each request."""
        if self.deployment == "systemd":
            return f"/var/log/wheelhouse/{self.instance}-proxy/access.log"
        return f"/var/log/{self.proxy}.log"

    def fetched(self, path):
        """How often nginx has asked the index for a page."""
        return fetches(lambda: self.run("cat", self.proxy_log), path)

    def process(self, service):
        """The process id of a service."""
        if self.deployment == "systemd":
            return int(self.run("systemctl", "show", "--property", "MainPID", "--value", service))
        return int(self.run("supervisorctl", "pid", service))


# The file has the machines, others beside it have the hosts that share them.
INVENTORY = Path(os.environ["MOLECULE_INVENTORY_FILE"]).parent


def inventory():
    """The hosts of the inventory, as Ansible sees them."""
    listed = subprocess.run(
        [BIN / "ansible-inventory", "--inventory", INVENTORY, "--list"],
        check=True,
        capture_output=True,
        text=True,
    )
    hosts = json.loads(listed.stdout)["_meta"]["hostvars"]
    return {name: Index(name, variables) for name, variables in hosts.items() if "pypi_server_backend" in variables}


INDEXES = inventory()
assert len(INDEXES) == 5, INDEXES
SERVICES = [index for index in INDEXES.values() if index.deployment != "container"]


@pytest.fixture(params=INDEXES.values(), ids=INDEXES.keys())
def index(request):
    """Each index."""
    return request.param


@pytest.fixture(params=SERVICES, ids=[index.name for index in SERVICES])
def service(request):
    """Each index that is a service of its host."""
    return request.param


@pytest.fixture
def named():
    """An index by its name."""
    return INDEXES.__getitem__


def play(playbook, host, tags="all", **variables):
    """Run a playbook against one host of the inventory, or the part with a tag, with further variables.

    Each test asks what came of it.
    """
    return run(
        *(BIN / "ansible-playbook", playbook, "--inventory", INVENTORY, "--limit", host),
        *("--tags", tags, "--skip-tags", "pypi_verify", "--extra-vars", json.dumps(variables)),
    )


__all__ = ["INDEXES", "SERVICES", "Index", "play", "poll"]
