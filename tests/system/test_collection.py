# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection's archive holds what users need and nothing else, and works where there is no checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from archive import build
from pages import typed
from tree import MODULES, ROLES, ROOT

ALLOWED = {
    *("FILES.json", "MANIFEST.json", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "requirements.txt"),
    *("docs", "inventories", "meta", "playbooks", "plugins", "roles", "templates"),
}


def run(tool, *arguments, cwd, returncode=0, **environment):
    """Run a tool of ansible as somebody without a checkout does: in another directory, with nothing configured."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    done = subprocess.run(
        [Path(sys.executable).parent / tool, *arguments],
        cwd=cwd,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == returncode, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The archive, whatever else lies in this checkout."""
    return build(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="module")
def installed(archive, tmp_path_factory):
    """Run a tool of ansible where the archive is installed. What it depends on came with ansible itself."""
    path = tmp_path_factory.mktemp("installed")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    run("ansible-galaxy", "collection", "install", "--offline", "-p", path, archive, cwd=elsewhere)

    def installed(tool, *arguments, **options):
        return run(tool, *arguments, cwd=elsewhere, ANSIBLE_COLLECTIONS_PATH=str(path), **options)

    return installed


@pytest.fixture(scope="module")
def inventory(tmp_path_factory):
    """One host whose port cannot be."""
    host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "nginx_proxy_port": 0}
    hosts = tmp_path_factory.mktemp("inventory") / "hosts.yml"
    hosts.write_text(yaml.safe_dump({"pypi": {"hosts": {"index": host}}}))
    return hosts


def test_archive_holds_what_users_need_and_nothing_else(archive):
    with tarfile.open(archive) as content:
        names = [Path(member.name) for member in content]
    assert {name.parts[0] for name in names} <= ALLOWED
    assert {"README.md", "meta", "playbooks", "plugins", "roles", "templates"} <= {name.parts[0] for name in names}
    assert not [name for name in names if name.suffix == ".pyc" or "secrets" in name.parts]


def test_archive_has_the_same_bytes_each_time(archive, tmp_path):
    """Whoever has the commit can tell whether an archive was made of it."""
    assert build(tmp_path).read_bytes() == archive.read_bytes()


def test_modules_of_the_installed_collection_are_documented(installed):
    modules = [f"wheelhouse.pypi.{module.stem}" for module in MODULES]
    documented = json.loads(installed("ansible-doc", "--json", "--type", "module", *modules))
    assert list(documented) == modules
    assert all(module["examples"] and module["return"] for module in documented.values())


def test_lines_of_the_readme_install_it_and_run_its_playbook(archive, inventory, tmp_path):
    """In a directory that has the archive and an inventory, for a user who has nothing else."""
    shutil.copy(archive, tmp_path)
    shutil.copytree(inventory.parent, tmp_path / "my-inventory")

    def shell(line):
        clean = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        clean |= {"HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:{clean['PATH']}"}
        return subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, env=clean, capture_output=True, text=True, check=False
        )

    done = shell(typed("ansible-galaxy collection install ./wheelhouse-pypi-*.tar.gz"))
    assert done.returncode == 0, done.stdout + done.stderr
    documented = shell(typed("ansible-doc -t role wheelhouse.pypi.pypi_server"))
    assert "pypi_server_backend" in documented.stdout, documented.stderr
    refused = shell(typed("ansible-playbook wheelhouse.pypi.up_pypi -i my-inventory"))
    assert "nginx_proxy_port on index: got 0, allowed is" in " ".join(refused.stdout.split()), refused.stdout


def test_roles_of_the_installed_collection_are_documented(installed):
    roles = [f"wheelhouse.pypi.{role.name}" for role in ROLES]
    documented = json.loads(installed("ansible-doc", "--json", "--type", "role", *roles))
    assert sorted(documented) == roles
    assert all(role["entry_points"]["main"]["short_description"] for role in documented.values())


@pytest.mark.parametrize("playbook", sorted(path.stem for path in ROOT.glob("playbooks/*.yml")))
def test_playbook_of_the_installed_collection_is_found_by_its_full_name(installed, inventory, playbook):
    installed("ansible-playbook", f"wheelhouse.pypi.{playbook}", "-i", inventory, "--syntax-check")


def test_up_pypi_of_the_installed_collection_has_every_part(installed, inventory):
    tasks = installed("ansible-playbook", "wheelhouse.pypi.up_pypi", "-i", inventory, "--list-tasks")
    for role in ("pypi_server", "nginx_proxy"):
        assert f"wheelhouse.pypi.{role} : " in tasks
    # What these include is not known yet.
    for task in ("Look at the engine", "Write the client files", "Verify", "Say how to use it"):
        assert f" {task}\t" in tasks


def test_up_pypi_of_the_installed_collection_refuses_bad_input(installed, inventory):
    output = installed("ansible-playbook", "wheelhouse.pypi.up_pypi", "-i", inventory, "--check", returncode=2)
    assert "nginx_proxy_port on index: got 0, allowed is a whole number from 1 to 65535." in " ".join(output.split())
    assert "changed=0" in output
