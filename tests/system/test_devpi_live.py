# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The promises of the scripted tests, kept by a real devpi-server. Its serial number tells of every write."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from live_devpi import LiveDevpi
from tree import ROOT

# A port nobody listens on, and no list of projects: the mirrors of these tests never ask anybody anything.
UPSTREAM = {"mirror_url": "http://127.0.0.1:9/simple/", "mirror_no_project_list": True}


@pytest.fixture(scope="module")
def live_devpi():
    """A real devpi-server, with nothing in it but its user root."""
    with LiveDevpi() as server:
        yield server


@pytest.fixture
def live(live_devpi, run_module):
    """Run a module against the real server."""

    def run(module, check=False, **args):
        connection = {"url": live_devpi.url, "login_password": live_devpi.password, "_ansible_check_mode": check}
        return run_module(module, {**connection, **args})

    return run


@pytest.fixture
def thrice(live_devpi, live):
    """Do a thing in check mode, for real, and again: predicted, done as predicted, nothing left to do."""

    def do(module, **args):
        start = live_devpi.serial()
        predicted = live(module, check=True, **args)
        assert predicted.get("changed"), predicted
        assert live_devpi.serial() == start
        made = live(module, **args)
        assert made.get("changed"), made
        assert made["diff"] == predicted["diff"]
        end = live_devpi.serial()
        assert end > start
        again = live(module, **args)
        assert again["changed"] is False
        assert again["diff"]["before"] == again["diff"]["after"]
        assert live_devpi.serial() == end
        kind = module.split("_")[1]
        assert again[kind] == made[kind]
        # The server adds only what it alone knows: times, and the defaults of a new index.
        assert {key: made[kind].get(key) for key in predicted[kind] if key != "modified"} == {
            key: value for key, value in predicted[kind].items() if key != "modified"
        }
        return made

    return do


@pytest.fixture
def alice(live):
    """The user alice, and at the end neither her nor anything of hers."""
    live("devpi_user", name="alice", password="alicepw-never-shown")
    yield "alice"
    assert "failed" not in live("devpi_user", name="alice", state="absent", force=True)


def test_user_life(thrice, live):
    made = thrice("devpi_user", name="bob", password="bobpw-never-shown", email="bob@example.com", title="")
    assert made["user"].keys() == {"name", "created", "email", "indexes"}
    made = thrice(
        "devpi_user", name="bob", title='Bob "b\u00f6b" \u2603\n', description="<b>", custom_data={"a": [1, None]}
    )
    assert made["user"]["custom_data"] == {"a": [1, None]}
    made = thrice("devpi_user", name="bob", title="", email="", description="", custom_data={})
    assert made["user"].keys() == {"name", "created", "modified", "indexes"}
    assert live("devpi_info", name="bob")["users"] == {"bob": made["user"]}
    thrice("devpi_user", name="bob", state="absent")
    assert live("devpi_info", name="bob")["users"] == {}


@pytest.mark.parametrize("value", ["text", 1, 1.5, True, ["a", {"b": None}], {"x": {"y": []}}])
def test_custom_data_of_any_kind(value, thrice, alice):
    assert thrice("devpi_user", name=alice, custom_data=value)["user"]["custom_data"] == value
    assert thrice("devpi_index", name="alice/dev", custom_data=value)["index"]["custom_data"] == value
    thrice("devpi_index", name="alice/dev", custom_data="")


def test_password_is_changed_only_when_told_to_and_when_it_is_another(thrice, live, live_devpi, alice):
    start = live_devpi.serial()
    assert live("devpi_user", name=alice, password="second-never-shown")["changed"] is False
    assert live("devpi_user", name=alice, password="alicepw-never-shown", update_password="always")["changed"] is False
    assert live_devpi.serial() == start
    thrice("devpi_user", name=alice, password="second-never-shown", update_password="always", title="And this")
    as_alice = {"login_user": alice, "name": alice}
    assert live("devpi_info", login_password="second-never-shown", **as_alice)["authenticated"]
    assert "does not accept" in live("devpi_info", login_password="alicepw-never-shown", **as_alice)["msg"]


def test_a_user_may_change_the_own_password_and_nothing_else(live, alice):
    login = {"login_user": alice, "login_password": "alicepw-never-shown"}
    own = {"name": alice, "password": "own-never-shown", "update_password": "always"}
    assert live("devpi_user", **login, **own)["changed"]
    login["login_password"] = "own-never-shown"
    for module, args in (("devpi_user", {"name": alice, "title": "T"}), ("devpi_index", {"name": "alice/dev"})):
        message = live(module, **login, **args)["msg"]
        assert "got 403 and " in message
        assert "--restrict-modify" in message


def test_root_can_change_its_password(live, live_devpi):
    given, wanted = live_devpi.password, "r00t-never-shown"
    rotate = {"name": "root", "update_password": "always"}
    assert live("devpi_user", password=wanted, **rotate)["changed"]
    assert live("devpi_user", password=wanted, **rotate)["changed"] is False
    assert live("devpi_user", login_password=wanted, password=given, **rotate)["changed"]


def test_everything_in_one_step(live, live_devpi):
    """Predicted, done as predicted, nothing left to do, and gone again."""
    users = [{"name": "carol", "email": "carol@example.com"}, {"name": "dave", "update_password": "always"}]
    indexes = [{"name": "carol/up", "type": "mirror", **UPSTREAM}, {"name": "carol/dev", "bases": ["carol/up"]}]
    wanted = {
        "users": users,
        "passwords": {"carol": "carolpw-never-shown", "dave": "davepw-never-shown"},
        "indexes": indexes,
    }
    predicted = live("devpi_content", check=True, **wanted)
    made = live("devpi_content", **wanted)
    end = live_devpi.serial()
    again = live("devpi_content", **wanted)
    assert (predicted["changed"], made["changed"], again["changed"]) == (True, True, False)
    assert made["diff"] == predicted["diff"]
    assert (again["diff"], live_devpi.serial()) == ([], end)
    assert again["indexes"] == made["indexes"]
    assert again["users"]["carol"]["indexes"] == ["carol/dev", "carol/up"]

    gone = {"state": "absent", "force": True}
    removed = live("devpi_content", users=[{"name": "carol", **gone}], indexes=[{"name": "carol/dev", **gone}])
    assert (removed["changed"], removed["users"], removed["indexes"]) == (True, {"carol": {}}, {"carol/dev": {}})
    assert live("devpi_user", name="dave", state="absent")["changed"]


def test_stage_life(thrice, live, alice):
    made = thrice("devpi_index", name="alice/dev")
    assert made["index"] == {
        "name": "alice/dev",
        "type": "stage",
        "volatile": True,
        "bases": [],
        "acl_upload": ["alice"],
        "acl_toxresult_upload": [":ANONYMOUS:"],
        "mirror_whitelist": [],
        "mirror_whitelist_inheritance": "intersection",
    }
    made = thrice(
        "devpi_index",
        name="alice/dev",
        title="a=b, \u2603",
        description="D",
        acl_upload=["alice", ":authenticated:", "alice", ":some group"],
        acl_toxresult_upload=[],
        mirror_whitelist=["Foo_.Bar", "zope.interface", "*"],
        mirror_whitelist_inheritance="union",
    )
    assert made["index"]["acl_upload"] == ["alice", ":AUTHENTICATED:", ":some group"]
    assert made["index"]["mirror_whitelist"] == ["foo-bar", "zope-interface", "*"]
    assert live("devpi_info", name="alice/dev")["indexes"] == {"alice/dev": made["index"]}
    thrice("devpi_index", name="alice/dev", title="", description="", acl_upload=[], volatile=False)
    assert "force: true" in live("devpi_index", name="alice/dev", state="absent")["msg"]
    thrice("devpi_index", name="alice/dev", state="absent", force=True)


def test_mirror_life(thrice, live, live_devpi, alice):
    switches = ("mirror_use_external_urls", "mirror_ignore_serial_header", "mirror_provides_core_metadata")
    thrice("devpi_index", name="alice/up", type="mirror", volatile=False, **UPSTREAM, **dict.fromkeys(switches, True))
    changed = {**UPSTREAM, "mirror_url": "http://127.0.0.1:9/other/", **dict.fromkeys(switches, False)}
    text = {"title": "T", "mirror_web_url_fmt": "http://127.0.0.1:9/{name}"}
    thrice("devpi_index", name="alice/up", mirror_cache_expiry=0, **changed, **text)
    assert live("devpi_index", name="alice/up", mirror_url="http://127.0.0.1:9/other/")["changed"] is False
    made = thrice("devpi_index", name="alice/up", **dict.fromkeys(text, ""))
    assert not made["index"].keys() & text.keys()
    thrice("devpi_index", name="alice/up", state="absent", force=True)
    assert live("devpi_index", name="alice/up", type="mirror")["failed"]
    live_devpi.get("+api")


def test_constrained_life(thrice, live, live_devpi, alice):
    live("devpi_index", name="alice/dev", acl_upload=["root"])
    for file in ("Foo_Bar-{}.tar.gz", "foo_bar-{}-py3-none-any.whl", "foo-bar-{}.zip"):
        for version in ("1.0", "2.0"):
            assert live_devpi.upload("alice/dev", "Foo_Bar", version, file.format(version)) == 200

    tame = {"type": "constrained", "bases": ["alice/dev"], "acl_upload": ["root"]}
    made = thrice("devpi_index", name="alice/tame", constraints=["*", "Foo.Bar < 2"], **tame)
    assert made["index"]["constraints"] == ["*", "foo-bar<2"]
    assert live_devpi.versions("alice/tame", "foo-bar") == {"1.0": 3}
    thrice("devpi_index", name="alice/tame", constraints=["foo-bar>1"])
    assert live_devpi.versions("alice/tame", "foo-bar") == {"2.0": 3}
    thrice("devpi_index", name="alice/tame", constraints=["*"])
    assert live_devpi.versions("alice/tame", "foo-bar") == {}
    thrice("devpi_index", name="alice/tame", constraints=["spam"])
    assert live_devpi.versions("alice/tame", "foo-bar") == {"1.0": 3, "2.0": 3}
    assert "got 400 and " in live("devpi_index", name="alice/tame", constraints=["foo-bar~=1"])["msg"]
    assert live_devpi.upload("alice/tame", "spam", "1.0", "spam-1.0.tar.gz") == 405
    thrice("devpi_index", name="alice/tame", state="absent")


def test_bases(thrice, live, alice):
    for name in ("alice/a", "alice/b"):
        live("devpi_index", name=name)
    thrice("devpi_index", name="alice/c", bases=["alice/a", "alice/b"])
    made = thrice("devpi_index", name="alice/c", bases=["alice/b", "alice/a"])
    assert made["index"]["bases"] == ["alice/b", "alice/a"]
    assert "alice/a -> alice/c -> alice/a" in live("devpi_index", name="alice/a", bases=["alice/c"])["msg"]
    assert "got alice/none. There are: alice/a, alice/b, alice/c" in live(
        "devpi_index", name="alice/c", bases=["alice/none"])["msg"]  # fmt: skip
    assert "alice/a is a base of alice/c" in live("devpi_index", name="alice/a", state="absent")["msg"]
    thrice("devpi_index", name="alice/a", state="absent", force=True)
    assert live("devpi_index", name="alice/c", bases=["alice/b", "alice/a"])["changed"] is False
    thrice("devpi_index", name="alice/c", bases=["alice/b"], title="T")


def test_an_index_needs_its_user_but_only_warns_in_check_mode(live, live_devpi):
    start = live_devpi.serial()
    assert "Expected user carol of carol/dev to exist" in live("devpi_index", name="carol/dev")["msg"]
    assert "Expected user carol" in str(live("devpi_index", check=True, name="carol/dev")["warnings"])
    assert live_devpi.serial() == start


def test_a_user_with_what_is_not_volatile_or_needed_is_deleted_only_by_force(thrice, live, alice):
    live("devpi_user", name="dave", password="davepw-never-shown")
    live("devpi_index", name="dave/prod", volatile=False)
    live("devpi_index", name="dave/dev")
    live("devpi_index", name="alice/dev", bases=["dave/dev"])
    assert "got dave/prod that are not" in live("devpi_user", name="dave", state="absent")["msg"]
    live("devpi_index", name="dave/prod", volatile=True)
    assert "dave/dev is a base of alice/dev" in live("devpi_user", name="dave", state="absent")["msg"]
    live("devpi_index", name="dave/prod", volatile=False)
    made = thrice("devpi_user", name="dave", state="absent", force=True)
    assert made["diff"]["before"]["indexes"] == ["dave/dev", "dave/prod"]
    assert not [index for index in live("devpi_info")["indexes"] if index.startswith("dave/")]


@pytest.mark.parametrize("check", [True, False])
def test_a_wrong_login_password_is_told_before_anything_is_written(check, live, live_devpi):
    start = live_devpi.serial()
    args = {"name": "erin", "password": "erinpw-never-shown", "login_password": "wrong-never-shown"}
    assert "does not accept the password of 'root'" in live("devpi_user", check=check, **args)["msg"]
    assert live_devpi.serial() == start


def test_info_needs_no_login(live, live_devpi):
    result = live("devpi_info", login_password=None)
    assert result["version"] == "6.20.3"
    assert result["authenticated"] is False
    assert result["users"]["root"]["name"] == "root"


PLAY = """
- hosts: localhost
  gather_facts: false
  vars:
    frank: frankpw-never-shown
  module_defaults:
    group/wheelhouse.pypi.devpi:
      url: "{{ lookup('ansible.builtin.env', 'LIVE_URL') }}"
      login_password: "{{ lookup('ansible.builtin.env', 'LIVE_PASSWORD') }}"
  tasks:
    - wheelhouse.pypi.devpi_user: {name: frank, password: "{{ frank }}", custom_data: {n: "{{ 1 + 1 }}"}}
    - wheelhouse.pypi.devpi_index: {name: frank/dev, acl_upload: [frank]}
    - wheelhouse.pypi.devpi_info: {name: frank/dev}
"""


def test_in_a_play_with_the_connection_written_once(live_devpi, live, tmp_path):
    (tmp_path / "play.yml").write_text(PLAY)
    command = [sys.executable, "-m", "ansible", "playbook", "--diff", "-i", "localhost,", "-c", "local"]
    env = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_NOCOLOR": "1",
        "LIVE_URL": live_devpi.url,
        "LIVE_PASSWORD": live_devpi.password,
    }
    for arguments, recap in ((["--check"], "changed=2"), ([], "changed=2"), ([], "changed=0")):
        call = [*command, *arguments, "-vvv", str(tmp_path / "play.yml")]
        done = subprocess.run(call, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"ok=3    {recap}" in done.stdout
        assert live_devpi.password not in done.stdout + done.stderr
        assert "frankpw-never-shown" not in done.stdout + done.stderr
    removed = live("devpi_user", name="frank", state="absent")
    assert json.loads(json.dumps(removed["diff"]["before"]["custom_data"])) in ({"n": 2}, {"n": "2"})
