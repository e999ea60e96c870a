# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real directories and files: what is there afterwards, what is said, and what never is.

All of it by the action, which asks a real shell first and starts the module only where something differs.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import stat

import pytest

SECRET = "s3cret-word-of-the-index"


@pytest.fixture
def have(load_action, run_module, monkeypatch):
    """Have these directories and files, and tell whether the module was started. No secret may be shown."""

    def have(directories=(), files=(), **ansible):
        started = []

        def execute(_name, module_args, task_vars):
            assert task_vars == {}
            started.append(True)
            return run_module("files", {"_ansible_diff": True, **module_args, **ansible}, secrets=[SECRET])

        action = load_action("files", {"directories": list(directories), "files": list(files)})
        monkeypatch.setattr(action, "_execute_module", execute)
        result = action.run(task_vars={})
        assert SECRET not in json.dumps(result)
        return result | {"started": bool(started)}

    return have


def mode(path):
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


def test_all_of_it_is_made_in_one_step_and_the_second_time_nothing_is(have, tmp_path):
    directory, settings, token = (
        tmp_path / "of/service",
        tmp_path / "of/service/settings",
        tmp_path / "of/service/token",
    )
    wanted = {
        "directories": [{"path": str(directory), "mode": "0710"}],
        "files": [
            {"path": str(settings), "content": "größe = 1\n", "mode": "0644"},
            {"path": str(token), "secret": SECRET, "mode": "0600"},
        ],
    }
    planned = have(**wanted, _ansible_check_mode=True)
    assert not (tmp_path / "of").exists()

    made = have(**wanted)
    assert made["changed"] is planned["changed"] is True
    assert made["paths"] == planned["paths"] == [str(directory), str(settings), str(token)]
    assert (settings.read_text(), token.read_text()) == ("größe = 1\n", SECRET)
    assert (mode(directory), mode(settings), mode(token)) == ("0710", "0644", "0600")

    times = settings.stat().st_mtime_ns, token.stat().st_mtime_ns
    again = have(**wanted)
    assert (again["changed"], again["paths"], again["diff"], again["started"]) == (False, [], [], False)
    assert (settings.stat().st_mtime_ns, token.stat().st_mtime_ns) == times


def test_a_difference_is_shown_but_not_that_of_a_secret(have, tmp_path):
    (tmp_path / "settings").write_text("workers = 1\n")
    (tmp_path / "token").write_text("before")
    result = have(
        files=[
            {"path": str(tmp_path / "settings"), "content": "workers = 2\n", "mode": "0600"},
            {"path": str(tmp_path / "token"), "secret": SECRET, "mode": "0600"},
        ]
    )
    header = str(tmp_path / "settings")
    assert result["diff"] == [
        {"before": "workers = 1\n", "before_header": header, "after": "workers = 2\n", "after_header": header}
    ]
    assert (tmp_path / "token").read_text() == SECRET


@pytest.mark.parametrize("check", [True, False])
def test_a_mode_that_differs_is_a_change_of_its_own(check, have, tmp_path):
    (tmp_path / "directory").mkdir(mode=0o700)
    (tmp_path / "file").write_text("same")
    (tmp_path / "file").chmod(0o600)
    result = have(
        [{"path": str(tmp_path / "directory"), "mode": "0711"}],
        [{"path": str(tmp_path / "file"), "content": "same", "mode": "0640"}],
        _ansible_check_mode=check,
    )
    assert result["paths"] == [str(tmp_path / "directory"), str(tmp_path / "file")]
    assert (mode(tmp_path / "directory"), mode(tmp_path / "file")) == (("0700", "0600") if check else ("0711", "0640"))


def test_owner_and_group_may_be_numbers(have, tmp_path):
    user, group = (os.geteuid(), os.getegid()) if os.geteuid() else (8141, 8142)  # only root gives files away
    files = [{"path": str(tmp_path / "file"), "content": "", "mode": "0600", "owner": str(user), "group": str(group)}]
    assert have(files=files)["changed"] is True
    assert ((tmp_path / "file").stat().st_uid, (tmp_path / "file").stat().st_gid) == (user, group)
    assert have(files=files)["changed"] is have(files=files)["started"] is False


def test_owner_and_group_may_be_names(have, tmp_path):
    user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    place = {"path": str(tmp_path / "directory"), "mode": "0700", "owner": user, "group": group}
    assert have([place])["changed"] is True
    assert have([place])["started"] is False
    result = have([place | {"owner": "nobody-of-that-name"}])
    assert (result["started"], result["failed"]) == (True, True)


def test_modes_in_words_are_for_the_module(have, tmp_path):
    (tmp_path / "file").write_text("same")
    (tmp_path / "file").chmod(0o640)
    result = have(files=[{"path": str(tmp_path / "file"), "content": "same", "mode": "u=rw,g=r,o="}])
    assert (result["changed"], result["started"]) == (False, True)


def test_the_path_may_have_any_character(have, tmp_path):
    wanted = [{"path": str(tmp_path / 'it\'s "a" `file`; ü'), "content": "same", "mode": "0600"}]
    assert have(files=wanted)["changed"] is True
    assert have(files=wanted)["started"] is False


def test_all_files_or_none_are_written(have, tmp_path):
    """The first is good and the second is not; the command sees the new content, complete and at a path of its own."""
    for name in ("good", "bad"):
        (tmp_path / name).write_text("before\n")
    result = have(
        files=[
            {"path": str(tmp_path / "good"), "content": "x = 1\n", "mode": "0600", "validate": "grep -q = %s"},
            {"path": str(tmp_path / "bad"), "content": "nothing\n", "mode": "0600", "validate": "grep = %s /nowhere"},
        ]
    )
    assert result["failed"] is True
    assert result["msg"].startswith(f"{tmp_path}/bad: the new content was refused, so nothing was written. ")
    assert "/nowhere" in result["stderr"]
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"good": "before\n", "bad": "before\n"}


def test_what_does_not_change_is_not_validated_again(have, tmp_path):
    (tmp_path / "file").write_text("same")
    files = [{"path": str(tmp_path / "file"), "content": "same", "mode": "0600", "validate": "false %s"}]
    assert "failed" not in have(files=files)


def test_a_link_is_replaced_and_what_it_leads_to_is_not_touched(have, tmp_path):
    (tmp_path / "elsewhere").write_text("theirs")
    (tmp_path / "file").symlink_to(tmp_path / "elsewhere")
    assert have(files=[{"path": str(tmp_path / "file"), "content": "theirs", "mode": "0600"}])["changed"] is True
    assert not (tmp_path / "file").is_symlink()
    assert (tmp_path / "elsewhere").read_text() == "theirs"


def test_a_link_to_a_directory_is_followed(have, tmp_path):
    """As where somebody has moved the data to another disk."""
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "directory").symlink_to(tmp_path / "elsewhere")
    directories = [{"path": str(tmp_path / "directory"), "mode": "0750"}]
    assert have(directories)["paths"] == [str(tmp_path / "elsewhere")]
    assert (mode(tmp_path / "elsewhere"), (tmp_path / "directory").is_symlink()) == ("0750", True)
    assert have(directories)["changed"] is have(directories)["started"] is False


def test_something_else_in_its_place_is_refused(have, tmp_path):
    (tmp_path / "file").write_text("")
    result = have([{"path": str(tmp_path / "file"), "mode": "0700"}])
    assert (
        result["msg"]
        == f"{tmp_path}/file: got something that is no directory in its place. Move it away and run again."
    )
    result = have(files=[{"path": str(tmp_path), "content": "", "mode": "0600"}])
    assert result["msg"] == f"{tmp_path}: got a directory in its place. Move it away and run again."


def test_what_the_system_refuses_is_told(have, tmp_path):
    result = have(files=[{"path": str(tmp_path / "missing/file"), "content": "", "mode": "0600"}])
    assert result["failed"] is True
    assert result["msg"].endswith(": No such file or directory.")
    assert str(tmp_path / "missing") in result["msg"]


@pytest.mark.parametrize("what", [{}, {"content": "a", "secret": "b"}])
def test_content_comes_in_one_way(what, have, tmp_path):
    assert have(files=[{"path": str(tmp_path / "file"), "mode": "0600", **what}])["failed"] is True
