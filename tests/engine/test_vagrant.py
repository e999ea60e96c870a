# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`vagrant up` with the provider docker: an index and a client over real SSH, by the commands that people type.

The tests are the stages of one journey and run in this order.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest
from commands import BIN, docker, poll, run
from pages import typed
from tree import ROOT

PLACE = ROOT / "build/test/vagrant"
INVENTORY = "INVENTORY=inventories/vagrant"
CLIENTS = ROOT / "build/clients/vagrant"
INDEX = "http://192.168.56.10/pypi/stable/+simple/"
ENVIRONMENT = {
    "VAGRANT_HOME": str(PLACE / "home"),
    "VAGRANT_DOTFILE_PATH": str(PLACE / "machines"),
    "VAGRANT_DEFAULT_PROVIDER": "docker",
    "VAGRANT_NO_COLOR": "1",
    "VAGRANT_CHECKPOINT_DISABLE": "1",
}


def vagrant(*words):
    """Type `vagrant …`."""
    return run("vagrant", *words, **ENVIRONMENT)


def shell(line):
    """Type a whole line."""
    return run("bash", "-c", line, **ENVIRONMENT)


def make(*words, **environment):
    return run("make", *words, INVENTORY, **ENVIRONMENT | environment)


def on(machine, command):
    """What a command on a machine prints, as Vagrant's own user there."""
    done = vagrant("ssh", machine, "--no-tty", "--command", command)
    assert done.returncode == 0, str(done)
    return done.output


def changes(result):
    """Host → how many tasks changed something, as the recap says."""
    return {
        host: int(count) for host, count in re.findall(r"^(\w+) +: ok=\d+ +changed=(\d+)", result.output, re.MULTILINE)
    }


@pytest.fixture(scope="module", autouse=True)
def machines(lab):
    """No machines at the end, whatever happened."""
    subprocess.run(["apt-get", "update"], check=True)
    command = ["apt-get", "install", "--yes", "--no-install-recommends", "vagrant", "vagrant-libvirt"]
    subprocess.run(command, check=True, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})
    PLACE.mkdir(parents=True, exist_ok=True)
    yield
    vagrant("destroy", "--force")
    shutil.rmtree(PLACE)
    shutil.rmtree(CLIENTS, ignore_errors=True)


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The files of simple_test, version 1.0."""
    place = tmp_path_factory.mktemp("package")
    shutil.copytree(ROOT / "roles/pypi_verify/files/simple_test", place, dirs_exist_ok=True)
    subprocess.run(
        [sys.executable, place / "build_simple_test.py", place / "dist", "1.0"], check=True, capture_output=True
    )
    return list((place / "dist").iterdir())


@pytest.mark.parametrize("provider", ["virtualbox", "libvirt", "docker"])
def test_vagrantfile_is_valid_for_every_provider(provider):
    """What is set of VirtualBox itself is not looked at: Debian does not have it, and without it Vagrant refuses to."""
    words = ["--ignore-provider"] if provider == "virtualbox" else []
    result = run("vagrant", "validate", *words, **ENVIRONMENT | {"VAGRANT_DEFAULT_PROVIDER": provider})
    assert result.returncode == 0, str(result)


def test_up_brings_an_index_and_a_client_of_it():
    result = shell(typed("vagrant up --provider=docker"))
    assert result.returncode == 0, str(result)
    assert result.says("http://192.168.56.10/ works: 11 of 11 checks passed."), str(result)
    assert result.says(f"client installs from {INDEX}: asked with pip."), str(result)
    assert set(changes(result)) == {"index", "client"}, "one run of the playbook for both"


def test_package_that_was_uploaded_is_installed_by_name(package):
    uploaded = run(
        *(BIN / "python", "-m", "twine", "upload", "--non-interactive", "--config-file", CLIENTS / "pypirc"),
        *("--repository", "pypi-stable", *package),
    )
    assert uploaded.returncode == 0, str(uploaded)
    container = docker("ps", "--quiet", "--filter", "volume=/var/lib/docker", "--filter", "name=_client_")
    docker("cp", str(BIN / "uv"), f"{container}:/usr/local/bin/uv")
    on("client", "python3 -m venv venv && venv/bin/pip install simple-test")
    on("client", "uv venv other && uv pip install --python other simple-test")
    for environment in ("venv", "other"):
        assert "1.0" in on(
            "client", f"{environment}/bin/python -c 'import simple_test; print(simple_test.__version__)'"
        )


def test_package_is_made_uploaded_and_installed_by_the_lines_of_the_readme():
    shutil.rmtree(ROOT / "build/hello-index", ignore_errors=True)
    for line in (
        typed(".venv/bin/uv init --lib build/hello-index"),
        typed(".venv/bin/uv build build/hello-index"),
        typed(
            ".venv/bin/twine upload --config-file build/clients/vagrant/pypirc "
            "--repository pypi-stable build/hello-index/dist/*"
        ),
        typed("vagrant ssh client --command 'python3 -m venv try && try/bin/pip install hello-index'"),
    ):
        result = shell(line)
        assert result.returncode == 0, f"{line}\n{result}"


def test_provision_again_changes_nothing():
    result = vagrant("provision")
    assert result.returncode == 0, str(result)
    assert changes(result) == {"index": 0, "client": 0}, str(result)
    assert result.says(f"client installs from {INDEX}: asked with pip and uv."), str(result)


def test_verification_from_the_checkout():
    result = make("verify")
    assert (result.returncode, result.changed) == (0, 0), str(result)
    assert result.says("11 of 11 checks passed"), str(result)


def test_client_alone_is_set_up_anew():
    """Without the index host in the run: what clients are told is on it."""
    on("client", "sudo rm /etc/pip.conf")
    result = make("clients", "ARGS=--limit client", ANSIBLE_SSH_ARGS="-o ControlMaster=no")  # as on another day
    assert result.returncode == 0, str(result)
    assert changes(result) == {"client": 1}, str(result)
    assert f"index-url = {INDEX}" in on("client", "cat /etc/pip.conf")


def test_everything_is_back_by_itself_after_a_reboot():
    result = vagrant("reload", "index", "--no-provision")
    assert result.returncode == 0, str(result)
    poll(lambda: make("verify").returncode == 0, 120)
    on("client", "venv/bin/pip install --force-reinstall --no-cache-dir simple-test")


def test_destroy_takes_it_from_both():
    result = make("destroy", "PURGE=yes")
    assert result.returncode == 0, str(result)
    for machine in ("index", "client"):
        assert "wheelhouse" not in on(
            machine,
            "sudo find /etc /usr/local /opt /var/lib -name '*wheelhouse*'"
            " -not -path '/var/lib/docker/*' -not -path '/etc/dpkg/*'",
        )
    assert "gone" in on("client", "test -e /etc/pip.conf || test -e /etc/uv || echo gone")


def test_nothing_is_left():
    containers = [path.read_text() for path in (PLACE / "machines").rglob("docker/id")]
    volumes = docker("inspect", "--format", "{{range .Mounts}}{{.Name}} {{end}}", *containers).split()
    assert len(containers) == len(volumes) == 2
    result = shell(typed("vagrant destroy --force"))
    assert result.returncode == 0, str(result)
    assert not {*containers} & {*docker("container", "ls", "--all", "--quiet", "--no-trunc").split()}
    assert not {*volumes} & {*docker("volume", "ls", "--quiet").split()}
    assert "192.168.56" not in docker("network", "ls", "--format", "{{.Name}}")
    left = [path for path in (PLACE / "machines").rglob("*") if path.name in ("id", "private_key")]
    assert not left
