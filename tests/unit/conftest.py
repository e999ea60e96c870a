# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.module_utils.urls import Request
from scripted_http import AUTH, PASSWORD, TOKEN, URL, ScriptedHttp


@pytest.fixture
def http(monkeypatch):
    """The scripted server; what the test has written and the module has not asked for is a failure."""
    script = ScriptedHttp()
    monkeypatch.setattr(Request, "open", lambda _self, *args, **kwargs: script.open(*args, **kwargs))
    yield script
    assert not script.steps, f"never called: {script.steps}"


@pytest.fixture
def run(http, run_module):
    """Run a module against the scripted server; in check mode that refuses to write."""

    def run(module, check=False, **args):
        http.read_only = check
        args = {"url": URL + "/", "login_password": PASSWORD, "_ansible_check_mode": check, **args}
        result = run_module(module, args, secrets=[TOKEN, AUTH])
        assert not http.steps, f"never called: {http.steps}"
        return result

    return run
