# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verification believes no index: whichever promise a real one is made to break, that one is told, and no other."""

from __future__ import annotations

import base64
import re
from dataclasses import replace

import pytest
import requests
from ansible_collections.wheelhouse.pypi.plugins.module_utils._devpi import Devpi
from live_devpi import LiveDevpi, free_port
from live_pypiserver import ALICE, LivePypiserver
from lying_proxy import Answer, LyingProxy, honest
from tree import SIMPLE_TEST

INDEX, USER, PASSWORD = "pypi/stable", "pypi", "verifypw-never-shown"
STORED = ["twine_uploads", "files_are_listed", "pip_installs_wheel", "pip_installs_sdist", "uv_installs_wheel"]
REFUSALS = ["anonymous_upload_is_refused", "wrong_password_is_refused"]
EVERYTHING = [
    "index_is_there",
    *STORED[:2],
    "files_are_listed_as_json",
    *STORED[2:],
    *REFUSALS,
    "unknown_projects_stay_unknown",
    "server_internals_are_closed",
]


def broken(result):
    """The promises that are told as broken."""
    assert result["failed"]
    return [failure.partition(":")[0].replace(" ", "_") for failure in result["failures"]]


def failure(result, promise):
    [told] = [failure for failure in result["failures"] if failure.startswith(promise.replace("_", " ") + ": ")]
    return told


def basic(user):
    """What a user, a name and a password, logs in with."""
    return "Basic " + base64.b64encode(":".join(user).encode()).decode()


def sent_by(user, request):
    return replace(request, headers={**request.headers, "Authorization": basic(user)})


def is_upload(request, user=None):
    """Whether a file is sent, by this user."""
    return b"file_upload" in request.body and (user is None or request.headers.get("Authorization", "") == basic(user))


def said(status, text=""):
    return Answer(status, {"Content-Type": "text/plain"}, text.encode())


# devpi


@pytest.fixture(scope="module")
def devpi():
    """A real devpi-server with a user and an index."""
    with LiveDevpi() as server:
        yield server


@pytest.fixture(scope="module")
def administrator(devpi):
    connection = {"url": devpi.url, "timeout": 30, "validate_certs": True, "ca_path": None}
    client = Devpi({**connection, "login_user": "root", "login_password": devpi.password}, False, set())
    client.login()
    client.create_user(USER, {"password": PASSWORD})
    client.create_index(INDEX, {"type": "stage", "bases": []})
    return client


@pytest.fixture(scope="module")
def front(devpi):
    with LyingProxy(devpi.port) as proxy:
        yield proxy


@pytest.fixture
def verify(front, devpi, administrator, run_module):
    """Verify the devpi through a proxy that lies like this; nothing may be left of it."""

    def as_nginx(ask):
        """The answers behind our vhost, which closes what only the operator may see."""
        return lambda request: said(403) if request.path.startswith(("/+status", "/+changelog")) else ask(request)

    def verify(lie=honest, **args):
        front.lie = lambda request, ask: lie(request, as_nginx(ask))
        options = {"url": front.url, "index": INDEX, "username": USER, "password": PASSWORD}
        options |= {"root_password": devpi.password, "package": SIMPLE_TEST, **args}
        result = run_module("index_verify", options, secrets=[PASSWORD, devpi.password])
        front.lie = honest
        return result

    yield verify
    assert sorted(administrator.everything()[1]) == [INDEX]


def test_an_index_that_works(verify, front, administrator):
    for name in ("verify-1700000000-7", "verify-1700000000"):  # the second is nobody's scratch index
        administrator.create_index(f"{USER}/{name}", {"type": "stage", "bases": [], "volatile": True})
    result = verify()
    assert result["checks"] == EVERYTHING
    assert (result["failures"], result["not_offered"], result["changed"]) == ([], {}, False)
    assert result["msg"] == f"{front.url} works: 11 of 11 checks passed."
    administrator.delete_index(f"{USER}/verify-1700000000", volatile=True)


def test_answers_that_are_not_what_they_should_be(verify, front):
    def lie(request, ask):
        if is_upload(request) and not is_upload(request, (USER, PASSWORD)):
            return said(200)  # whoever it is
        if request.path.startswith(f"/{INDEX}?"):
            return said(404, '{"message": "no such index"}')
        if request.path == "/+status" or "nobody-has" in request.path:
            return said(200, "come in")
        answer = ask(request)
        if "json" in request.headers.get("Accept", "") and request.headers.get("User-Agent") == "wheelhouse.pypi":
            return replace(answer, body=re.sub(rb'("sha256": *")..', rb"\g<1>00", answer.body))
        return answer

    result = verify(lie)
    assert broken(result) == [
        "index_is_there",
        "files_are_listed_as_json",
        *REFUSALS,
        "unknown_projects_stay_unknown",
        "server_internals_are_closed",
    ]
    assert result["msg"].startswith(f"{front.url} is not a working index. 6 of 11 checks failed:\n1. index is there: ")
    assert f"has no index {INDEX}. 'make pypi' makes" in failure(result, "index_is_there")
    assert "Expected HTTP status 404 for GET" in failure(result, "unknown_projects_stay_unknown")
    assert "/+status, got 200 and 'come in'" in failure(result, "server_internals_are_closed")
    assert "got 200" in failure(result, "anonymous_upload_is_refused")


def test_an_upload_that_is_stored_though_it_is_refused(verify):
    def lie(request, ask):
        if is_upload(request) and request.headers.get("Authorization") is None:
            assert ask(sent_by((USER, PASSWORD), request)).status == 200
            return said(403)
        return ask(request)

    result = verify(lie)
    # Whatever is looked at after it has a file too many.
    assert "anonymous_upload_is_refused" in broken(result)
    assert set(broken(result)) <= {"anonymous_upload_is_refused", "wrong_password_is_refused"}
    assert re.search(r"lists .*\.post1-.*, expected was", failure(result, "anonymous_upload_is_refused"))


def test_hashes_that_are_not_those_of_the_files(verify):
    def lie(request, ask):
        answer = ask(request)
        if request.path.endswith((".whl", ".zip")):
            return answer
        return replace(answer, body=re.sub(rb'(sha256(?:=|": *"))..', rb"\g<1>00", answer.body))

    result = verify(lie)
    assert broken(result) == ["files_are_listed", "files_are_listed_as_json", *STORED[2:], *REFUSALS]
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in failure(result, "pip_installs_wheel")
    assert "Hash mismatch" in failure(result, "uv_installs_wheel")


def test_uploads_that_do_not_get_through(verify):
    result = verify(lambda request, ask: said(413, "too large") if is_upload(request) else ask(request))
    assert broken(result) == ["twine_uploads", "files_are_listed", "files_are_listed_as_json", *STORED[2:], *REFUSALS]
    assert "413" in failure(result, "twine_uploads")
    assert "No matching distribution found" in failure(result, "pip_installs_sdist")


def test_what_stays_behind_is_told_and_swept_when_it_is_old(verify, administrator):
    result = verify(lambda request, ask: said(500) if request.method == "DELETE" else ask(request))
    assert broken(result) == ["cleaning_up"]
    [name] = set(administrator.everything()[1]) - {INDEX}
    assert f"the scratch index {name} may be left on the server" in result["msg"]
    assert verify()["failures"] == []
    assert name in administrator.everything()[1], "another run may be using it"
    administrator.delete_index(name, volatile=True)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ({"url": f"http://127.0.0.1:{free_port()}/"}, "preparing: Expected an answer to POST"),
        ({"root_password": "wrong"}, "preparing: .* does not accept the password of 'root'"),
        ({"python": "/no/such/python"}, "preparing: /no/such/python cannot be run: No such file"),
    ],
)
def test_what_keeps_it_from_beginning(args, told, verify):
    [failure] = verify(**args)["failures"]
    assert re.match(told, failure)


def test_missing_tools_are_named(verify, tmp_path):
    bare = tmp_path / "python"
    bare.write_text('#!/bin/sh\nexec /usr/bin/env python3 -I -S "$@"\n')
    bare.chmod(0o755)
    [failure] = verify(python=str(bare))["failures"]
    assert "cannot import pip and twine and uv. Install what it lacks: " in failure


# pypiserver


@pytest.fixture
def pypiserver(tmp_path, run_module):
    """Start a pypiserver, and verify it through a proxy that lies like this."""
    started = []

    def start(**settings):
        server = LivePypiserver(tmp_path / "index", users=ALICE, port=free_port(), **settings)
        started.append(server)
        server.start()

        def verify(lie=honest, **args):
            with LyingProxy(server.port) as front:
                front.lie = lie
                options = {"url": front.url, "kind": "pypiserver", "username": "alice", "password": "right"}
                return run_module("index_verify", {**options, "package": SIMPLE_TEST, **args})

        return server, verify

    yield start
    for server in started:
        server.kill()


def test_a_pypiserver_that_wants_a_login_for_everything(pypiserver):
    server, verify = pypiserver(authenticate=["list", "download", "update"])
    for version in ("0.1700000000.1", "0.17", "1.0"):
        (server.packages / f"simple_test-{version}-py3-none-any.whl").write_bytes(b"")
    kept = [f"simple_test-{version}-py3-none-any.whl" for version in ("0.17", "1.0")]
    result = verify(login=True)
    assert result["failures"] == []
    assert result["checks"] == ["index_is_there", *STORED, *REFUSALS, "unknown_projects_stay_unknown"]
    assert result["msg"].endswith(
        " works: 9 of 9 checks passed. Not offered: files are listed as json (pypiserver has pages in HTML alone), "
        "server internals are closed (pypiserver has none)."
    )
    assert server.files() == kept, "what a killed run left is gone, and what is nobody's is not"

    def lie(request, ask):
        """Somebody who may only read uploads, and it is refused too late."""
        answer = ask(request)
        if is_upload(request, ("reader", "only-reads")):
            late = ask(sent_by(("alice", "right"), request))
            assert late.status == 200, late.body
        return answer

    result = verify(lie, login=True, reader_username="reader", reader_password="only-reads", fallback=True)
    assert broken(result) == ["reader_cannot_upload"]
    assert result["not_offered"]["unknown_projects_stay_unknown"] == "it is meant to send clients elsewhere"
    assert server.files() == kept


def test_a_pypiserver_that_only_serves(pypiserver):
    server, verify = pypiserver(authenticate=["update"])
    assert verify(read_only=True, password="")["failures"] == [], "an empty one has nothing that could be wrong"
    (server.packages / "demo-1.0.zip").write_bytes(b"bytes")
    result = verify(read_only=True, password="")
    assert result["failures"] == []
    assert result["checks"] == [
        "index_is_there",
        "a_file_is_what_the_list_says",
        "every_upload_is_refused",
        "unknown_projects_stay_unknown",
    ]

    def lie(request, ask):
        return said(200, "other bytes") if is_upload(request) or request.path.endswith(".zip") else ask(request)

    result = verify(lie, read_only=True, password="")
    assert broken(result) == ["a_file_is_what_the_list_says", "every_upload_is_refused"]
    assert "demo-1.0.zip has the SHA-256 " in failure(result, "a_file_is_what_the_list_says")
    assert requests.get(f"http://127.0.0.1:{server.port}/simple/", timeout=10).ok
