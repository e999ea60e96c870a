# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Questions to a real shell: what comes back, whatever is in it, and what nobody answers."""

from __future__ import annotations

import json

import pytest
from ansible.errors import AnsibleActionFail

ODD = 'it\'s "a" `line`; $HOME ü\n\n\twheelhouse-answer 0 Zm9v\n'


@pytest.fixture
def look(load_action):
    """Ask this machine."""

    def look(environment=(), **args):
        return load_action("look", args, environment).run(task_vars={})

    return look


def test_files_are_read_as_they_are(look, tmp_path):
    odd, empty, missing = tmp_path / 'it\'s "a" `file`; ü', tmp_path / "empty", tmp_path / "missing"
    odd.write_text(ODD)
    empty.write_text("")
    result = look(files=[str(odd), str(empty), str(missing)])
    assert result["files"] == {str(odd): ODD, str(empty): ""}
    assert result["changed"] is False


def test_a_large_file_comes_whole(look, tmp_path):
    (tmp_path / "large").write_text(text := "0123456789abcdef\n" * 60_000)
    assert look(files=[str(tmp_path / "large")])["files"] == {str(tmp_path / "large"): text}


def test_what_is_there_is_told_from_what_is_not(look, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "missing")
    paths = [str(tmp_path), str(tmp_path / "missing"), str(tmp_path / "link")]
    assert look(paths=paths)["paths"] == [str(tmp_path), str(tmp_path / "link")]


def test_commands_tell_how_they_ended_and_what_they_said(look):
    result = look(
        commands={
            "said": ["printf", "%s", ODD],
            "failed": ["sh", "-c", "echo first; echo lost >&2; exit 42"],
            "missing": ["no-such-command-anywhere"],
            "reads": ["cat"],
            "number": ["echo", 8141],
        }
    )
    assert json.loads(json.dumps(result["commands"])) == {
        "said": {"rc": 0, "stdout": ODD.rstrip("\n"), "stdout_lines": ODD.rstrip("\n").splitlines()},
        "failed": {"rc": 42, "stdout": "first", "stdout_lines": ["first"]},
        "missing": {"rc": 127, "stdout": "", "stdout_lines": []},
        "reads": {"rc": 0, "stdout": "", "stdout_lines": []},
        "number": {"rc": 0, "stdout": "8141", "stdout_lines": ["8141"]},
    }


def test_commands_have_the_environment_of_the_task(look):
    words = ["sh", "-c", 'echo "$WORDS"']
    assert look({"WORDS": "two words"}, commands={"said": words})["commands"]["said"]["stdout"] == "two words"


@pytest.mark.parametrize(
    ("said", "answers"),
    [
        ("Warning: the way here talks\r\nwheelhouse-answer 0 Zm9vCg==\r\nand closes\r\n", {"file": "foo\n"}),
        ("", {}),
    ],
    ids=["a terminal in between", "no answer"],
)
def test_what_others_write_is_no_answer(said, answers, load_action, monkeypatch):
    """As ssh does, which lets a host see a terminal: other ends of lines, errors among them, and a banner."""
    action = load_action("look", {"files": ["file"]})
    monkeypatch.setattr(action, "_low_level_execute_command", lambda _command: {"rc": 0, "stdout": said, "stderr": ""})
    assert action.run(task_vars={})["files"] == answers


def test_a_host_that_cannot_be_asked_is_told(load_action, monkeypatch):
    action = load_action("look", {"paths": ["/"]})
    refused = {"rc": 1, "stdout": "\r\n", "stderr": "sudo: a password is required\n"}
    monkeypatch.setattr(action, "_low_level_execute_command", lambda _command: refused)
    with pytest.raises(AnsibleActionFail, match=r"The host could not be asked: sudo: a password is required$"):
        action.run(task_vars={})


def test_what_is_no_file_cannot_be_read(look, tmp_path):
    with pytest.raises(AnsibleActionFail, match=r"could not be asked: .*directory"):
        look(files=[str(tmp_path)])


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ({"file": ["/etc/hostname"]}, "Unsupported parameters"),
        ({"commands": ["id"]}, "commands"),
        ({"commands": {"me": "id -u"}}, r"Expected commands.me to be a list of words, got 'id -u'. Write \[id, -u\]."),
        ({"commands": {"me": []}}, "Expected commands.me to be a list of words"),
    ],
)
def test_other_questions_are_refused(args, told, look):
    with pytest.raises(AnsibleActionFail, match=told):
        look(**args)
