# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

PORT = {"name": "example_port", "pattern": "[1-9][0-9]{0,4}", "allowed": "a whole number from 1 to 99999"}
USERS = {"name": "example_users", "pattern": "[a-z]+|", "allowed": "a list of names of a-z", "each": True}


@pytest.fixture
def refuse(load_action):
    def refuse(*values):
        return load_action("refuse_values", {"values": list(values)}).run(task_vars={"inventory_hostname": "here"})

    return refuse


@pytest.mark.parametrize("port", [1, "1", "99999"])
def test_what_matches_is_let_pass(refuse, port):
    result = refuse(PORT | {"value": port}, USERS | {"value": []})
    assert (result.get("failed", False), result["changed"], result["refused"]) == (False, False, [])


def test_everything_that_is_wrong_is_told_at_once(refuse):
    result = refuse(PORT | {"value": 0}, USERS | {"value": ["alice", "B", "ü\n"]}, PORT | {"value": "80"})
    assert (result["failed"], result["refused"]) == (True, ["example_port", "example_users"])
    assert result["msg"].splitlines() == [
        "example_port on here: got 0, allowed is a whole number from 1 to 99999.",
        'example_users on here: got "B", allowed is a list of names of a-z.',
        'example_users on here: got "\\u00fc\\n", allowed is a list of names of a-z.',
        "Set it in the inventory and run again.",
    ]


@pytest.mark.parametrize("value", ["80\n", "\n80", "80 ", "", None, True, 80.5, ["80"], {"80": 1}], ids=repr)
def test_what_only_begins_or_ends_as_it_should_is_refused(refuse, value):
    result = refuse(PORT | {"value": value})
    assert (result["failed"], result["refused"]) == (True, ["example_port"])


def test_an_alternative_is_matched_as_a_whole(refuse):
    assert refuse(USERS | {"value": [""]})["refused"] == []
    assert refuse(USERS | {"value": ["alice1"]})["refused"] == ["example_users"]
