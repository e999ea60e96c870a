# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine whose users install from an index where even reading needs a login, set up by the role alone.

The machine is a container, the index the product's pypiserver on this one. The tests are the stages of one journey and
run in this order. Machines that playbooks set up, and a CA to trust: test_vagrant.py.
"""

from __future__ import annotations

import configparser

import pytest
import yaml
from commands import BIN, docker, run
from live_devpi import free_port
from live_pypiserver import LivePypiserver, wheel

MACHINE = "wheelhouse-client"
PASSWORD = "p%s #x"  # what netrc wants quoted, and configuration files may take for more than text
HASH = "$6$saltsaltsaltsalt$Q88i.tuI/AOxYLErQ4Dtqst/Zy3OYb7n2tt/oBS88xMWAqo0uzPhkPF3kgIKuWtQ0kp8iZF5pH73nx4TAokRv1"
NETRC = "machine other.test login alice password hers\n"
OURS = ["/etc/pip.conf", "/etc/uv/uv.toml", "/home/alice/.netrc", "/home/alice/.pypirc", "/home/bob/.netrc"]


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """An index that tells strangers nothing, with one release."""
    place = tmp_path_factory.mktemp("index")
    settings = {"users": f"reader:{HASH}\n", "authenticate": ["list", "download", "update"], "port": free_port()}
    with LivePypiserver(place / "server", **settings) as server:
        assert server.upload(*wheel("demo", "1.0"), user=("reader", PASSWORD))[0] == 200
        yield server


@pytest.fixture(scope="module")
def machine(lab):
    """Run a command on a Debian 13 with two users, one of whom logs in elsewhere already."""
    flags = ("--detach", "--rm", "--network", "host", "--name", MACHINE, "wheelhouse/lab:trixie", "sleep", "infinity")
    docker("run", *flags)
    try:
        for user in ("alice", "bob"):
            docker("exec", MACHINE, "useradd", "--create-home", user)
        write("/home/alice/.netrc", NETRC, "alice")
        docker("cp", str(BIN / "uv"), f"{MACHINE}:/usr/local/bin/uv")
        yield machine_says
    finally:
        docker("rm", "--force", "--volumes", MACHINE)


def machine_says(*command, user="root", home="/root"):
    return docker("exec", "--user", user, "--env", f"HOME={home}", "--workdir", "/", MACHINE, *command)


def write(path, content, user="root"):
    shell = 'mkdir -p "$(dirname "$0")" && printf %s "$1" > "$0"'
    docker("exec", "--user", user, MACHINE, "sh", "-c", shell, path, content)


@pytest.fixture(scope="module")
def role(machine, index, tmp_path_factory):
    """Run entry points of the role on the machine."""
    place = tmp_path_factory.mktemp("role")
    hosts = {
        MACHINE: {"ansible_connection": "community.docker.docker", "ansible_python_interpreter": "/usr/bin/python3"}
    }
    (place / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))

    def role(*entry_points, check=False, **variables):
        told = {
            "ansible_remote_tmp": "/tmp",  # noqa: S108 - the machine's
            "pypi_client_url": f"http://localhost:{index.port}/",
            "pypi_client_backend": "pypiserver",
            "pypi_client_users": ["alice", "bob"],
            **variables,
        }
        roles = [{"import_role": {"name": "wheelhouse.pypi.pypi_client", "tasks_from": name}} for name in entry_points]
        play = {"hosts": MACHINE, "become": True, "gather_facts": False, "vars": told, "tasks": roles}
        (place / "play.yml").write_text(yaml.safe_dump([play]))
        mode = ["--check"] if check else []
        return run(BIN / "ansible-playbook", "--inventory", place / "hosts.yml", place / "play.yml", *mode)

    return role


LOGIN = {
    "pypi_client_login": True,
    "pypi_client_username": "reader",
    "pypi_client_password": PASSWORD,
    "pypi_client_packages": ["python3-pip", "python3-venv"],
}


def files(machine):
    """Everything on the machine that Debian's packages do not change as they please."""
    places = ("/etc", "/home", "/root", "/usr/local", "/opt", "/nonexistent")
    return set(machine("sh", "-c", f"find {' '.join(places)} -not -type d 2> /dev/null | sort").splitlines())


def test_what_is_missing_or_unknown_is_refused_before_the_first_change(machine, role):
    before = files(machine)
    for variables, words in (
        ({"pypi_client_login": True}, "needed is the password of pypi, because reading needs a login"),
        ({**LOGIN, "pypi_client_users": ["mallory"]}, 'got ["mallory"], whom the machine does not know'),
        ({"pypi_client_packages": ["python3-venv; reboot"]}, "allowed is a list of names of Debian packages"),
    ):
        result = role("machine", **variables)
        assert (result.returncode, result.changed) == (2, 0), str(result)
        assert result.says(words), str(result)
    assert files(machine) == before


def test_machine_is_set_up_and_proves_it(machine, role):
    predicted = role("machine", check=True, **LOGIN)
    assert predicted.returncode == 0, str(predicted)
    assert predicted.changed > 0
    result = role("machine", "prove", **LOGIN)
    assert result.returncode == 0, str(result)
    assert result.says("/simple/: asked with pip and uv."), str(result)
    assert PASSWORD not in result.output
    for user in ("alice", "bob"):
        assert machine("stat", "--format", "%U %a", f"/home/{user}/.netrc") == f"{user} 600"
    assert machine("cat", "/home/alice/.netrc").startswith(NETRC)
    again = role("machine", "prove", **LOGIN)
    assert (again.returncode, again.changed) == (0, 0), str(again)


def test_users_install_by_name(machine):
    for user in ("alice", "bob"):
        home = f"/home/{user}"
        machine("python3", "-m", "venv", f"{home}/venv", user=user, home=home)
        for install in ((f"{home}/venv/bin/pip", "install"), ("uv", "pip", "install", "--python", f"{home}/venv")):
            machine(*install, "demo", user=user, home=home)
            machine(f"{home}/venv/bin/python", "-c", "import demo", user=user, home=home)
            machine("uv", "pip", "uninstall", "--python", f"{home}/venv", "demo", user=user, home=home)


def test_wrong_password_is_told(role):
    result = role("prove", **{**LOGIN, "pypi_client_password": "wrong"})
    assert result.returncode != 0
    assert result.says("gets no answer from the index"), str(result)
    assert result.says("that the password is right"), str(result)


def test_who_is_told_otherwise_by_others_is_told_so(machine, role):
    """As when an administrator has set another index for everybody, by a way that goes before ours."""
    write("/etc/xdg/uv/uv.toml", '[[index]]\nurl = "http://localhost:1/simple/"\ndefault = true\n')
    result = role("machine", "prove", **LOGIN)
    machine("rm", "-r", "/etc/xdg/uv")
    assert result.returncode != 0
    assert result.says(f"uv on {MACHINE} does not get through to"), str(result)
    assert result.says("/etc/xdg/uv/uv.toml"), str(result)


def test_uploading_is_asked_for(machine, role):
    result = role("machine", **LOGIN, **{"pypi_client_upload": True, "pypi_client_users": ["alice"]})
    assert result.returncode == 0, str(result)
    assert machine("stat", "--format", "%U %a", "/home/alice/.pypirc") == "alice 600"
    pypirc = configparser.RawConfigParser()
    pypirc.read_string(machine("cat", "/home/alice/.pypirc"))
    assert pypirc["private"]["password"] == PASSWORD
    assert machine("sh", "-c", "test -e /home/bob/.pypirc || echo none") == "none"


@pytest.mark.parametrize(
    ("path", "content", "words"),
    [
        ("/etc/pip.conf", "[global]\nindex-url = https://a:secret@b/\n", "/etc/pip.conf sets index-url: move"),
        ("/etc/uv/uv.toml", "offline = true\n", "/etc/uv/uv.toml sets offline: move"),
        ("/home/bob/.netrc", "machine localhost login x password secret\n", "an entry for this index already"),
    ],
)
def test_what_others_wrote_is_refused_and_stays(machine, role, path, content, words):
    before = machine("cat", path) + "\n"
    write(path, content)
    result = role("machine", **LOGIN)
    assert (result.returncode, result.changed) == (2, 0), str(result)
    assert result.says(words), str(result)
    assert "secret" not in result.output
    assert machine("cat", path) == content.strip()
    removed = role("machine_destroy", check=True)
    assert removed.returncode == 0, str(removed)
    write(path, before)


def test_destroy_takes_what_is_ours_and_nothing_else(machine, role):
    before = files(machine)
    assert set(OURS) <= before
    result = role("machine_destroy")
    assert result.returncode == 0, str(result)
    assert before - files(machine) == set(OURS) - {"/home/alice/.netrc"}
    assert machine("cat", "/home/alice/.netrc") + "\n" == NETRC
    again = role("machine_destroy")
    assert (again.returncode, again.changed) == (0, 0), str(again)
