# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an inventory may say of devpi: its options, groups, mirrors, constrained and private indexes, and pruning.

The role talks to a real devpi-server that the test starts by itself, without a container.
"""

from __future__ import annotations

import subprocess

import pytest
import requests
import yaml
from ansible_collections.wheelhouse.pypi.plugins.modules.index_verify import SCRATCH
from commands import BIN, run
from environments import installed
from live_devpi import SOFTWARE, LiveDevpi
from tree import ROOT

PLAY = """
- name: Make users and indexes
  hosts: localhost
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - name: Refuse bad input before the first change
      ansible.builtin.include_role:
        name: wheelhouse.pypi.pypi_server
        tasks_from: preflight
        public: true

    - name: Write the configuration
      ansible.builtin.template:
        src: "{{ role }}/templates/devpi-server.yml.j2"
        dest: "{{ configuration }}"
        mode: "0600"
      when: configuration is defined

    - name: Make users and indexes
      ansible.builtin.include_role:
        name: wheelhouse.pypi.pypi_server
        tasks_from: content/devpi
      when: configuration is not defined
"""
PASSWORD = "never-shown-in-full"
# Nobody listens there, and without the list of projects nobody is asked before a client asks.
UPSTREAM = {"type": "mirror", "mirror_url": "http://127.0.0.1:9/simple/", "mirror_no_project_list": True}
USERS = [
    {"name": "alice", "description": "Releases", "custom_data": {"team": 1}},
    {"name": "ci"},
]
INDEXES = [
    {"name": "root/up", **UPSTREAM, "mirror_use_external_urls": True, "mirror_provides_core_metadata": True}
    | {"mirror_ignore_serial_header": True, "mirror_web_url_fmt": "http://127.0.0.1:9/{name}", "description": "Up"},
    {"name": "ci/private", "bases": [], "volatile": False, "acl_upload": ["@team", "ci"]},
    {
        "name": "ci/open",
        "bases": ["ci/private", "root/up"],
        "acl_upload": [":AUTHENTICATED:"],
        "acl_toxresult_upload": ["@team"],
        "mirror_whitelist": ["pip"],
        "mirror_whitelist_inheritance": "union",
        "custom_data": ["x"],
    },
    {"name": "ci/tame", "type": "constrained", "bases": ["root/up"], "constraints": ["*", "Foo_Bar >= 2, < 3"]},
]
PRIVATE = INDEXES[1]
DECLARED = {
    "pypi_server_users": USERS,
    "pypi_server_groups": {"team": ["ci", "alice"], "nobody": []},
    "pypi_server_indexes": INDEXES,
}
FEW = {"pypi_server_users": USERS[1:], "pypi_server_groups": {"team": []}, "pypi_server_indexes": [PRIVATE]}


@pytest.fixture
def devpi():
    with LiveDevpi() as server:
        yield server


@pytest.fixture
def play(tmp_path):
    """Run the role for an inventory that declares this."""

    def play(*arguments, **declared):
        declared["role"] = str(ROOT / "roles/pypi_server")
        (tmp_path / "play.yml").write_text(PLAY)
        (tmp_path / "declared.yml").write_text(yaml.safe_dump(declared))
        inventory = ["--inventory", "localhost,", "--connection", "local", "--extra-vars", f"@{tmp_path}/declared.yml"]
        return run(BIN / "ansible-playbook", *inventory, *arguments, tmp_path / "play.yml")

    return play


@pytest.fixture
def make(play, devpi):
    """Run the role against the server."""
    credentials = {"root": devpi.password, **dict.fromkeys(["alice", "ci", "eve"], PASSWORD)}
    server = {"pypi_server_url": devpi.url, "pypi_server_credentials": credentials}

    def make(*arguments, **declared):
        result = play(*arguments, **{**server, **DECLARED, **declared})
        assert PASSWORD not in result.output
        assert devpi.password not in result.output
        return result

    return make


@pytest.fixture
def write(devpi):
    """Write to the server past the role, as somebody else may."""

    def write(method, path, **body):
        reply = requests.request(
            method,
            devpi.url + path,
            json=body,
            auth=("root", devpi.password),
            headers={"Accept": "application/json"},
            timeout=10,
        )
        assert reply.status_code in (200, 201), reply.text

    return write


def indexes(devpi):
    """Every index of the server by name."""
    users = devpi.get("")[0]
    return {f"{user}/{name}": index for user in users for name, index in users[user].get("indexes", {}).items()}


def checked(path):
    return subprocess.run(
        [installed("devpi") / "bin/python", ROOT / SOFTWARE / "check-configuration", path],
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_declared_is_made_once_and_in_check_mode_not_at_all(devpi, make):
    start = devpi.serial()
    predicted = make("--check")
    assert predicted.returncode == 0, str(predicted)
    assert predicted.changed == 1, str(predicted)
    assert "WARNING" not in predicted.output
    assert devpi.serial() == start

    made = make()
    assert made.returncode == 0, str(made)
    assert made.changed == 1, str(made)
    end, found = devpi.serial(), indexes(devpi)
    again = make()
    assert again.returncode == 0, str(again)
    assert again.changed == 0, str(again)
    assert devpi.serial() == end

    assert set(found) == {index["name"] for index in INDEXES}
    assert found["root/up"].items() >= (INDEXES[0].items() - {("name", "root/up")})
    assert found["ci/private"]["acl_upload"] == ["alice", "ci"]
    assert found["ci/private"]["bases"] == []
    assert found["ci/open"]["acl_upload"] == [":AUTHENTICATED:"]
    assert found["ci/open"]["acl_toxresult_upload"] == ["alice", "ci"]
    assert found["ci/open"]["mirror_whitelist_inheritance"] == "union"
    assert found["ci/open"]["custom_data"] == ["x"]
    assert found["ci/tame"]["constraints"] == ["*", "foo-bar<3,>=2"]
    assert devpi.get("alice")[0]["custom_data"] == {"team": 1}

    regrouped = make(**FEW)
    assert regrouped.changed == 1, str(regrouped)
    assert indexes(devpi)["ci/private"]["acl_upload"] == ["ci"]


def test_pruning_takes_what_nobody_declares_and_nothing_else(devpi, make, write):
    scratch = f"dan/{SCRATCH}1700000000-1"
    write("PUT", "root/pypi", **UPSTREAM, volatile=False)
    for user in ("dan", "eve"):
        write("PUT", user, password=PASSWORD)
    write("PUT", scratch)
    # The order of the alphabet would take what others build on first.
    write("PUT", "eve/a")
    write("PUT", "root/b", bases=["eve/a"])
    write("PUT", "dan/c", bases=["root/b"])

    start = devpi.serial()
    predicted = make("--check", pypi_server_prune=True, **FEW)
    assert predicted.returncode == 0, str(predicted)
    for gone in ("eve/a", "root/b", "dan/c", "eve"):
        assert f"changed: [localhost] => (item={gone})" in predicted.output
    assert devpi.serial() == start

    pruned = make(pypi_server_prune=True, **FEW)
    assert pruned.returncode == 0, str(pruned)
    assert set(indexes(devpi)) == {"root/pypi", scratch, "ci/private"}
    assert set(devpi.get("")[0]) == {"root", "ci", "dan"}
    again = make(pypi_server_prune=True, **FEW)
    assert again.changed == 0, str(again)


def test_pruning_refuses_what_may_hold_releases_and_what_others_lean_on(devpi, make, write):
    for user in ("ci", "eve"):
        write("PUT", user, password=PASSWORD)
    write("PUT", "ci/private", **{key: value for key, value in PRIVATE.items() if key != "name"})
    write("PUT", "eve/prod", volatile=False)
    eve = {"name": "eve/prod"}
    start = devpi.serial()
    refused = make(**FEW, pypi_server_prune=True)
    assert refused.returncode != 0
    assert refused.says("the index has eve/prod, which nobody declares and which is not volatile"), str(refused)
    assert refused.says("state: absent and force: true")

    # Declared, its owner is missing.
    refused = make(**{**FEW, "pypi_server_indexes": [PRIVATE, eve]}, pypi_server_prune=True)
    assert refused.says("eve is the base or the owner of an index that stays, and nobody declares it"), str(refused)
    assert refused.changed == 0

    # What somebody else gave to a declared index counts, unless the inventory gives it other bases.
    write("PUT", "eve/base")
    write("PATCH", "ci/private", bases=["eve/base"])
    end = devpi.serial()
    assert end == start + 2
    private = {key: value for key, value in PRIVATE.items() if key != "bases"}
    gone = {**eve, "state": "absent", "force": True}
    refused = make(**{**FEW, "pypi_server_indexes": [private, gone]}, pypi_server_prune=True)
    assert refused.says("eve/base is the base or the owner of an index that stays"), str(refused)
    assert devpi.serial() == end

    # Declared absent, she goes with what nobody declares of hers.
    users = [*FEW["pypi_server_users"], {"name": "eve", "state": "absent", "force": True}]
    pruned = make(**{**FEW, "pypi_server_users": users}, pypi_server_prune=True)
    assert pruned.returncode == 0, str(pruned)
    assert set(indexes(devpi)) == {"ci/private"}
    assert indexes(devpi)["ci/private"]["bases"] == []
    assert set(devpi.get("")[0]) == {"root", "ci"}


def test_options_come_to_the_server_and_win(play, tmp_path):
    options = {
        "keyfs-cache-size": 200,
        "threads": 3,
        "enable-core-metadata": True,
        "outside-url": 'https://x/"\u00e9',
        "restrict-modify": "alice, root",
        "replica-file-search-path": "# no comment",
    }
    configuration = tmp_path / "devpi-server.yml"
    written = play(configuration=str(configuration), pypi_server_options=options)
    assert written.returncode == 0, str(written)
    found = checked(configuration)
    assert (found.returncode, found.stdout) == (0, ""), found.stderr

    parsed = (
        "from devpi_server.config import *; import sys; "
        "args = vars(parseoptions(get_pluginmanager(), ['devpi-server', '-c', sys.argv[1]]).args); "
        "print(*(ascii(args[option]) for option in sys.argv[2:]), sep='\\n')"
    )
    names = [name.replace("-", "_") for name in [*options, "role", "argon2-time-cost"]]
    heeded = subprocess.run(
        [installed("devpi") / "bin/python", "-W", "ignore", "-c", parsed, configuration, *names],
        capture_output=True,
        text=True,
        check=True,
    )
    wanted = [*options.values(), "standalone", 2]
    assert heeded.stdout.splitlines() == [ascii(value) for value in wanted]


def test_a_configuration_that_the_server_does_not_know_is_refused(tmp_path):
    bad = {
        "keyfs_cache_size: 1": "option keyfs_cache_size, which devpi-server does not know. The nearest it knows are ",
        "thread: 1": "the option thread, which devpi-server does not know. The nearest it knows are threads,",
        "connection-limit: many": "got 'many' for the option connection-limit: invalid int value: 'many'.",
        "request-timeout: ''": "got '' for the option request-timeout: invalid int value: ''.",
        "offline-mode: maybe": "got 'maybe' for the option offline-mode: invalid truth value 'maybe'.",
        "role: leader": "got 'leader' for the option role: invalid choice: 'leader'",
        "theme:\n  - a": "got more than one value for the option theme, allowed is one.",
    }
    configuration = tmp_path / "devpi-server.yml"
    configuration.write_text("\n  ".join(["devpi-server:\n  threads: 1", *bad]))
    found = checked(configuration)
    assert found.returncode == 1
    assert not [sentence for sentence in bad.values() if sentence not in found.stderr], found.stderr
    assert len(found.stderr.splitlines()) == 1 + len(bad)

    configuration.write_text("devpi-server:\n  threads: 1\n  threads: 2\n")
    assert "Duplicate key 'threads'" in checked(configuration).stderr
