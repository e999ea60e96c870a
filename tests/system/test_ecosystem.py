# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the ecosystem's own tools find in the collection: ansible-test, antsibull-docs and Galaxy's importer."""

from __future__ import annotations

import ast
import configparser
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import ansible_collections.ansible
import pytest
from environments import installed
from tree import ROOT, committed

BIN = Path(sys.executable).parent
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
HOME = ROOT / "build/test/ansible-test"
# In place of the script that ansible-test otherwise downloads for each of its environments, from a host of its own.
GET_PIP = """\
import subprocess, sys
wanted = [word for word in sys.argv[1:] if not word.startswith("--no-")]
sys.exit(subprocess.call([{python!r}, "-m", "pip", "--python", sys.executable, "install", *wanted]))
"""


def run(*command, cwd, **environment):
    """What a tool says, which has to end well."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=clean | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20000:]
    return done.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The collection as it lies in a path of collections: what is committed, and no link back to it."""
    tree = tmp_path_factory.mktemp("collections") / "ansible_collections/wheelhouse/pypi"
    for path in committed():
        copy = tree / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    return tree


def configuration_of_pip():
    """What pip is told by the files and variables of this machine; ansible-test hides the variables from it."""
    said = subprocess.run([BIN / "python", "-m", "pip", "config", "list"], check=True, capture_output=True, text=True)
    configuration = configparser.RawConfigParser()
    for line in said.stdout.splitlines():
        name, _equals, value = line.partition("=")
        section, _dot, option = name.rpartition(".")
        section = "global" if section == ":env:" else section
        configuration.read_dict({section: {option: ast.literal_eval(value)}})
    return configuration


@pytest.fixture(scope="module")
def ansible_test(tree):
    """Run ansible-test in environments that it makes itself, and keeps under build/test/."""
    requirements = Path(importlib.util.find_spec("ansible_test").origin).parent / "_internal/python_requirements.py"
    [version] = re.findall(r"pip='([\d.]+)'", requirements.read_text())
    get_pip = HOME / f".ansible/test/cache/get_pip_{version.replace('.', '_')}.py"
    get_pip.parent.mkdir(parents=True, exist_ok=True)
    get_pip.write_text(GET_PIP.format(python=sys.executable))
    pip = HOME / ".config/pip/pip.conf"
    pip.parent.mkdir(parents=True, exist_ok=True)
    pip.touch(mode=0o600)  # the address of an index may hold a password
    with pip.open("w") as file:
        configuration_of_pip().write(file)

    def ansible_test(command, *arguments):
        path = f"{BIN}:{os.environ['PATH']}"
        tool = [BIN / "ansible-test", command, "--venv", "--python", PYTHON, "--color", "no"]
        return run(*tool, *arguments, cwd=tree, HOME=str(HOME), PATH=path)

    return ansible_test


def test_sanity(ansible_test, tree):
    """Every test that ansible-test knows for a collection, with none ignored."""
    assert not (tree / "tests/sanity").exists()  # where files to ignore would be named
    said = ansible_test("sanity")
    assert "validate-modules" in said
    assert "Skipping" not in said


def test_units(ansible_test):
    """The unit tests again, from the collection's path: modules see nothing of Ansible but module_utils."""
    said = ansible_test("units", "--num-workers", "1")
    for context in ("modules", "module_utils", "controller"):
        assert f"Unit test {context} with Python {PYTHON}" in said
    assert not re.search(r"\d+ (skipped|xfailed|deselected)", said)


@pytest.fixture(scope="module")
def tools(tree, tmp_path_factory):
    """Run a tool that is for those who publish. What the collection depends on is that of the package ansible."""
    tools = installed("publishing", ROOT / "tests") / "bin"
    place = tmp_path_factory.mktemp("ansible")
    (place / "ansible_collections").symlink_to(Path(ansible_collections.ansible.__path__[0]).parent)
    environment = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "HOME": str(place),
        "PYTHONPATH": str(place),  # the importer sets the path of collections for itself; this one it leaves
        "ANSIBLE_COLLECTIONS_PATH": str(tree.parents[2]),
        "GALAXY_IMPORTER_RUN_ANSIBLE_LINT": "no",
    }

    def tool(name, *arguments, cwd=tree):
        return run(tools / name, *arguments, cwd=cwd, **environment)

    return tool


def test_documentation_keeps_to_the_schema(tools):
    """Roles and modules: every text, every reference from one to another, every example's syntax."""
    tools("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--check-extra-docs-refs", ".")


def test_galaxy_imports_the_archive(tools, tmp_path):
    """As Galaxy does it; it has nothing but warnings that our roles have no metadata of their own.

    Roles of a collection need none: their specification says what they are. What Galaxy runs besides is run elsewhere:
    ansible-test, in a container that few can pull, is test_sanity; ansible-lint, which it grants three minutes on any
    machine, is tests/lint, with Galaxy's profile and more.
    """
    tools("ansible-galaxy", "collection", "build", "--output-path", tmp_path)
    [archive] = tmp_path.glob("wheelhouse-pypi-*.tar.gz")
    said = tools("python", "-m", "galaxy_importer.main", archive, cwd=tmp_path)
    assert said.splitlines()[-1] == "Importer processing completed successfully"
    unexpected = re.findall(
        r"^(?:WARNING|ERROR)(?!: Could not get role description, no role metadata).*", said, re.MULTILINE
    )
    assert not unexpected
