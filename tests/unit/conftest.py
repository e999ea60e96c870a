# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible.module_utils.urls import Request
from live_devpi import LiveDevpi
from scripted_http import AUTH, PASSWORD, TOKEN, URL, ScriptedHttp

ROOT = Path(__file__).resolve().parents[2]
# ansible_collections is a namespace package: this adds the checkout to what is installed.
sys.path.insert(0, str(ROOT / "collections"))

MODULES = "ansible_collections.wheelhouse.pypi.plugins.modules"


@pytest.fixture
def run_module(capsys):
    """Run a module as Ansible does, JSON in and JSON out, and see that no secret comes out."""

    def run(module, args, secrets=()):
        main = importlib.import_module(f"{MODULES}.{module}").main
        with patch_module_args(args), pytest.raises(SystemExit) as end:
            main()
        output = capsys.readouterr().out
        for secret in (args.get("login_password"), args.get("password"), *secrets):
            assert not secret or secret not in output
        result = json.loads(output)
        assert bool(end.value.code) == result.get("failed", False)
        return result

    return run


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


@pytest.fixture(scope="session")
def live_devpi():
    """A real devpi-server, with nothing in it but its user root."""
    with LiveDevpi(ROOT) as server:
        yield server


@pytest.fixture
def live(live_devpi, run_module):
    """Run a module against the real server."""

    def run(module, check=False, **args):
        connection = {"url": live_devpi.url, "login_password": live_devpi.password, "_ansible_check_mode": check}
        return run_module(module, {**connection, **args})

    return run
