# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release, by those who have nothing but its archive, at both ends of the supported ansible-core.

The newest is in the execution environment: ansible-builder makes it from execution-environment.yml and the archive, and
it brings up an index over SSH, as a user with a sudo password. The oldest is the controller of requirements.txt: the
archive is installed offline into an empty home, and a playbook of one's own puts an index on the same host with the
roles. What either says has no warning in it. The tests are the stages of one journey and run in this order.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile

import pytest
import yaml
from archive import build
from commands import BIN, Result, docker, poll, run
from packaging.utils import canonicalize_name
from tree import ROOT, committed, load

VERSION = load(ROOT / "galaxy.yml")["version"]
NAME = "wheelhouse-release"
HOST, CONTROLLER, IMAGE = f"{NAME}-host", f"{NAME}-controller", f"wheelhouse/controller:{VERSION}"
SERVED = "pypi.example.com"
PASSWORD = "sudo asks for this"
# As ansible-core will be one day, and everything it has to say about what will not do then.
STRICT = {"ANSIBLE_INJECT_FACT_VARS": "false", "ANSIBLE_DEPRECATION_WARNINGS": "true", "ANSIBLE_NOCOLOR": "1"}
SYSTEMD = """
    --cgroupns=host --volume=/sys/fs/cgroup:/sys/fs/cgroup:rw --tmpfs=/run --tmpfs=/run/lock
    --env=SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1 --env=container=docker
    --security-opt=seccomp=unconfined --security-opt=apparmor=unconfined
"""
# Units confine themselves, which takes what a machine may do. The hosts of a scenario may.
CAPABILITIES = load(ROOT / "molecule/fleet/molecule.yml")["platforms"][0]["capabilities"]
PYTEST = ("pytest", "pytest-xdist", "execnet", "iniconfig", "packaging", "pluggy", "pygments")


@pytest.fixture(scope="module")
def archive():
    """The archive, where execution-environment.yml looks for it."""
    return build(ROOT / "build")


@pytest.fixture(scope="module")
def host(lab):
    """An inventory host with systemd, where an ordinary user logs in with a key and is asked for a password by sudo."""
    clean_up()
    docker("network", "create", NAME)
    named = f"--name={HOST} --network={NAME} --network-alias={SERVED}".split()
    docker(
        "run",
        "--detach",
        *named,
        *SYSTEMD.split(),
        *(f"--cap-add={capability}" for capability in CAPABILITIES),
        "wheelhouse/lab:trixie",
        "/sbin/lab-init",
        "systemd.wants=ssh.service",
    )
    on_host("useradd --create-home --groups=sudo --shell=/bin/bash admin")
    on_host("chpasswd", f"admin:{PASSWORD}")
    poll(lambda: "running" in on_host("systemctl is-system-running").output, 60)
    yield HOST
    clean_up()


@pytest.fixture(scope="module")
def image(engine, archive, tmp_path_factory):
    """The execution environment, on a Debian that trusts what this machine trusts."""
    words = {"name": "debian", "reference": "wheelhouse/debian:trixie", "context": str(ROOT / "tests/engine/debian")}
    words = json.dumps({f"container_image_{key}": value for key, value in words.items()})
    based = run(BIN / "ansible-playbook", "--inventory", "localhost,", "tests/engine/image.yml", "--extra-vars", words)
    assert based.returncode == 0, str(based)
    context = tmp_path_factory.mktemp("context")
    created = run(BIN / "ansible-builder", "create", "--context", context, "--output-filename", "Dockerfile")
    assert created.returncode == 0, str(created)
    built = run(
        *("docker", "build", "--build-arg", "EE_BASE_IMAGE=wheelhouse/debian:trixie", "--tag", IMAGE, context),
        DOCKER_BUILDKIT="0",  # what every engine has
    )
    assert built.returncode == 0, str(built)
    return IMAGE


@pytest.fixture(scope="module")
def newest(image, host, tmp_path_factory):
    """Run a command in the execution environment, as its own user, who has a key to the host."""
    docker("run", "--detach", f"--name={CONTROLLER}", f"--network={NAME}", image, "sleep", "infinity")

    def newest(*command, **environment):
        options = [f"--env={name}={value}" for name, value in (STRICT | environment).items()]
        return run("docker", "exec", *options, CONTROLLER, "/opt/builder/bin/entrypoint", *command)

    key = newest("sh", "-c", "ssh-keygen -q -t ed25519 -N '' -f /runner/key && cat /runner/key.pub").output
    on_host("install --directory --owner=admin --mode=0700 /home/admin/.ssh")
    on_host("tee /home/admin/.ssh/authorized_keys", key)
    variables = {
        "ansible_user": "admin",
        "ansible_become_password": PASSWORD,
        "ansible_ssh_private_key_file": "/runner/key",
        "ansible_ssh_common_args": "-o StrictHostKeyChecking=accept-new",
        "ansible_python_interpreter": "/usr/bin/python3",
        "pypi_server_deployment": "systemd",
        "nginx_proxy_server_name": SERVED,
        "nginx_proxy_tls": "selfsigned",
        "pypi_client_directory": "/runner/clients",
    }
    inventory = tmp_path_factory.mktemp("newest") / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"pypi": {"hosts": {SERVED: variables}}}))
    docker("cp", str(inventory), f"{CONTROLLER}:/runner/hosts.yml")
    return newest


@pytest.fixture(scope="module")
def oldest(archive, host, tmp_path_factory):
    """Run a tool of ansible where the archive is installed and nothing else is: another directory, an empty home."""
    home, away = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("away")
    clean = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
    clean |= {
        "PATH": f"{BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(home),
        **STRICT,
    }

    def oldest(tool, *arguments):
        ran = subprocess.run(
            [BIN / tool, *arguments],
            cwd=away,
            env=clean,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Result(ran.returncode, ran.stdout)

    installed = oldest("ansible-galaxy", "collection", "install", "--offline", archive)
    assert installed.says(f"wheelhouse.pypi:{VERSION} was installed successfully"), str(installed)
    variables = {"ansible_connection": "community.docker.docker", "ansible_python_interpreter": "/usr/bin/python3"}
    (away / "hosts.yml").write_text(yaml.safe_dump({"builders": {"hosts": {HOST: variables}}}))
    shutil.copy(ROOT / "tests/engine/own_playbook.yml", away / "own_playbook.yml")
    return oldest


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A wheel to serve."""
    place = tmp_path_factory.mktemp("package")
    source = ROOT / "roles/pypi_verify/files/simple_test"
    for path in source.glob("*.*"):
        shutil.copy(path, place)
    subprocess.run([sys.executable, "build_simple_test.py", "dist", "1.0"], cwd=place, check=True, capture_output=True)
    [wheel] = place.glob("dist/*.whl")
    return wheel


def clean_up():
    for container in docker("ps", "--all", "--format", "{{.Names}}", "--filter", f"name={NAME}").split():
        docker("rm", "--force", "--volumes", container)
    if NAME in docker("network", "ls", "--format", "{{.Name}}").split():
        docker("network", "rm", NAME)
    # What the stages of the build left; what is younger may be a step of another build.
    docker("image", "prune", "--force", "--filter", "label=wheelhouse.pypi.inputs", "--filter", "until=5s")


def on_host(command, told=""):
    """Run a command on the host, which may be told a text; how it ended."""
    words = ["docker", "exec", "--interactive", HOST, *command.split()]
    ran = subprocess.run(words, input=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return Result(ran.returncode, ran.stdout)


def left():
    """What is there of an index on the host."""
    found = on_host("find /etc /opt /var/lib -xdev -path /etc/dpkg -prune -o -name *wheelhouse* -print")
    return found.output.split()


def fine(result):
    """A run that did what it should, without a word of warning."""
    print(result.output)
    assert result.returncode == 0, str(result)
    assert not re.findall(r"^.*(?:\[(?:DEPRECATION )?WARNING\]|DeprecationWarning).*$", result.output, re.MULTILINE)
    return result


def playbook(name, *more):
    return ("ansible-playbook", f"wheelhouse.pypi.{name}", "--inventory", "/runner/hosts.yml", *more)


def test_execution_environment_is_what_it_says(newest):
    said = fine(newest("ansible", "--version")).output
    pins = dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / "execution-environment.txt").read_text(), re.MULTILINE))
    assert f"ansible [core {pins['ansible-core']}]" in said
    assert "python version = 3.13." in said
    listed = json.loads(newest("ansible-galaxy", "collection", "list", "wheelhouse.pypi", "--format=json").output)
    assert [found["wheelhouse.pypi"]["version"] for found in listed.values()] == [VERSION]
    frozen = json.loads(newest("pip", "list", "--format=json").output)
    frozen = {canonicalize_name(kept["name"]): kept["version"] for kept in frozen if kept["name"] != "pip"}
    assert frozen == {name: pins[name] for name in frozen}


def test_newest_ansible_brings_up_an_index_from_the_archive(newest):
    fine(newest(*playbook("up_pypi", "--syntax-check")))
    result = fine(newest(*playbook("up_pypi")))
    assert result.says(f"https://{SERVED}/ works: 16 of 16 checks passed."), str(result)


def test_newest_ansible_changes_nothing_again(newest):
    assert fine(newest(*playbook("up_pypi"))).changed == 0


def test_newest_ansible_verifies_and_takes_down(newest):
    assert fine(newest(*playbook("verify"))).changed == 0
    fine(newest(*playbook("destroy", "--extra-vars", '{"pypi_server_purge": true}')))
    assert left() == []


def test_modules_pass_their_unit_tests_there(newest):
    """As root, which they are on a host; with pytest as it is pinned, and none of the tests that bring up a server."""
    pins = (ROOT / "tests/requirements.txt").read_text()
    pins = [re.search(rf"^{name}==(?:.*\\\n)*.*\n", pins, re.MULTILINE)[0] for name in PYTEST]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as checkout:
        for path in [*committed(), ROOT / "collections/ansible_collections/wheelhouse/pypi"]:
            checkout.add(path, path.relative_to(ROOT))
        names = tarfile.TarInfo("pytest.txt")
        names.size = len("".join(pins))
        checkout.addfile(names, io.BytesIO("".join(pins).encode()))
    newest("mkdir", "/runner/checkout")
    brought = ["docker", "cp", "-", f"{CONTROLLER}:/runner/checkout"]
    subprocess.run(brought, input=packed.getvalue(), check=True, capture_output=True)
    exec_ = ["docker", "exec", "--user=0", "--workdir=/runner/checkout", "--env=PYTHONPATH=/runner/pytest", CONTROLLER]
    had = run(*exec_, "pip", "install", "--target=/runner/pytest", "--no-deps", "--require-hashes", "-r", "pytest.txt")
    assert had.returncode == 0, str(had)
    tested = run(*exec_, "python", "-m", "pytest", "--quiet", "tests/unit", "--ignore=tests/unit/test_devpi_live.py")
    assert tested.returncode == 0, str(tested)


def test_own_playbook_brings_up_an_index_with_the_roles(oldest, package):
    own = ("ansible-playbook", "own_playbook.yml", "--inventory", "hosts.yml")
    fine(oldest(*own))
    docker("cp", str(package), f"{HOST}:/var/lib/wheelhouse/pypi/packages/")
    pip = on_host("find /opt/wheelhouse -maxdepth 3 -name pip").output.strip()
    had = f"{pip} --isolated download --dest=/root --index-url=http://127.0.0.1:3141/simple/ simple-test==1.0"
    poll(lambda: on_host(had).returncode == 0, 10)
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    assert on_host(f"sha256sum /root/{package.name}").output.split()[0] == digest
    assert fine(oldest(*own)).changed == 0


def test_own_playbook_is_undone_by_destroy(oldest):
    words = ("--extra-vars", '{"pypi_hosts": "builders", "pypi_server_purge": true}')
    fine(oldest("ansible-playbook", "wheelhouse.pypi.destroy", "--inventory", "hosts.yml", *words))
    assert left() == []
