# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every module is tested and shown in use, and the devpi_ ones are in the group that sets their connection."""

from __future__ import annotations

import ast

import pytest
import yaml
from tree import MODULES, ROOT, load, mappings

every_module = pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)


def documentation(path):
    """What a plugin's file assigns to DOCUMENTATION, EXAMPLES and the like, without importing it."""
    return {
        statement.targets[0].id: ast.literal_eval(statement.value)
        for statement in ast.parse(path.read_text()).body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
    }


def options(module):
    """The options that a module documents, by itself and through fragments."""
    documented = yaml.safe_load(documentation(module)["DOCUMENTATION"])
    found = set(documented.get("options", {}))
    for fragment in documented.get("extends_documentation_fragment", []):
        namespace, collection, file, *section = fragment.split(".")
        assert (namespace, collection) == ("wheelhouse", "pypi")
        body = ast.parse((ROOT / f"plugins/doc_fragments/{file}.py").read_text()).body
        wanted = (section or ["DOCUMENTATION"])[0].upper()
        texts = [
            ast.literal_eval(statement.value)
            for holder in body
            if isinstance(holder, ast.ClassDef)
            for statement in holder.body
            if isinstance(statement, ast.Assign) and statement.targets[0].id == wanted
        ]
        found |= {option for text in texts for option in yaml.safe_load(text).get("options", {})}
    return found


@every_module
def test_module_has_unit_tests(module):
    """A module that nothing calls in check mode, with a diff and twice is not finished. Actions call theirs."""
    kind = "action" if (ROOT / f"plugins/action/{module.name}").exists() else "modules"
    assert (ROOT / f"tests/unit/plugins/{kind}/test_{module.stem}.py").is_file()


@every_module
def test_examples_use_documented_options_alone(module):
    """Examples are what people copy."""
    uses = [
        mapping[f"wheelhouse.pypi.{module.stem}"] or {}
        for mapping in mappings(yaml.safe_load(documentation(module)["EXAMPLES"]))
        if f"wheelhouse.pypi.{module.stem}" in mapping
    ]
    assert uses
    assert set().union(*uses) <= options(module)


def test_every_devpi_module_takes_its_connection_from_the_action_group():
    """A module outside the group would not see what module_defaults says for it, and ask for a password again."""
    groups = load(ROOT / "meta/runtime.yml")["action_groups"]
    assert sorted(groups["devpi"]) == [path.stem for path in MODULES if path.stem.startswith("devpi_")]


def test_the_connection_of_devpi_is_for_devpi_modules_alone():
    """An option that a module offers and does not heed is a lie."""
    connected = {
        path.stem
        for path in MODULES
        if "wheelhouse.pypi._devpi"
        in yaml.safe_load(documentation(path)["DOCUMENTATION"]).get("extends_documentation_fragment", [])
    }
    assert connected == {path.stem for path in MODULES if path.stem.startswith("devpi_")}
