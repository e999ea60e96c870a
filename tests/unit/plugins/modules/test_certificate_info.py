# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real certificates, real handshakes: what the module says is what OpenSSL says, in words."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
from datetime import UTC, datetime

import pytest
from authority import RSA, WEAK_RSA, Listener, Pair, openssl, refusing_old, server, speak_http

NAME = "pypi.example.com"
DAY = 24 * 3600
COVERED = f"DNS:{NAME}, DNS:*.wild.example.com, IP:127.0.0.1, IP:2001:db8::1, email:a@example.com"


@pytest.fixture(scope="session")
def ca(authority, root):
    return authority.issue_ca("/CN=Intermediate", root)


@pytest.fixture(scope="session")
def good(authority, ca):
    """What a public CA issues: a leaf with the intermediate CA behind it."""
    return authority.issue("/CN=leaf", ca, COVERED).with_chain()


@pytest.fixture(scope="session")
def expired(authority, ca):
    return authority.issue("/CN=expired", ca, f"DNS:{NAME}", days=(-20, -10)).with_chain()


@pytest.fixture
def look(run_module, root):
    """Look at a pair of files, or at what the arguments say, as a client that trusts the root."""

    def look(pair=None, check=False, **args):
        files = {"path": str(pair.path), "privatekey_path": str(pair.key)} if pair else {}
        trusted = {} if "ca_content" in args else {"ca_path": str(root.path)}
        secrets = pair.key.read_text().splitlines()[1:-1] if pair else ()
        result = run_module("certificate_info", {**files, **trusted, **args, "_ansible_check_mode": check}, secrets)
        assert "problems" not in result or result["changed"] is False
        return result

    return look


@pytest.fixture
def ask(look):
    """Look at a server that answers like this."""

    def ask(answer, host=NAME, **args):
        with Listener(answer) as listener:
            result = look(host=host, connect_to="127.0.0.1", port=listener.port, **args)
        return json.loads(json.dumps(result).replace(f":{listener.port}", ":PORT"))

    return ask


# A pair of files


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("kind", ["EC", "RSA"])
def test_a_good_pair_is_told_as_openssl_tells_it(check, kind, authority, ca, good, look):
    pair = good if kind == "EC" else authority.issue("/CN=leaf", ca, COVERED, key=RSA).with_chain()
    result = look(pair, check, names=[NAME, "any.wild.example.com", "127.0.0.1", "2001:db8::1"])
    assert result["problems"] == []
    assert "warnings" not in result
    assert result["sha256"] == pair.says("-fingerprint", "-sha256").replace(":", "").lower()
    assert result["names"] == [NAME, "*.wild.example.com", "127.0.0.1", "2001:db8::1"]
    assert result["issuer"] == "CN=Intermediate"
    assert result["serial_number"] == pair.says("-serial")
    assert [result["not_before"], result["not_after"]] == [pair.date("-startdate"), pair.date("-enddate")]
    assert result["lifetime"] == 91 * DAY
    assert 89 * DAY < result["left"] <= 90 * DAY
    assert result["left_share"] == pytest.approx(90 / 91, abs=0.001)
    assert result["privatekey_mode"] == "0600"
    assert "protocol" not in result
    assert "old_protocols" not in result


def test_content_is_as_good_as_files(good, root, look):
    content = {"content": good.pem, "privatekey_content": good.key.read_text(), "ca_content": root.pem}
    result = look(**content, names=[NAME])
    assert result["problems"] == []
    assert "privatekey_mode" not in result
    assert result["sha256"] == look(good)["sha256"]


@pytest.mark.parametrize("key_first", [True, False])
def test_a_pair_in_one_file(key_first, good, tmp_path, look):
    file = tmp_path / "pair.pem"
    texts = [good.key.read_text(), "Ein Kommentar, größer als ASCII\n", good.pem]
    file.write_text("".join(texts if key_first else reversed(texts)))
    file.chmod(0o600)
    assert look(Pair(file, file, None))["problems"] == []


def test_a_certificate_that_has_nothing_but_names(authority, ca, look):
    """Public CAs leave the subject empty, and mark the names as critical for that."""
    pair = authority.issue("/", ca, f"critical, DNS:{NAME}").with_chain()
    result = look(pair, names=[NAME])
    assert result["problems"] == []
    assert result["names"] == [NAME]


def test_what_certificates_say_is_read_from_any(authority, root, tmp_path, look):
    """Dates of both centuries and both types, a name with rare parts, and neither names nor a serial number."""
    old = authority.issue("/CN=old", root, days=(-11000, 36500))
    result = look(old)
    assert result["issuer"] == "C=XX, O=Exämple, CN=Root"
    assert [result["not_before"], result["not_after"]] == [old.date("-startdate"), old.date("-enddate")]
    assert result["not_before"].startswith("199")
    assert result["not_after"].startswith("21")
    assert result["names"] == []

    alone = Pair(tmp_path / "alone.pem", tmp_path / "alone.key", None)
    name = "/C=XX/ST=State/L=Town/OU=Unit/CN=One, and two/emailAddress=a@example.com"
    made = ["-keyout", alone.key, "-out", alone.path, "-subj", name, "-set_serial", "0"]
    openssl("req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", *made)
    result = look(alone)
    assert result["serial_number"] == alone.says("-serial") == "00"
    assert result["issuer"] == "C=XX, ST=State, L=Town, OU=Unit, CN=One, and two, 2a864886f70d010901=a@example.com"


def test_a_certificate_without_extensions(good, root, tmp_path, look):
    """As `openssl x509 -req` makes it: of version 1, or of version 3, which depends on the release of openssl."""
    request, plain = tmp_path / "plain.csr", tmp_path / "plain.pem"
    openssl("req", "-new", "-key", good.key, "-subj", "/CN=plain", "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", root.path, "-CAkey", root.key, "-days", "9", "-out", plain)
    result = look(Pair(plain, good.key, root))
    assert result["problems"] == []
    assert result["names"] == []
    assert result["issuer"] == "C=XX, O=Exämple, CN=Root"
    assert result["lifetime"] == 9 * DAY


def test_names_are_told_one_by_one(good, look):
    problems = look(good, names=[NAME, "wild.example.com", "a.b.wild.example.com", "127.0.0.2", "leaf"])["problems"]
    covers = f"it covers {NAME}, *.wild.example.com, 127.0.0.1, 2001:db8::1."
    assert problems == [
        f"The certificate in {good.path} does not cover {name}; {covers} "
        f"Order one that covers {name} too, or let clients use a name that it covers."
        for name in ("wild.example.com", "a.b.wild.example.com", "127.0.0.2", "leaf")
    ]


def test_the_subject_is_no_name(authority, root, look):
    """Clients of today do not look there, though OpenSSL would."""
    [problem] = look(authority.issue(f"/CN={NAME}", root), names=[NAME])["problems"]
    assert f"does not cover {NAME}; it covers no name at all." in problem


def test_an_expired_certificate(expired, look):
    result = look(expired, names=[NAME])
    end = expired.date("-enddate")
    assert result["problems"] == [f"The certificate in {expired.path} expired on {end}. Renew it."]
    assert -11 * DAY < result["left"] <= -10 * DAY
    assert result["left_share"] == 0.0
    assert result["lifetime"] == 10 * DAY


def test_a_certificate_of_the_future(authority, root, look):
    future = authority.issue("/CN=future", root, f"DNS:{NAME}", days=(10, 20))
    result = look(future, names=[NAME])
    [problem] = result["problems"]
    begins = f"The certificate in {future.path} is not valid before {future.date('-startdate')}, and now it is "
    assert problem.startswith(begins + f"{datetime.now(UTC):%Y-}")
    assert problem.endswith("Z. Wait until then, or set the clock of this host.")
    assert result["left_share"] == 1.0


@pytest.mark.parametrize("days", [(-20, -10), (10, 20)])
def test_a_certificate_above_it_out_of_date(days, authority, root, look):
    ca = authority.issue_ca("/CN=Old intermediate", root, days=days)
    pair = authority.issue("/CN=leaf", ca, f"DNS:{NAME}").with_chain()
    reason = "certificate has expired" if days[0] < 0 else "certificate is not yet valid"
    assert look(pair, names=[NAME])["problems"] == [
        f"The certificate in {pair.path} is in date, but one above it is not: {reason}. Replace that one, in the chain "
        f"or in {root.path}."
    ]


def test_a_missing_intermediate(authority, root, ca, look):
    pair = authority.issue("/CN=leaf", ca, f"DNS:{NAME}")
    assert look(pair, names=[NAME])["problems"] == [
        f"The certificate in {pair.path} does not lead to a root in {root.path}: the chain breaks off at the issuer "
        "'CN=Intermediate', or above it. Append the certificates that are missing to the chain, leaf first, or name a "
        "file with the right root in ca_path."
    ]


def test_an_unknown_root(good, authority, monkeypatch, run_module, root, look):
    other = authority.issue_ca("/CN=Other root")
    [problem] = look(good, ca_content=other.pem, names=[NAME])["problems"]
    assert "root in ca_content: the chain breaks off at the issuer 'C=XX, O=Exämple, CN=Root', or above it." in problem

    files = {"path": str(good.path), "privatekey_path": str(good.key)}
    [problem] = run_module("certificate_info", files)["problems"]
    assert "root in what the system trusts: " in problem

    monkeypatch.setenv("SSL_CERT_FILE", str(root.path))  # how OpenSSL is told what the system trusts
    assert run_module("certificate_info", files)["problems"] == []


def test_an_unknown_root_in_the_chain(authority, good, root, tmp_path, look):
    whole = Pair(tmp_path / "whole.pem", good.key, None)
    whole.path.write_text(good.pem + root.pem)
    assert look(whole)["problems"] == []
    [problem] = look(whole, ca_content=authority.issue_ca("/CN=Other root").pem)["problems"]
    assert problem == (
        f"The certificate in {whole.path} leads to a root that is not in ca_content: the chain ends at 'C=XX, "
        "O=Exämple, CN=Root', or above it. Order one from a CA that clients trust, or name a file with this root in "
        "ca_path."
    )


def test_a_self_signed_certificate(authority, root, look):
    """Refused, unless it is what clients trust."""
    own = authority.issue_ca("/CN=own", section="careless_root")
    assert look(own)["problems"] == [
        f"The certificate in {own.path} is signed by itself, 'CN=own', and not in {root.path}. "
        "Order one from a CA, or name a file with this one in ca_path."
    ]
    assert look(own, ca_content=own.pem)["problems"] == []


def test_a_certificate_for_clients(authority, root, look):
    pair = authority.issue("/CN=leaf", root, f"DNS:{NAME}", purpose="clientAuth")
    [problem] = look(pair, names=[NAME])["problems"]
    assert problem.startswith(f"The certificate in {pair.path} is not made for servers, or one above it is not: ")
    assert problem.endswith(". Order one whose extendedKeyUsage has serverAuth.")


def test_a_weak_key(authority, root, look):
    """A refusal that has no sentence of its own."""
    pair = authority.issue("/CN=leaf", root, f"DNS:{NAME}", key=WEAK_RSA)
    assert look(pair, names=[NAME])["problems"] == [
        f"The certificate in {pair.path} is refused by clients, or one above it is: EE certificate key too weak "
        "(OpenSSL verify error 66). Have it issued anew without that."
    ]


@pytest.mark.parametrize("other", ["same kind", "other kind"])
def test_a_key_of_another_certificate(other, authority, ca, good, expired, look):
    key = (expired if other == "same kind" else authority.issue("/CN=rsa", ca, key=RSA)).key
    assert look(Pair(good.path, key, None))["problems"] == [
        f"The private key in {key} does not belong to the certificate in {good.path}, whose subject is 'CN=leaf'. "
        "Bring the two together, or order a certificate for this key; whether clients would accept the rest shows once "
        "they belong together."
    ]


def test_a_key_that_others_read(good, tmp_path, look):
    key = tmp_path / "open.key"
    shutil.copy(good.key, key)
    for mode in (0o640, 0o604):
        key.chmod(mode)
        result = look(Pair(good.path, key, None))
        assert result["privatekey_mode"] == f"{mode:04o}"
        assert result["problems"] == [
            f"The private key in {key} has mode {mode:04o}, so others than its owner may read it. "
            f"Type: chmod 0600 {key}"
        ]


def test_all_problems_are_told_together(authority, tmp_path, look):
    lost = authority.issue("/CN=lost", authority.issue_ca("/CN=Lost CA"), "DNS:old.example.com", days=(-20, -10))
    lost.key.chmod(0o644)
    begins = ["expired on", "does not cover pypi.", "does not cover a.", "does not lead to a root", "has mode 0644"]
    problems = look(lost, names=[NAME, "a.example.com"])["problems"]
    assert len(problems) == len(begins)
    assert all(begin in problem for begin, problem in zip(begins, problems, strict=True))

    clients = authority.issue("/CN=lost", authority.issue_ca("/CN=Lost CA"), f"DNS:{NAME}", purpose="clientAuth")
    begins = ["does not lead to a root", "is not made for servers"]
    problems = look(clients, names=[NAME])["problems"]
    assert all(begin in problem for begin, problem in zip(begins, problems, strict=True))


# Nothing to look at


def test_files_that_are_not_there(good, tmp_path, look):
    nothing = tmp_path / "nothing"
    for option in ("path", "privatekey_path", "ca_path"):
        message = look(good, **{option: str(nothing)})["msg"]
        assert message == (
            f"Expected {option} to be a file that can be read, got {nothing}: No such file or directory. "
            "Check the path, on the host that this runs on, and whether it needs become."
        )
    assert f"got {tmp_path}: Is a directory." in look(good, path=str(tmp_path))["msg"]


def test_files_without_a_certificate(good, tmp_path, look):
    der = tmp_path / "leaf.der"
    openssl("x509", "-in", good.path, "-outform", "DER", "-out", der)
    for option, file in (("path", der), ("path", good.key), ("ca_path", der)):
        assert look(good, **{option: str(file)})["msg"] == (
            f"Expected a certificate in {file}, PEM with a line -----BEGIN CERTIFICATE-----, got none. "
            "Name the file that has it; from DER make PEM with: openssl x509 -inform DER -in FILE -out FILE.pem"
        )
    assert "in content, PEM with a line" in look(content="", privatekey_content="x")["msg"]


def test_damaged_certificates(good, look):
    lines = good.pem.splitlines()
    damages = {
        "a letter less": [*lines[:2], lines[2][1:], *lines[3:]],
        "two lines less": [*lines[:2], *lines[4:]],
        "no lines": [lines[0], lines[-1]],
    }
    for damage, damaged in damages.items():
        text = "\n".join(damaged)
        for option, args in (
            ("content", {"content": text, "privatekey_path": str(good.key)}),
            ("ca_content", {"host": NAME, "ca_content": text}),
        ):
            assert look(**args)["msg"] == (
                f"Expected every certificate in {option} to be whole, got a damaged one. Copy it anew."
            ), damage


def test_a_certificate_that_openssl_cannot_use(good, look):
    """Whole as DER, but its public key is no point of the curve."""
    lines = good.pem.splitlines()
    lines[4] = lines[4].swapcase()
    message = look(content="\n".join(lines), privatekey_path=str(good.key))["msg"]
    assert message.startswith("Expected a certificate and a private key that OpenSSL can use, got for content: ")
    assert message.endswith(". Copy both anew.")


def test_keys_that_are_none(good, tmp_path, look):
    assert look(good, privatekey_path=str(good.path))["msg"] == (
        f"Expected a private key in {good.path}, PEM with a line -----BEGIN PRIVATE KEY-----, got none. "
        "Name the file that has it."
    )
    broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    message = look(path=str(good.path), privatekey_content=broken)["msg"]
    assert message.startswith(f"Expected a certificate and a private key that OpenSSL can use, got for {good.path}: ")
    assert message.endswith(". Copy both anew.")


@pytest.mark.parametrize("form", [[], ["-traditional"]])
def test_keys_with_a_passphrase(form, good, tmp_path, look):
    key = tmp_path / "locked.key"
    openssl("pkey", "-in", good.key, "-aes128", "-passout", "pass:anything", *form, "-out", key)
    assert look(Pair(good.path, key, None))["msg"] == (
        f"Expected a private key without a passphrase in {key}, got one with it, and nobody is there to type it when a "
        "server starts. Take it off: openssl pkey -in FILE -out FILE.plain"
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({}, "one of the following is required: host, path, content"),
        ({"path": "a"}, "one of the following is required: host, privatekey_path, privatekey_content"),
        ({"content": "a"}, "one of the following is required: host, privatekey_path, privatekey_content"),
        ({"privatekey_path": "a"}, "one of the following is required: host, path, content"),
        ({"host": "a", "path": "a"}, "parameters are mutually exclusive: host|path|content"),
        ({"host": "a", "privatekey_path": "a"}, "mutually exclusive: host|privatekey_path|privatekey_content"),
        ({"path": "a", "content": "a"}, "parameters are mutually exclusive: host|path|content"),
        ({"host": "a", "ca_path": "a", "ca_content": "a"}, "mutually exclusive: ca_path|ca_content"),
        (
            {"connect_to": "a", "path": "a", "privatekey_path": "a"},
            "missing parameter(s) required by 'connect_to': host",
        ),
        ({"host": "a", "port": 0}, "Expected port to be from 1 to 65535, got 0."),
        ({"host": "a", "port": 65536}, "Expected port to be from 1 to 65535, got 65536."),
        ({"host": "a", "timeout": 0}, "Expected timeout to be from 1 to 3600, got 0."),
        ({"host": "a", "timeout": 3601}, "Expected timeout to be from 1 to 3600, got 3601."),
    ],
)
def test_options_that_do_not_go_together(args, message, run_module):
    assert message in run_module("certificate_info", args)["msg"]


@pytest.mark.parametrize(
    "value",
    ["", " ", "https://a", "a:443", "a/b", "*.example.com", ".a", "a.", "a..b", "ä.example.com", "a\n", "a" * 64],
)
def test_names_that_are_none(value, run_module):
    for args in ({"host": value}, {"host": "a", "connect_to": value}, {"host": "a", "names": ["a", value]}):
        option = list(args)[-1]
        typed = "[pypi.example.com]" if option == "names" else "pypi.example.com"
        assert run_module("certificate_info", args)["msg"] == (
            f"Expected {option} to be a host name or an IP address, no URL, port or wildcard; got {value!a}. "
            f"Type it like this: {option}: {typed}"
        )


# A server


@pytest.mark.parametrize("check", [True, False])
def test_a_good_server(check, good, ask, look):
    result = ask(server(good), check=check)
    assert result["problems"] == []
    assert result["protocol"] == "TLSv1.3"
    assert result["old_protocols"] == []
    assert "warnings" not in result
    assert "privatekey_mode" not in result
    told = look(good)
    both = result.keys() & told.keys() - {"left", "left_share", "invocation"}
    assert {key: result[key] for key in both} == {key: told[key] for key in both}


def test_a_server_at_an_address(good, look):
    with Listener(server(good)) as listener:
        assert look(host="127.0.0.1", port=listener.port)["problems"] == []


def test_the_names_of_a_server(good, ask):
    names = [NAME, "a.wild.example.com", "other.example.com", "unknown.example.com"]
    assert ask(server(good, names=names[:3]), names=names)["problems"] == [
        f"The certificate of {NAME}:PORT does not cover other.example.com; it covers {NAME}, *.wild.example.com, "
        "127.0.0.1, 2001:db8::1. Order one that covers other.example.com too, or let clients use a name that it "
        "covers.",
        f"The server at {NAME}:PORT refuses a handshake for the name unknown.example.com (TLSV1_UNRECOGNIZED_NAME). "
        "Add it to the names that the server is set up for.",
    ]
    assert ask(server(good), host="other.example.com", names=[])["problems"] == []


def test_a_server_with_other_certificates_for_other_names(authority, root, good, ask):
    """It is asked for each name, as clients do."""
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pair = authority.issue("/CN=other", root, "DNS:other.example.com")
    other.load_cert_chain(pair.path, pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(good.path, good.key)

    def choose(connection, name, _context):
        if name == "other.example.com":
            connection.context = other

    def answer(connection):
        with context.wrap_socket(connection, server_side=True) as client:
            client.recv(1)

    context.sni_callback = choose
    assert ask(answer, names=[NAME, "other.example.com"])["problems"] == []


def test_all_problems_of_a_server_are_told_together(expired, authority, ask):
    other = authority.issue_ca("/CN=Other root")
    result = ask(server(expired), host="old.example.com", ca_content=other.pem)
    assert result["problems"] == [
        f"The certificate of old.example.com:PORT expired on {expired.date('-enddate')}. Renew it.",
        f"The certificate of old.example.com:PORT does not cover old.example.com; it covers {NAME}. "
        "Order one that covers old.example.com too, or let clients use a name that it covers.",
        "The certificate of old.example.com:PORT does not lead to a root in ca_content: the chain breaks off at the "
        "issuer 'CN=Intermediate', or above it. Append the certificates that are missing to the chain, leaf first, or "
        "name a file with the right root in ca_path.",
    ]
    assert result["sha256"] == expired.says("-fingerprint", "-sha256").replace(":", "").lower()
    assert result["left"] < 0


@pytest.mark.parametrize(
    ("oldest", "accepted"),
    [
        (ssl.TLSVersion.TLSv1, ["TLSv1", "TLSv1.1"]),
        (ssl.TLSVersion.TLSv1_1, ["TLSv1.1"]),
        (ssl.TLSVersion.TLSv1_2, []),
        (ssl.TLSVersion.TLSv1_3, []),
    ],
)
def test_old_protocols(oldest, accepted, good, ask):
    result = ask(server(good, oldest))
    assert result["old_protocols"] == accepted
    assert result["problems"] == []


def hang_up(connection):
    connection.recv(4096)


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


@pytest.mark.parametrize("refuse", [hang_up, reset])
def test_a_server_that_refuses_without_a_word(refuse, good, ask):
    assert ask(refusing_old(server(good), refuse))["old_protocols"] == []


def test_a_server_of_tls_1_2(good, ask):
    result = ask(server(good, newest=ssl.TLSVersion.TLSv1_2))
    assert result["protocol"] == "TLSv1.2"
    assert result["problems"] == []


def test_a_server_that_is_too_old(good, ask):
    message = ask(server(good, ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1))["msg"]
    assert message.startswith("Expected TLS 1.2 or newer at 127.0.0.1:PORT, got: ")
    assert message.endswith(". Check port, and that the server speaks TLS there.")


@pytest.mark.parametrize("answer", [speak_http, hang_up])
def test_a_server_that_speaks_no_tls(answer, ask):
    assert ask(answer)["msg"].startswith("Expected TLS 1.2 or newer at 127.0.0.1:PORT, got: ")


def test_a_server_that_hangs_up_hard(ask):
    assert ask(reset)["msg"] == (
        "Expected a TLS server at 127.0.0.1:PORT, got: Connection reset by peer. Start it, or check host and port."
    )


def test_a_server_that_does_not_know_the_name(good, ask):
    assert ask(server(good, names=["other.example.com"]))["msg"] == (
        f"Expected the server at 127.0.0.1:PORT to know the name {NAME}, but it refuses the handshake (alert "
        "unrecognized_name). Check host, and the names that the server is set up for."
    )


def test_a_server_that_does_not_answer(ask):
    assert ask(lambda connection: connection.recv(4096) and connection.recv(1), timeout=1)["msg"] == (
        "Expected an answer of 127.0.0.1:PORT within 1 s, got none. "
        "Check host, port and the way there, or raise timeout."
    )


def test_no_server(look):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert look(host="127.0.0.1", port=port)["msg"] == (
        f"Expected a TLS server at 127.0.0.1:{port}, got: Connection refused. Start it, or check host and port."
    )


def test_a_host_that_does_not_resolve(look):
    message = look(host="nowhere.invalid")["msg"]
    assert message.startswith("Expected that nowhere.invalid resolves, got: ")
    assert message.endswith(". Check host and the name servers of this host, or set connect_to.")
