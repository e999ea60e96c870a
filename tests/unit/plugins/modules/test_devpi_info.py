# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from scripted_http import AUTH, PASSWORD, URL

MIRROR = {"type": "mirror", "volatile": False, "mirror_url": "https://mirror.example.com/simple/"}
STAGE = {"type": "stage", "volatile": True, "bases": ["root/up"], "constraints": ["plugin"]}
SERVER = {
    "root": {"username": "root", "created": "2026-07-01T10:00:00Z", "indexes": {"up": MIRROR}},
    "pypi": {"username": "pypi", "email": "pypi@example.com", "indexes": {"stable": STAGE, "dev": STAGE}},
}
ROOT = {"name": "root", "created": "2026-07-01T10:00:00Z", "indexes": ["root/up"]}
PYPI = {"name": "pypi", "email": "pypi@example.com", "indexes": ["pypi/dev", "pypi/stable"]}


def index(name):
    return {name: {"name": name, **(MIRROR if name == "root/up" else STAGE)}}


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("name", "users", "indexes"),
    [
        (None, {"root": ROOT, "pypi": PYPI}, {**index("root/up"), **index("pypi/stable"), **index("pypi/dev")}),
        ("pypi", {"pypi": PYPI}, {**index("pypi/stable"), **index("pypi/dev")}),
        ("pypi/stable", {}, index("pypi/stable")),
        ("alice", {}, {}),
        ("pypi/nothing", {}, {}),
        ("pyp", {}, {}),
    ],
)
def test_reads_all_or_one_without_login(check, name, users, indexes, http, run_module):
    http.read_only = True
    http.expect("GET", "/", result=SERVER)
    result = run_module("devpi_info", {"url": URL, "name": name, "_ansible_check_mode": check})
    assert not result["changed"]
    assert result["version"] == "6.20.3"
    assert result["authenticated"] is False
    assert result["users"] == users
    assert result["indexes"] == indexes


def test_logs_in_when_a_password_is_given(http, run, monkeypatch):
    seen = []
    monkeypatch.setattr(
        http, "open", lambda *args, _open=http.open, **kwargs: seen.append(kwargs) or _open(*args, **kwargs)
    )
    http.login().expect("GET", "/", result={})
    assert run("devpi_info")["authenticated"] is True
    assert seen[1]["headers"] == {"X-Devpi-Auth": AUTH}

    http.login(accepted=False)
    assert "does not accept the password of 'root'" in run("devpi_info")["msg"]


def test_credentials_in_mirror_urls_are_never_shown(http, run_module):
    secret = {**MIRROR, "mirror_url": "https://bot:s3cret-word@mirror.example.com/simple/"}
    http.expect("GET", "/", result={"root": {"username": "root", "indexes": {"up": secret}}})
    result = run_module("devpi_info", {"url": URL}, secrets=[PASSWORD, "s3cret-word"])
    assert result["indexes"]["root/up"]["mirror_url"] == "https://********@mirror.example.com/simple/"


@pytest.mark.parametrize("name", ["", "/", "a/b/c", "Alice", "alice\n", "alice/dev\n", "{{ x }}"])
def test_bad_names_are_refused_before_any_request(name, run_module):
    assert run_module("devpi_info", {"url": URL, "name": name})["msg"].startswith("Expected name to be user")


def test_a_proxy_that_hides_the_version_does_no_harm(http, run_module):
    http.expect("GET", "/", result={})
    method, path, body, status, text, _headers, error = http.steps.pop()
    http.steps.append((method, path, body, status, text, {}, error))
    assert run_module("devpi_info", {"url": URL})["version"] is None
