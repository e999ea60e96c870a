# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts serve and keep, right after they were brought up."""

import json
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from conftest import NAME, execute, served
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

BOTH = {NAME, "packages.wheelhouse.test"}


def names(certificate):
    return set(
        certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
            x509.DNSName
        )
    )


# Certificates


def test_acme_certificate_has_all_names_and_the_key_that_was_asked_for(index):
    assert "Pebble" in served().issuer.rfc4514_string()
    assert names(served()) == BOTH
    assert isinstance(served().public_key().curve, ec.SECP384R1)
    assert served() == index.certificate(f"{index.lineage}/fullchain.pem") == index.certificate(index.installed)


@pytest.mark.parametrize(
    ("name", "issuer", "covered"),
    [
        ("provided.wheelhouse.test", "Company CA", {"provided.wheelhouse.test"}),
        ("kept.wheelhouse.test", "Company CA", {"*.wheelhouse.test"}),
        ("lab.wheelhouse.test", "CA of pypi on wheelhouse-tls", {"lab.wheelhouse.test", "laboratory.wheelhouse.test"}),
    ],
)
def test_each_site_has_a_certificate_of_its_own_kind(name, issuer, covered):
    assert served(name).issuer.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == issuer
    assert names(served(name)) == covered


@pytest.mark.parametrize("name", ["provided.wheelhouse.test", "kept.wheelhouse.test"])
def test_sites_beside_the_index_are_served_too(trusted, name):
    assert requests.get(f"https://{name}/", verify=trusted, timeout=10).text == f"This is {name}.\n"


def test_site_without_tls_is_served_by_plain_http():
    answer = requests.get("http://plain.wheelhouse.test/", timeout=10)
    assert answer.text == "This is plain.wheelhouse.test.\n"
    assert "Strict-Transport-Security" not in answer.headers


def test_secrets_are_readable_by_their_owner_alone(index):
    listed = index.run("find", "/etc/wheelhouse/pypi", "-printf", "%y %m %U %p\n").stdout.splitlines()
    modes = {
        path: (kind, int(mode, 8), int(owner)) for kind, mode, owner, path in (line.split(" ", 3) for line in listed)
    }
    for path, owner in {"certbot": 8143, "renewal": 0, "authority": 0, "tls/certificates": 8142}.items():
        assert modes[f"/etc/wheelhouse/pypi/{path}"][1:] == (0o700, owner)
    secret = [
        path
        for path, (kind, *_rest) in modes.items()
        if kind == "f"
        and (
            path.endswith((".key", "settings.json", "cli.ini", "private_key.json"))
            or "privkey" in path
            or "/certificates/" in path
        )
    ]
    assert len(secret) >= 8
    for path in secret:
        if path != "/etc/wheelhouse/pypi/tls/settings.json":  # addresses and commands, no secret
            assert not modes[path][1] & 0o077, path


def test_account_key_is_in_one_protected_place(index):
    found = index.run("find", "/", "-xdev", "-name", "private_key.json").stdout.splitlines()
    assert len(found) == 1
    assert found[0].startswith("/etc/wheelhouse/pypi/certbot/config/accounts/acme.wheelhouse.test:14000/")


def test_binding_key_is_in_no_command_line_and_no_log(index):
    secret = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
    assert secret in index.read("/etc/wheelhouse/pypi/certbot/cli.ini")
    assert secret not in index.read(index.settings_path)
    logs = index.run("sh", "-c", "cat /etc/wheelhouse/pypi/certbot/logs/*").stdout
    assert logs
    assert secret not in logs


# Plain HTTP


@pytest.mark.parametrize("path", ["/", "/pypi/stable/+simple/?x=1", "/.well-known/", "/.well-known/acme-challeng"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_plain_http_leads_to_https(path, method):
    answer = requests.request(method, f"http://{NAME}{path}", allow_redirects=False, timeout=10)
    assert (answer.status_code, answer.headers["Location"]) == (308, f"https://{NAME}{path}")


def test_challenge_is_served_by_plain_http_and_nothing_beside_it(index):
    url = f"http://{NAME}/.well-known/acme-challenge/"
    place = "/srv/acme/webroot/.well-known/acme-challenge"
    certbot = ("setpriv", "--reuid=8143", "--regid=8143", "--clear-groups")
    index.run(*certbot, "sh", "-c", f"umask 022; mkdir -p {place} && echo proof > {place}/probe")
    answer = requests.get(f"{url}probe", timeout=10, allow_redirects=False)
    assert (answer.status_code, answer.text, answer.headers["Content-Type"]) == (200, "proof\n", "text/plain")
    index.run(*certbot, "rm", f"{place}/probe")
    for path in ("probe", "", "../", "..%2f..%2fetc/passwd"):
        request = requests.Request("GET", url).prepare()
        request.url = url + path
        assert requests.Session().send(request, timeout=10, allow_redirects=False).status_code in (400, 403, 404, 308)


# Who may speak to it


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_another_host_name_gets_no_site(trusted, scheme):
    answer = requests.get(f"{scheme}://{NAME}/", headers={"Host": "evil.example"}, verify=trusted, timeout=10)
    assert (answer.status_code, answer.text) == (421, "This address does not serve that host name.\n")


@pytest.mark.parametrize("name", ["evil.example", None])
def test_another_name_gets_no_handshake(name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((NAME, 443), timeout=10) as connection,
        pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"),
    ):
        context.wrap_socket(connection, server_hostname=name)


def test_pages_of_the_index_announce_what_browsers_are_to_do(trusted):
    for path in ("", "pypi/stable/+simple/", "+api"):
        headers = requests.get(f"https://{NAME}/{path}", verify=trusted, timeout=10).headers
        assert headers["Strict-Transport-Security"] == "max-age=63072000"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "SAMEORIGIN"
        assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]
        assert headers["Server"] == "nginx"


def test_http_2_and_hybrid_key_exchange_are_spoken():
    """By a client with OpenSSL 3.5, which is on the CA's host."""
    said = execute(
        "wheelhouse-acme",
        *(
            "openssl",
            "s_client",
            "-connect",
            f"{NAME}:443",
            "-servername",
            NAME,
            "-alpn",
            "h2,http/1.1",
            "-groups",
            "X25519MLKEM768",
        ),
        stdin="",
        check=False,
    ).stdout
    assert "Negotiated TLS1.3 group: X25519MLKEM768" in said
    assert "ALPN protocol: h2" in said


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_sessions_are_resumed(acme, version):
    connect = f"openssl s_client {version} -connect {NAME}:443 -servername {NAME}"
    first, second = (
        acme.run("sh", "-c", f"(echo; sleep 1) | {connect} {option} /tmp/session 2>&1")
        for option in ("-sess_out", "-sess_in")
    )
    assert "New, TLS" in first
    assert "Reused, TLS" in second


# Scanners

# What testssl.sh would have otherwise, and why it is so.
EXCEPTIONS = {
    "BREACH": "pages are compressed, and hold nobody's secrets",
    "cert_revocation": "Pebble names neither a revocation list nor an OCSP server; public CAs have given up OCSP",
    "engine_problem": "of the scanner: it has no Russian ciphers",
    "sessionresumption_ticket": "of the scanner: sessions are resumed, see the test above",
}


def test_testssl_finds_nothing(acme, trusted):
    acme.run("tee", "/acme/scan-ca.pem", stdin=trusted.read_text())
    acme.run("rm", "-f", "/acme/testssl.json")
    execute(
        "wheelhouse-acme",
        *("testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "min", "--add-ca", "/acme/scan-ca.pem"),
        *("--jsonfile", "/acme/testssl.json", f"{NAME}:443"),
        check=False,
    )
    findings = json.loads(acme.run("cat", "/acme/testssl.json"))
    grade = {finding["id"]: finding["finding"] for finding in findings}
    bad = {
        finding["id"]: f"{finding['severity']}: {finding['finding']}"
        for finding in findings
        if finding["severity"] in ("LOW", "MEDIUM", "HIGH", "CRITICAL", "WARN", "FATAL")
        and finding["id"].split()[0] not in EXCEPTIONS
    }
    print("testssl.sh:", len(findings), "findings, grade", grade.get("overall_grade"))
    assert len(findings) > 100, "it looked"
    assert bad == {}
    assert grade["overall_grade"] == "A+"


def test_gixy_finds_nothing(index, tmp_path):
    (tmp_path / "nginx.conf").write_text(index.read("/etc/wheelhouse/pypi/proxy/nginx.conf"))
    done = subprocess.run(
        [Path(sys.executable).with_name("gixy"), "--format", "json", tmp_path / "nginx.conf"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout) == []


# Renewal


def test_timer_looks_for_renewal(index):
    unit = "wheelhouse-pypi-renewal"
    assert index.run("systemctl", "is-enabled", f"{unit}.timer").stdout.strip() == "enabled"
    assert index.run("systemctl", "is-active", f"{unit}.timer").stdout.strip() == "active"
    shown = dict(
        line.split("=", 1)
        for line in index.run("systemctl", "show", f"{unit}.timer").stdout.splitlines()
        if "=" in line
    )
    assert shown["RandomizedDelayUSec"] == "1h"
    assert shown["NextElapseUSecMonotonic"] not in ("", "infinity")


def test_look_for_renewal_asks_for_nothing_while_nothing_is_due(index, acme):
    before, orders = served(), acme.orders()
    index.run("systemctl", "start", "wheelhouse-pypi-renewal.service")
    assert (
        f"kept {NAME}" in index.run("journalctl", "--unit", "wheelhouse-pypi-renewal.service", "--output", "cat").stdout
    )
    assert (served(), acme.orders()) == (before, orders)


def test_twenty_unchanged_runs_place_no_order(index, acme):
    """As the play does it, and as the timer does. The play itself has run twice by now."""
    orders = acme.orders()
    for arguments in ((), ("--unless-settled",)):
        for _turn in range(10):
            done = index.renew(*arguments)
            assert (done.returncode, done.stdout) == (0, f"kept {NAME}\n"), done.stderr
    assert acme.orders() == orders


# The host that has nothing but certbot


@pytest.mark.parametrize(
    ("copy", "covered"),
    [
        ("alone-bare.wheelhouse.test", {"bare.wheelhouse.test"}),
        ("wildcard-wildcard", {"*.bare.wheelhouse.test", "bare.wheelhouse.test"}),
        ("address-address", set()),
        ("packaged-packaged", {"bare.wheelhouse.test"}),
    ],
)
def test_certificate_was_taken_into_service_by_a_hook(copy, covered):
    text = execute("wheelhouse-tls-bare", "cat", f"/root/{copy}.pem").stdout
    certificate = x509.load_pem_x509_certificate(text.encode())
    assert names(certificate) == covered
    assert isinstance(
        certificate.public_key(), rsa.RSAPublicKey if copy.startswith("alone") else ec.EllipticCurvePublicKey
    )
    assert "PRIVATE KEY" in text
    if copy.startswith("address"):
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert [str(address) for address in alternatives.get_values_for_type(x509.IPAddress)] == execute(
            "wheelhouse-tls-bare", "hostname", "--ip-address"
        ).stdout.split()


def test_cron_looks_for_renewal_at_a_minute_of_the_hosts_own():
    [line] = [
        line
        for line in execute("wheelhouse-tls-bare", "cat", "/etc/cron.d/wheelhouse-wildcard-renewal").stdout.splitlines()
        if "renew-certificates" in line
    ]
    minute, hours, *_rest = line.split()
    assert 0 <= int(minute) <= 59
    first, second = map(int, hours.split(","))
    assert second - first == 12


def test_loop_looks_for_renewal_again_and_again():
    log = execute("wheelhouse-tls-bare", "cat", "/var/log/wheelhouse-alone-renewal.log").stdout
    assert log.count("kept bare.wheelhouse.test") >= 2, log


def test_nothing_of_certbot_runs_as_root(index):
    owners = execute(
        "wheelhouse-tls-bare", "find", "/etc/wheelhouse/alone/certbot/config", "-printf", "%U\n"
    ).stdout.split()
    assert set(owners) == {"8143"}
    assert set(index.run("find", "/etc/wheelhouse/pypi/certbot/config", "-printf", "%U\n").stdout.split()) == {"8143"}
