# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of this scenario share: the two hosts, the CA with its DNS, and what nginx serves."""

import contextlib
import json
import os
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from commands import BIN, LONG, poll, run
from cryptography import x509

# Faults and renewals take their time: they are for whoever asks for this scenario, and `make test-long`.
collect_ignore = [] if LONG or "WHEELHOUSE_SCENARIOS" in os.environ else ["test_2_faults.py", "test_3_renewal.py"]
NAME = "pypi.wheelhouse.test"


def execute(container, *command, stdin=None, check=True):
    return subprocess.run(
        ["docker", "exec", "--interactive", container, *command],
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",  # openssl shows session tickets as they are
        check=check,
    )


def served(name=NAME):
    """The certificate that nginx serves for a name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((NAME, 443), timeout=10) as connection,
        context.wrap_socket(connection, server_hostname=name) as tls,
    ):
        return x509.load_der_x509_certificate(tls.getpeercert(binary_form=True))


def play(playbook, *arguments):
    """Run a playbook against the index's host."""
    inventory = os.environ["MOLECULE_INVENTORY_FILE"]
    return run(BIN / "ansible-playbook", "--inventory", inventory, "--limit", "pypi", playbook, *arguments)


class Index:
    """The index's host, as its operator has it in hand."""

    settings_path = "/etc/wheelhouse/pypi/renewal/settings.json"
    lineage = f"/etc/wheelhouse/pypi/certbot/config/live/{NAME}"
    installed = f"/etc/wheelhouse/pypi/tls/certificates/{NAME}.pem"

    def run(self, *command, check=True, stdin=None):
        return execute("wheelhouse-tls", *command, check=check, stdin=stdin)

    def read(self, path):
        return self.run("cat", path).stdout

    def write(self, path, text):
        self.run("sh", "-c", 'cat > "$0"', path, stdin=text)

    @property
    def settings(self):
        return json.loads(self.read(self.settings_path))

    def renew(self, *arguments, **changes):
        """Run the program as the timer does. What is asked with other settings is remembered apart."""
        path = self.settings_path
        if changes:
            path = "/root/settings.json"
            self.write(path, json.dumps(self.settings | {"state": "/root/state.json"} | changes))
        return self.run(*self.program, path, *arguments, check=False)

    program = ("/usr/bin/python3", "/etc/wheelhouse/pypi/renewal/renew-certificates")

    def later(self):
        """What was remembered of failed validations is an hour older."""
        path = self.settings["state"]
        state = json.loads(self.read(path))
        for tries in state["validations"].values():
            for one in tries:
                one["at"] -= 3600
        self.write(path, json.dumps(state))

    def certificate(self, path):
        text = self.read(path)
        return x509.load_pem_x509_certificate(text.encode())


class Acme:
    """Pebble and its DNS, as the CA's operator has them in hand."""

    def run(self, *command, stdin=None):
        return execute("wheelhouse-acme", *command, stdin=stdin).stdout

    def orders(self):
        """How many orders were ever placed."""
        return self.run("cat", "/acme/pebble.log").count("Added order")

    def dns(self, path, **data):
        self.run(
            "curl", "--silent", "--show-error", "--fail", "--data", json.dumps(data), f"http://localhost:8055/{path}"
        )

    @contextlib.contextmanager
    def lie(self, kind, name, **data):
        """Let the DNS say something else of a name: servfail, or an a with other addresses."""
        self.dns("set-servfail" if kind == "servfail" else "add-a", host=name, **data)
        try:
            yield
        finally:
            self.dns(f"clear-{kind}", host=name)

    def get(self, url):
        """What an address of Pebble's own says, nothing while it is down."""
        with contextlib.suppress(subprocess.CalledProcessError):
            return self.run("curl", "--silent", "--fail", "--cacert", "/acme/ca.pem", url)

    def answers(self):
        return self.get("https://localhost:14000/dir")

    def root(self):
        return self.get("https://localhost:15000/roots/0")

    def restart(self, **environment):
        """Start Pebble anew, with nothing in its memory."""
        before = self.root()
        self.run("tee", "/acme/pebble.env", stdin="".join(f"{key}={value}\n" for key, value in environment.items()))
        self.run("pkill", "-x", "pebble")
        poll(lambda: self.answers() and self.root() not in (None, before), 60)

    @contextlib.contextmanager
    def down(self):
        self.run("sh", "-c", "touch /acme/down; pkill -x pebble")
        try:
            poll(lambda: not self.answers(), 10)
            yield
        finally:
            self.run("rm", "/acme/down")
            poll(self.answers, 60)


@pytest.fixture(scope="session")
def index():
    return Index()


@pytest.fixture(scope="session")
def acme():
    return Acme()


@pytest.fixture
def trusted(acme, tmp_path):
    """A file with the CAs that a client trusts, with Pebble's root of this moment."""
    company = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "company.pem").read_text()
    path = tmp_path / "ca.pem"
    path.write_text(f"{acme.root()}\n{company}\n")
    return path
