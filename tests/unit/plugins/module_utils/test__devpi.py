# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names, the connection, and what a user is told when it fails. Told through devpi_user, as a user meets it."""

from __future__ import annotations

import ssl
from http.client import RemoteDisconnected
from urllib.error import URLError

import pytest
from ansible_collections.wheelhouse.pypi.plugins.module_utils import _devpi
from scripted_http import PASSWORD, TOKEN, URL

BAD_NAMES = [
    "", " ", "alice\n", "\nalice", "al ice", "Alice", "alice/", "/alice", "a//b", "a/b/c", "..", "a..b", ".alice",
    "alice.", "-alice", "alice-", "_alice", "alice_", "+login", "al'ice", 'al"ice', "al\\ice", "al\x7fice",
    "\u0430lice", "al\u0131ce", "alice\u200b", "a" * 65, "{{ user }}", "a{{b", "a%2fb", "a?b", "a#b", "a:b", "a@b",
    "\u0661",
]  # fmt: skip


@pytest.mark.parametrize("name", ["a", "0", "alice", "a.b_c-d", "a" * 64, "root"])
def test_good_names_pass(name):
    assert _devpi.check_name("name", name, "user") == name
    assert _devpi.check_name("name", f"{name}/{name}", "user/index") == f"{name}/{name}"


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names_are_refused_before_any_request(name, run):
    for module, value in (("devpi_user", name), ("devpi_index", f"alice/{name}"), ("devpi_index", f"{name}/dev")):
        result = run(module, name=value)
        assert result["msg"].startswith("Expected name to be user")
        assert ascii(value) in result["msg"]
        assert "Type it like this: name: alice" in result["msg"]


def test_a_name_with_a_nul_is_refused():
    """By ourselves too: from Python 3.12 on, syslog refuses it when Ansible logs what a module was called with."""
    with pytest.raises(_devpi.DevpiError, match=r"got 'al\\x00ice'"):
        _devpi.check_name("name", "al\x00ice", "user")


def test_a_user_is_no_index_and_an_index_is_no_user(run):
    assert "got 'alice'" in run("devpi_index", name="alice")["msg"]
    assert "got 'alice/dev'" in run("devpi_user", name="alice/dev")["msg"]


@pytest.mark.parametrize(
    "url",
    ["", "index.example.com", "ftp://index.example.com", "http://", "http://a b/", "http://a/?x", "http://a/#x",
     "http://a/\n", "file:///etc/passwd"],
)  # fmt: skip
def test_bad_urls_are_refused_before_any_request(url, run):
    result = run("devpi_user", url=url, name="alice")
    assert f"got {url!a}. Type it like this: url: https://" in result["msg"]


@pytest.mark.parametrize(
    "secret", ["bob:s3cr3t-word", "bob:s3cr3t/word", "bob:s3cr3t@word", "b\u00f6b:s3cr3t-w\u00f6rd"]
)
def test_credentials_in_the_url_are_refused_and_not_shown(secret, run_module):
    args = {"url": f"https://{secret}@index.example.com/", "name": "alice", "login_password": PASSWORD}
    result = run_module("devpi_user", args, secrets=[secret, "s3cr3t"])
    assert "got 'https://...@index.example.com/'" in result["msg"]


@pytest.mark.parametrize(
    "url", ["http://a", "https://a:8443/", "http://[::1]:3141/pypi/", "https://a.example.com/x-y/~z"]
)
def test_good_urls_lose_only_their_last_slash(url):
    assert _devpi.check_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (URLError(ConnectionRefusedError(111, "Connection refused")), "Check that the index server runs"),
        (
            URLError(ssl.SSLCertVerificationError(1, "certificate verify failed")),
            "Name the CA in ca_path or ca_content",
        ),
        (ssl.SSLError(1, "wrong version number"), "Name the CA in ca_path or ca_content"),
        (URLError(TimeoutError("timed out")), "raise timeout"),
        (TimeoutError("The read operation timed out"), "raise timeout"),
        (URLError(OSError(-2, "Name or service not known")), "Name or service not known. Check url"),
        (RemoteDisconnected("Remote end closed connection"), "Remote end closed connection. Check url"),
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer. Check url"),
    ],
)
def test_no_answer_names_the_url_and_what_to_check(error, told, http, run):
    http.expect("GET", "/alice", error=error)
    message = run("devpi_user", name="alice")["msg"]
    assert message.startswith(f"Expected an answer to GET {URL}/alice, got n")
    assert told in message


def test_a_ca_file_that_is_not_there_is_told(run_module, tmp_path):
    connection = {"url": "https://127.0.0.1:9/", "login_password": PASSWORD, "ca_path": str(tmp_path / "no-ca.pem")}
    message = run_module("devpi_user", {"name": "alice", **connection})["msg"]
    assert "No such file or directory. Check that ca_path is a file on the host this runs on." in message


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            {"status": 400, "message": "Unknown keys\n in user config"},
            "got 400 and 'Unknown keys in user config'. Correct",
        ),
        ({"status": 401, "message": "no"}, "got 401 and 'no'. Check login_user"),
        ({"status": 403, "message": "Access was denied"}, "--restrict-modify"),
        ({"status": 404, "message": "no user 'alice'"}, "base URL"),
        ({"status": 409, "message": "user already exists"}, "run again"),
        (
            {"status": 500, "text": "Internal Server Error", "Content_Type": "text/plain"},
            "got 500 and text/plain, not the JSON of its API. Read the log",
        ),
        ({"status": 502, "text": "<html>", "Content_Type": "text/html"}, "The proxy answers and devpi-server does not"),
        ({"status": 301, "text": "", "Location": "https://index.example.com/alice"}, "redirects to https://index."),
        ({"status": 418, "message": "tea"}, "got 418 and 'tea'. Check that url"),
    ],
)
def test_an_unexpected_status_says_expected_got_with_what_now_what(answer, told, http, run):
    http.expect("GET", "/alice", status=404, message="no user 'alice'").login()
    http.expect("PUT", "/alice", {"password": "alicepw-hidden"}, **answer)
    result = run("devpi_user", name="alice", password="alicepw-hidden")
    assert result["failed"]
    assert result["msg"].startswith(f"Expected HTTP status 201 for PUT {URL}/alice, got {answer['status']} and ")
    assert told in result["msg"]


@pytest.mark.parametrize("text", ["<html>Welcome to nginx!</html>", "{}", "[]", '{"name": "something else"}', ""])
@pytest.mark.parametrize("status", [200, 404])
def test_what_is_not_devpi_is_not_taken_for_it(text, status, http, run):
    http.expect("GET", "/alice", status=status, text=text, Content_Type="text/html")
    message = run("devpi_user", name="alice", password="x1")["msg"]
    assert "text/html, not the JSON of its API. Check that url is the base URL" in message


def test_another_api_version_is_refused(http, run):
    http.expect("GET", "/alice", result={"username": "alice"}, X_Devpi_Server_Version="7.0.0b4")
    assert (
        "Expected devpi-server 6.x at http://index.example.com, got 7.0.0b4" in run("devpi_user", name="alice")["msg"]
    )


@pytest.mark.parametrize("check", [False, True])
def test_a_wrong_login_password_is_told_before_a_write_in_check_mode_too(check, http, run):
    http.expect("GET", "/alice", status=404, message="no user 'alice'").login(accepted=False)
    message = run("devpi_user", check=check, name="alice", password="alicepw-hidden")["msg"]
    assert message == f"{URL} does not accept the password of 'root'. Check login_user and login_password."


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST"])
def test_the_client_itself_refuses_to_write_when_it_may_only_read(method, http):
    params = dict.fromkeys(("login_user", "login_password", "ca_path"), "x")
    client = _devpi.Devpi({**params, "url": URL, "timeout": 1, "validate_certs": True}, read_only=True, secrets=set())
    with pytest.raises(_devpi.DevpiError, match=f"Bug in wheelhouse.pypi: {method} /alice in a run that may only read"):
        client._call(method, "/alice", {})


@pytest.mark.parametrize(("module", "check"), [("devpi_user", True), ("devpi_info", True), ("devpi_info", False)])
def test_check_mode_and_readers_run_with_a_client_that_may_only_read(module, check, http, run, monkeypatch):
    monkeypatch.setattr(_devpi.Devpi, "login", lambda client: client._call("DELETE", "/alice"))
    args = {"password": "alicepw-hidden"} if module == "devpi_user" else {}
    if args:
        http.expect("GET", "/alice", status=404, message="no user 'alice'")
    assert "Bug in wheelhouse.pypi: DELETE /alice" in run(module, check=check, name="alice", **args)["msg"]


def test_a_token_that_the_server_says_back_is_hidden(http, run):
    http.expect("GET", "/alice", status=404, message="no user 'alice'").login()
    http.expect("PUT", "/alice", {"password": "alicepw-hidden"}, status=400, message=f"bad token {TOKEN}")
    assert "bad token ********" in run("devpi_user", name="alice", password="alicepw-hidden")["msg"]


def test_an_error_in_a_module_keeps_its_traceback(http, run, monkeypatch):
    monkeypatch.setattr(_devpi.Devpi, "get_user", lambda _self, _name: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("devpi_user", name="alice")
