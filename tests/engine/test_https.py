# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTPS without an ACME server: by a CA of our own, then by files that are given; and every bad file refused.

The tests are the stages of one journey and run in this order. Certificates from an ACME server: molecule/tls.
"""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest
import requests
import yaml
from commands import BIN, local_inventory, run

INSTANCE = "wheelhouse-https"
PORT, TLS_PORT = 18130, 18131
URL = f"https://localhost:{TLS_PORT}/"


class Site:
    """The journey's own inventory, whose variables change from stage to stage."""

    def __init__(self, place):
        self.place = place
        self.inventory = local_inventory(place, INSTANCE, PORT)
        self._file = self.inventory / "host_vars/localhost.yml"
        self._common = yaml.safe_load(self._file.read_text()) | {
            "nginx_proxy_tls_port": TLS_PORT,
            "nginx_proxy_listen_address": "127.0.0.1",
        }

    def set(self, **variables):
        self._file.write_text(yaml.safe_dump(self._common | variables))

    def make(self, *words, **variables):
        self.set(**variables)
        return run("make", *words, f"INVENTORY={self.inventory}")

    def look(self, **variables):
        """What is refused before the first change."""
        self.set(**variables)
        return run(BIN / "ansible-playbook", "--inventory", self.inventory, "up_pypi.yml", "--tags", "always")


@pytest.fixture(scope="module")
def site(tmp_path_factory, engine):
    site = Site(tmp_path_factory.mktemp("https"))
    yield site
    site.make("destroy", "PURGE=yes")


@pytest.fixture(scope="module")
def good(authority, root):
    """A certificate by an intermediate CA, as companies give it."""
    between = authority.issue_ca("/CN=Company Issuing CA", root)
    return authority.issue("/CN=index", between, "DNS:localhost, IP:127.0.0.1").with_chain()


def served():
    return ssl.get_server_certificate(("localhost", TLS_PORT))


def given(pair, root=None):
    """The variables for a pair of files."""
    return {
        "nginx_proxy_tls": "provided",
        "nginx_proxy_certificate": str(pair.path),
        "nginx_proxy_certificate_key": str(pair.key),
        "nginx_proxy_ca_file": str(root.path) if root else "",
    }


def test_ca_of_our_own_is_made_and_clients_are_pointed_at_it(site):
    result = site.make("pypi", nginx_proxy_tls="selfsigned")
    assert result.returncode == 0, str(result)
    assert result.says(f"{URL} works: 16 of 16 checks passed.")
    ca = site.place / "clients/ca.pem"
    assert requests.get(f"{URL}+api", verify=ca, timeout=10).status_code == 200
    assert requests.get(f"https://127.0.0.1:{TLS_PORT}/+api", verify=ca, timeout=10).status_code == 200
    assert f"cert = {ca}" in (site.place / "clients/pip.conf").read_text()
    assert "trusted-host" not in (site.place / "clients/pip.conf").read_text()


def test_lines_that_are_printed_work_as_they_are(site, tmp_path):
    """Without the variables of this machine that name other CAs."""
    index = f"{URL}pypi/stable/+simple/"
    subprocess.run([BIN / "python", "-m", "venv", tmp_path / "venv"], check=True)
    asked = run(
        *(tmp_path / "venv/bin/pip", "--isolated", "index", "versions", "--index-url", index),
        *("--cert", site.place / "clients/ca.pem", "no-such-thing"),
    )
    assert asked.says("No matching distribution found"), str(asked)
    trusted = run(
        *(
            BIN / "uv",
            "pip",
            "install",
            "--python",
            tmp_path / "venv/bin/python",
            "--default-index",
            index,
            "no-such-thing",
        ),
        SSL_CERT_FILE=str(site.place / "clients/ca.pem"),
    )
    assert "invalid peer certificate" not in trusted.output
    assert trusted.says("no-such-thing was not found"), str(trusted)


def test_unchanged_run_changes_nothing(site):
    before = served()
    result = site.make("pypi", nginx_proxy_tls="selfsigned")
    assert (result.returncode, result.changed) == (0, 0), str(result)
    assert served() == before


def test_another_name_has_another_certificate_by_the_same_ca(site):
    before, ca = served(), (site.place / "clients/ca.pem").read_text()
    result = site.make("pypi", nginx_proxy_tls="selfsigned", nginx_proxy_server_aliases=["127.0.0.1", "wheels.test"])
    assert result.returncode == 0, str(result)
    assert served() != before
    assert (site.place / "clients/ca.pem").read_text() == ca


def test_ca_of_our_own_outlives_the_index_but_not_a_purge(site):
    ca = (site.place / "clients/ca.pem").read_text()
    assert site.make("destroy", nginx_proxy_tls="selfsigned").returncode == 0
    result = site.make("pypi", nginx_proxy_tls="selfsigned")
    assert result.returncode == 0, str(result)
    assert (site.place / "clients/ca.pem").read_text() == ca


BAD = {
    "expired": ("expired on",),
    "early": ("is not valid before",),
    "other_name": ("does not cover localhost",),
    "no_intermediate": ("does not lead to a root", "Append the certificates that are missing"),
    "nobodys_root": ("does not lead to a root", "nginx_proxy_ca_file"),
    "other_key": ("does not belong to the certificate",),
    "open_key": ("chmod 0600",),
    "no_file": ("needed are two files",),
    "no_pem": ("Expected a certificate in", "BEGIN CERTIFICATE"),
}


@pytest.fixture(scope="module")
def bad(authority, root, good):
    """Variables for each way of being bad."""
    names = "DNS:localhost, IP:127.0.0.1"
    fine = authority.issue("/CN=index", root, names)
    stranger = authority.issue_ca("/CN=Stranger")
    open_key = authority.issue("/CN=index", root, names)
    open_key.key.chmod(0o644)
    return {
        "expired": given(authority.issue("/CN=index", root, names, days=(-90, -1)), root),
        "early": given(authority.issue("/CN=index", root, names, days=(1, 90)), root),
        "other_name": given(authority.issue("/CN=index", root, "DNS:other.test"), root),
        "no_intermediate": given(authority.issue("/CN=index", good.issuer, names), root),
        "nobodys_root": given(authority.issue("/CN=index", stranger, names), root),
        "other_key": given(fine, root) | {"nginx_proxy_certificate_key": str(good.key)},
        "open_key": given(open_key, root),
        "no_file": given(fine, root) | {"nginx_proxy_certificate": "/nowhere/index.pem"},
        "no_pem": given(fine, root) | {"nginx_proxy_certificate": "/etc/hostname"},
    }


@pytest.mark.parametrize("fault", BAD)
@pytest.mark.parametrize("on_host", [False, True], ids=["controller", "host"])
def test_bad_files_are_refused_before_the_first_change(site, bad, fault, on_host):
    before = served()
    result = site.look(**bad[fault], nginx_proxy_certificate_on_host=on_host)
    assert result.returncode != 0
    assert result.changed == 0
    assert result.says("nginx_proxy_certificate")
    if (fault, on_host) == ("no_file", True):
        assert result.says("/nowhere/index.pem: No such file or directory"), str(result)
    else:
        for words in BAD[fault]:
            assert result.says(words), str(result)
    assert served() == before


def test_given_files_go_live(site, good, root):
    result = site.make("pypi", **given(good, root))
    assert result.returncode == 0, str(result)
    assert result.says(f"{URL} works: 16 of 16 checks passed.")
    assert served() in good.path.read_text()


def test_verification_tells_of_a_certificate_that_is_not_the_one_on_the_host(site, authority, root, good):
    installed = Path(f"/etc/wheelhouse/{INSTANCE}/tls/certificates/localhost.pem")
    other = authority.issue("/CN=index", root, "DNS:localhost, IP:127.0.0.1")
    installed.write_text(other.path.read_text() + other.key.read_text())
    result = site.make("verify", **given(good, root))
    assert result.returncode != 0
    assert result.says("1 of 16 checks failed"), str(result)
    assert result.says("certificate is trusted: localhost serves the certificate")


def test_key_that_ansible_vault_encrypts_is_taken_whatever_its_mode(site, authority, root):
    fine = authority.issue("/CN=index", root, "DNS:localhost, IP:127.0.0.1")
    password = site.place / "vault-password"
    password.write_text("correct-horse")
    environment = {"ANSIBLE_VAULT_PASSWORD_FILE": str(password)}
    assert run(BIN / "ansible-vault", "encrypt", fine.key, **environment).returncode == 0
    fine.key.chmod(0o644)
    site.set(**given(fine, root), nginx_proxy_hsts=False)
    result = run("make", "pypi", f"INVENTORY={site.inventory}", **environment)
    assert result.returncode == 0, str(result)
    assert result.says(f"{URL} works: 15 of 15 checks passed."), "all but the one of HTTP Strict Transport Security"
    assert served() in fine.path.read_text()
    assert "PRIVATE KEY" not in result.output


def test_purge_leaves_nothing(site):
    assert site.make("destroy", "PURGE=yes", nginx_proxy_tls="selfsigned").returncode == 0
    assert not Path("/etc/wheelhouse", INSTANCE).exists()
