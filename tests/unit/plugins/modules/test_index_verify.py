# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What it asks of an https address, and what it refuses. tests/system/test_verification.py has real servers."""

from __future__ import annotations

import ssl
import warnings
from contextlib import contextmanager

import pytest
from authority import Listener
from tree import SIMPLE_TEST

# An index without a project, which only serves.
ANSWERS = {"/": (200, ""), "/simple/": (200, ""), "POST": (403, "")}
HSTS = "Strict-Transport-Security: max-age=63072000\r\n"


@pytest.fixture(scope="module")
def good(authority, root):
    return authority.issue("/CN=leaf", root, "DNS:localhost")


def http(connection, headers=""):
    """One answer of that index."""
    sent = b""
    while b"\r\n\r\n" not in sent and (part := connection.recv(65536)):
        sent += part
    if not sent:
        return  # a client that came to look at the certificate
    method, path = sent.decode("latin-1").split(" ")[:2]
    status, text = ANSWERS.get(method) or ANSWERS.get(path) or (404, "")
    head = f"HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {len(text)}\r\n{headers}"
    connection.sendall(f"{head}\r\n{text}".encode())
    while connection.recv(65536):
        pass  # all that is sent is taken, or the client would see a reset


@contextmanager
def index(pair, headers=HSTS, oldest=ssl.TLSVersion.TLSv1_2):
    """Serve that index by TLS: its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(pair.path, pair.key)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = oldest

    def answer(connection):
        with context.wrap_socket(connection, server_side=True) as client:
            http(client, headers)

    with Listener(answer) as listener:
        yield f"https://localhost:{listener.port}/"


@pytest.fixture
def verify(root, run_module):
    """Verify it, where plain HTTP leads to this."""

    def verify(url, redirect=(308, None), **args):
        status, location = redirect
        location = location or f"{url}simple/"

        def answer(connection):
            connection.recv(65536)
            head = f"HTTP/1.1 {status} x\r\nConnection: close\r\nLocation: {location}\r\n"
            connection.sendall(f"{head}Content-Length: 0\r\n\r\n".encode())

        with Listener(answer) as plain:
            options = {"url": url, "kind": "pypiserver", "username": "pypi", "read_only": True, "http_port": plain.port}
            options |= {"ca_content": root.pem, "package": SIMPLE_TEST}
            return run_module("index_verify", {**options, **args})

    return verify


def test_https_as_it_should_be(good, verify):
    with index(good) as url:
        result = verify(url)
        assert result["failures"] == []
        assert result["checks"][:5] == [
            "certificate_is_trusted",
            "certificate_is_fresh",
            "old_protocols_are_refused",
            "plain_http_redirects",
            "browsers_stay_with_https",
        ]
        assert len(result["checks"]) == 9
        assert verify(url, hsts=False)["checks"] == [
            check for check in result["checks"] if check != "browsers_stay_with_https"
        ]


def test_https_as_it_should_not_be(authority, root, verify):
    old = authority.issue("/CN=old", root, "DNS:localhost", days=(-80, 20))
    with index(old, headers="", oldest=ssl.TLSVersion.TLSv1) as url:
        result = verify(url, redirect=(301, "http://elsewhere.example.com/"), certificate="00" * 32)
    trusted, fresh, protocols, redirects, stay = result["failures"]
    assert "localhost serves the certificate " in trusted
    assert f"while its host keeps {'00' * 32} for it" in trusted
    assert fresh.startswith("certificate is fresh: The certificate of localhost ends on ")
    assert "20.0% of its lifetime of 100.0 days are left, expected are at least 30.0%." in fresh
    assert protocols.startswith("old protocols are refused: localhost accepts TLSv1 and TLSv1.1, which no client needs")
    assert "answers 301 and leads to http://elsewhere.example.com/, expected was 308 and https://" in redirects
    assert "announces Strict-Transport-Security: nothing, expected is a max-age of two years" in stay


def test_a_certificate_that_nobody_trusts(authority, verify):
    stranger = authority.issue("/CN=stranger", authority.issue_ca("/CN=another root"), "DNS:localhost")
    with index(stranger) as url:
        failures = verify(url)["failures"]
    assert failures[0].startswith("certificate is trusted: The certificate of localhost:")
    assert "index is there: Expected an answer to GET" in "\n".join(failures)
    assert "certificate verify failed" in "\n".join(failures)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"url": "pypi.example.com"}, "Expected url to be the base URL of the index server"),
        ({"url": "https://a:b@pypi.example.com/"}, "got 'https://...@pypi.example.com/'"),
        ({"username": "Not A Name"}, "Expected username to be user, each part"),
        ({"kind": "devpi"}, "kind is devpi but all of the following are missing: index"),
        ({"kind": "devpi", "index": "stable"}, "Expected index to be user/index"),
    ],
)
def test_bad_input_is_refused_before_anything_is_asked(args, message, run_module):
    usual = {"url": "http://127.0.0.1:9/", "kind": "pypiserver", "username": "pypi", "package": SIMPLE_TEST}
    assert message in run_module("index_verify", {**usual, **args})["msg"]
