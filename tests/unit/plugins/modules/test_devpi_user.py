# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every verb twice, and in check mode: the second time and there nothing is written, and the difference is the same."""

from __future__ import annotations

import pytest

PW = "alicepw-never-shown"
MISSING = {"status": 404, "message": "no user 'alice'"}
ALICE = {"username": "alice", "created": "2026-07-01T10:00:00Z", "email": "alice@example.com", "indexes": {}}
SHOWN = {"name": "alice", "created": "2026-07-01T10:00:00Z", "email": "alice@example.com", "indexes": []}


def stage(volatile=True, bases=()):
    return {"type": "stage", "volatile": volatile, "bases": list(bases)}


def test_create(http, run):
    wanted = {"name": "alice", "password": PW, "email": "alice@example.com", "title": ""}
    body = {"email": "alice@example.com", "password": PW}
    diff = {
        "before": {},
        "after": {"name": "alice", "email": "alice@example.com", "indexes": [], "password": "as given"},
    }
    http.expect("GET", "/alice", **MISSING).login()
    predicted = run("devpi_user", check=True, **wanted)
    assert predicted["changed"]
    assert predicted["diff"] == diff
    assert predicted["user"] == {"name": "alice", "email": "alice@example.com", "indexes": []}

    http.expect("GET", "/alice", **MISSING).login()
    http.expect("PUT", "/alice", body, status=201, result=ALICE).expect("GET", "/alice", result=ALICE)
    made = run("devpi_user", **wanted)
    assert made["changed"]
    assert made["diff"] == diff
    assert made["user"] == SHOWN

    http.expect("GET", "/alice", result=ALICE)
    again = run("devpi_user", **wanted)
    assert not again["changed"]
    assert again["diff"] == {"before": SHOWN, "after": SHOWN}
    assert again["user"] == SHOWN


@pytest.mark.parametrize("args", [{}, {"password": ""}, {"password": "", "update_password": "always"}])
def test_create_without_password_is_refused(args, http, run):
    http.expect("GET", "/alice", **MISSING)
    message = run("devpi_user", name="alice", **args)["msg"]
    assert message == "Expected a password for user alice, got none or an empty one. Set password."


def test_an_empty_password_is_refused_for_an_existing_user_too(http, run):
    http.expect("GET", "/alice", result=ALICE)
    assert run("devpi_user", name="alice", password="", update_password="always")["failed"]


@pytest.mark.parametrize("value", ["Alice L.", {"team": ["a", 1, None]}])
def test_change(value, http, run):
    option = "title" if isinstance(value, str) else "custom_data"
    after = {**SHOWN, option: value}
    http.expect("GET", "/alice", result=ALICE).login()
    predicted = run("devpi_user", check=True, name="alice", **{option: value})

    http.expect("GET", "/alice", result=ALICE).login()
    http.expect("PATCH", "/alice", {option: value}, message="user updated")
    http.expect("GET", "/alice", result={**ALICE, option: value, "modified": "2026-07-02T10:00:00Z"})
    made = run("devpi_user", name="alice", email="alice@example.com", **{option: value})
    assert made["diff"] == predicted["diff"] == {"before": SHOWN, "after": after}
    assert made["user"] == {**after, "modified": "2026-07-02T10:00:00Z"}

    http.expect("GET", "/alice", result={**ALICE, option: value})
    assert not run("devpi_user", name="alice", **{option: value})["changed"]


@pytest.mark.parametrize("empty", ["", {}, [], 0, False])
def test_what_is_given_empty_is_removed(empty, http, run):
    before = {**ALICE, "custom_data": {"a": 1}}
    http.expect("GET", "/alice", result=before).login()
    http.expect("PATCH", "/alice", {"custom_data": ""}, message="user updated").expect("GET", "/alice", result=ALICE)
    made = run("devpi_user", name="alice", custom_data=empty)
    assert made["diff"]["after"] == SHOWN

    http.expect("GET", "/alice", result=ALICE)
    assert not run("devpi_user", name="alice", custom_data=empty)["changed"]


def test_what_is_not_given_is_left_alone(http, run):
    http.expect("GET", "/alice", result={**ALICE, "title": "T", "custom_data": 1})
    assert not run("devpi_user", name="alice", title=None, custom_data=None, password=PW)["changed"]


def test_update_password(http, run):
    wanted = {"name": "alice", "password": PW, "update_password": "always"}
    diff = {"before": {**SHOWN, "password": "another"}, "after": {**SHOWN, "password": "as given"}}
    http.expect("GET", "/alice", result=ALICE).login("alice", PW, accepted=False).login()
    predicted = run("devpi_user", check=True, **wanted)

    http.expect("GET", "/alice", result=ALICE).login("alice", PW, accepted=False).login()
    http.expect("PATCH", "/alice", {"password": PW}, result={"password": "another-token", "expiration": 36000})
    http.expect("GET", "/alice", result=ALICE)
    made = run("devpi_user", **wanted)
    assert made["changed"]
    assert made["diff"] == predicted["diff"] == diff
    assert made["user"] == SHOWN
    assert "another-token" not in str(made)

    http.expect("GET", "/alice", result=ALICE).login("alice", PW)
    assert not run("devpi_user", **wanted)["changed"]


def test_update_password_without_password_changes_nothing(http, run):
    http.expect("GET", "/alice", result=ALICE)
    assert not run("devpi_user", name="alice", update_password="always")["changed"]


def test_delete(http, run):
    before = {**ALICE, "indexes": {"dev": stage()}}
    everything = {"alice": before, "bob": {"username": "bob", "indexes": {"x": stage(False)}}}
    diff = {"before": {**SHOWN, "indexes": ["alice/dev"]}, "after": {}}
    http.expect("GET", "/alice", result=before).expect("GET", "/", result=everything).login()
    predicted = run("devpi_user", check=True, name="alice", state="absent")

    http.expect("GET", "/alice", result=before).expect("GET", "/", result=everything).login()
    http.expect("DELETE", "/alice", message="user 'alice' deleted")
    made = run("devpi_user", name="alice", state="absent")
    assert made["changed"]
    assert made["diff"] == predicted["diff"] == diff
    assert made["user"] == {}

    http.expect("GET", "/alice", **MISSING)
    again = run("devpi_user", name="alice", state="absent")
    assert not again["changed"]
    assert again["diff"] == {"before": {}, "after": {}}


def test_delete_root_is_refused_before_any_request(run):
    assert "never deletes root" in run("devpi_user", name="root", state="absent", force=True)["msg"]


def test_delete_with_indexes_that_are_not_volatile_needs_force(http, run):
    before = {**ALICE, "indexes": {"dev": stage(), "prod": stage(False), "live": stage(False)}}
    http.expect("GET", "/alice", result=before).expect("GET", "/", result={"alice": before})
    message = run("devpi_user", name="alice", state="absent")["msg"]
    assert "got alice/prod, alice/live that are not" in message
    assert "force: true" in message

    http.expect("GET", "/alice", result=before).expect("GET", "/", result={"alice": before}).login()
    for index in ("prod", "live"):
        http.expect("PATCH", f"/alice/{index}", {"volatile": True}, result=stage())
        http.expect("DELETE", f"/alice/{index}", status=201, message="deleted")
    http.expect("DELETE", "/alice", message="deleted")
    assert run("devpi_user", name="alice", state="absent", force=True)["changed"]


def test_delete_of_what_others_build_on_needs_force(http, run):
    before = {**ALICE, "indexes": {"dev": stage(), "two": stage(bases=["alice/dev"])}}
    everything = {"alice": before, "bob": {"username": "bob", "indexes": {"x": stage(bases=["alice/dev"])}}}
    http.expect("GET", "/alice", result=before).expect("GET", "/", result=everything)
    assert "but alice/dev is a base of bob/x." in run("devpi_user", name="alice", state="absent")["msg"]

    http.expect("GET", "/alice", result=before).expect("GET", "/", result=everything).login()
    predicted = run("devpi_user", check=True, name="alice", state="absent")
    assert predicted["changed"]
    assert "alice/dev is a base of bob/x" in str(predicted["warnings"])

    http.expect("GET", "/alice", result=before).expect("GET", "/", result=everything).login()
    http.expect("DELETE", "/alice", message="deleted")
    assert run("devpi_user", name="alice", state="absent", force=True)["changed"]
