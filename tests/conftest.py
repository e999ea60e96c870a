# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How tests call a module, and where they find what they share."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest
from ansible.module_utils import _internal
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args

TESTS = Path(__file__).resolve().parent
# ansible-test does not read pytest.ini, which says the same. Behind it the collection, from a checkout:
# ansible_collections is a namespace package, so this adds to what is installed.
sys.path[:0] = [str(TESTS), str(TESTS.parent / "collections")]

pytest_plugins = ["lines", "authority"]


@pytest.fixture
def run_module(capsys, monkeypatch):
    """Run a module as Ansible does, JSON in and JSON out, and see that no secret comes out."""

    def run(module, args, secrets=()):
        main = importlib.import_module(f"ansible_collections.wheelhouse.pypi.plugins.modules.{module}").main
        # Each run of a module is a process of its own, where nothing of the controller is imported.
        monkeypatch.setattr(warnings, "_global_warnings", {})
        monkeypatch.setattr(_internal, "is_controller", False)
        # Not to the system's log, which this is no business of, and which refuses NUL since Python 3.13.
        with patch_module_args({**args, "_ansible_no_log": True}), pytest.raises(SystemExit) as end:
            main()
        output = capsys.readouterr().out
        for secret in (args.get("login_password"), args.get("password"), *secrets):
            assert not secret or secret not in output
        result = json.loads(output)
        assert bool(end.value.code) == result.get("failed", False)
        return result

    return run
