# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many at once: the order, one login for all, what is said of each. What is done for one is tested with its module."""

from __future__ import annotations

import pytest

PW = "alicepw-never-shown"
ALICE = {"username": "alice", "email": "alice@example.com", "indexes": {}}
DEV = {"type": "stage", "volatile": True, "bases": []}
WANTED = {
    "users": [{"name": "alice", "email": "alice@example.com", "update_password": "always"}],
    "passwords": {"alice": PW, "root": "of-no-user-here-never-shown"},
    "indexes": [{"name": "alice/dev", "volatile": True}],
}


def missing(http, path):
    return http.expect("GET", path, status=404, message="missing")


def test_all_are_made_with_one_login_and_the_second_time_nothing_is(http, run):
    root = {"root": {"username": "root", "indexes": {}}}
    missing(http.login(), "/alice")
    missing(http, "/alice/dev?no_projects=").expect("GET", "/", result=root)
    predicted = run("devpi_content", check=True, **WANTED)
    assert "warnings" not in predicted  # that she is missing: by then she would not be

    missing(http.login(), "/alice")
    http.expect("PUT", "/alice", {"email": "alice@example.com", "password": PW}, status=201, result=ALICE)
    http.expect("GET", "/alice", result=ALICE)
    missing(http, "/alice/dev?no_projects=").expect("GET", "/", result=root | {"alice": ALICE})
    http.expect("PUT", "/alice/dev", {"type": "stage", "volatile": True}, result=DEV)
    http.expect("GET", "/alice/dev?no_projects=", result=DEV)
    made = run("devpi_content", **WANTED)
    assert made["changed"] is predicted["changed"] is True
    assert made["diff"] == predicted["diff"]
    assert [(one["after_header"], one["before"]) for one in made["diff"]] == [("alice", {}), ("alice/dev", {})]
    assert made["diff"][0]["after"]["password"] == "as given"
    assert made["users"] == {"alice": {"name": "alice", "email": "alice@example.com", "indexes": []}}
    assert made["indexes"]["alice/dev"]["type"] == "stage"

    http.login().expect("GET", "/alice", result=ALICE).login("alice", PW)
    http.expect("GET", "/alice/dev?no_projects=", result=DEV)
    again = run("devpi_content", **WANTED)
    assert (again["changed"], again["diff"]) == (False, [])
    assert again["users"] == made["users"]


def test_a_wrong_password_is_told_though_nothing_changes(http, run):
    http.login(accepted=False)
    assert "does not accept the password of 'root'" in run("devpi_content")["msg"]


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (
            {"users": [{"name": "alice", "password": PW}]},
            "users, alice: Expected no password here, got one. Set it in passwords, by the user's name.",
        ),
        ({"users": [{"email": "a@example.com"}]}, "users, without a name: missing required arguments: name."),
        (
            {"indexes": [{"name": "alice/dev", "volatile": "perhaps"}]},
            "indexes, alice/dev: argument 'volatile' is of type",
        ),
        ({"indexes": [{"name": "alice/dev", "upload": True}]}, "indexes, alice/dev: upload. Supported parameters"),
    ],
    ids=["a password in the open", "no name", "another type", "another option"],
)
def test_what_the_module_for_one_would_not_take_is_refused_before_anything_is_asked(wanted, told, run):
    assert run("devpi_content", **wanted)["msg"].startswith(told)


def test_a_refusal_says_of_whom_and_ends_the_run(http, run):
    missing(http.login(), "/alice")
    users = [{"name": "alice"}, {"name": "bob"}]
    assert run("devpi_content", users=users)["msg"] == (
        "user alice: Expected a password for user alice, got none or an empty one. Set password."
    )


def test_secrets_in_the_address_of_a_mirror_are_not_shown(http, run):
    url = "https://someone:mirrorpw-never-shown@mirror.example.com/simple/"
    mirror = {"type": "mirror", "volatile": True, "mirror_url": url}
    http.login().expect("GET", "/root/up?no_projects=", result=mirror)
    result = run("devpi_content", indexes=[{"name": "root/up", "mirror_url": url}])
    assert result["changed"] is False
    assert "mirrorpw-never-shown" not in str(result)
