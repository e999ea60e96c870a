# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people read is true: its commands were typed by tests, its messages seen, its examples and links are good."""

from __future__ import annotations

import ast
import re
import struct

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from pages import ALL, PAGES, TROUBLES, commands, parts, quotes
from tree import ROLES, ROOT, Loader, committed, mappings, name

EXAMPLES = [part for part in ALL if part.kind == "fence" and part.language == "yaml"]
OPTIONS = {option: (role, spec) for role in ROLES for option, spec in role.options.items()}


def taken(function):
    """The first argument of every call of a function of pages.py, in all tests."""
    return {
        node.args[0].value
        for path in [*ROOT.glob("tests/**/*.py"), *ROOT.glob("molecule/**/*.py")]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == function and node.args
        if isinstance(node.args[0], ast.Constant)
    }


def test_every_command_is_run_by_a_test():
    """What nobody has typed does not work."""
    assert not sorted(set(commands()) - taken("typed"))


def test_every_quoted_message_was_seen_by_a_test():
    """People search for the words that they see."""
    assert len(quotes()) >= 10
    assert sorted(quotes()) == sorted(taken("quoted"))


def test_every_trouble_tells_what_was_seen_and_what_to_type():
    """A heading without a message cannot be found, and one without a command or a setting does not help."""
    for heading in [part.heading for part in parts(TROUBLES) if part.kind == "heading"][1:]:
        below = [part for part in parts(TROUBLES) if part.heading == heading]
        assert any(part.language == "text" for part in below), heading
        assert any(part.kind == "code" or part.language in ("sh", "yaml") for part in below), heading


def slug(heading):
    """The anchor that forges give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")


@pytest.mark.parametrize("part", [part for part in ALL if part.kind == "link"], ids=lambda part: part.text)
def test_link_leads_somewhere(part):
    """To a file that is committed, and to a heading that it has."""
    if re.match(r"https?://", part.text):
        return
    path, _sign, anchor = part.text.partition("#")
    target = (ROOT / part.page).parent.joinpath(path).resolve() if path else ROOT / part.page
    assert target in committed()
    assert not anchor or anchor in {slug(other.text) for other in parts(target) if other.kind == "heading"}


def test_every_page_is_linked_from_the_readme():
    """A page that nobody is led to is not read."""
    linked = {part.text.partition("#")[0] for part in parts(ROOT / "README.md") if part.kind == "link"}
    assert {name(page) for page in PAGES} - {"README.md"} <= linked


def test_files_that_are_named_exist():
    """A path in the text is one of the checkout; what is made there lies below build/."""
    top = {path.relative_to(ROOT).parts[0] for path in committed()}
    named = {part.text for part in ALL if part.kind == "code" and " " not in part.text and "/" in part.text}
    ours = {path for path in named if path.split("/")[0] in top}
    assert ours
    assert not [path for path in ours if not list(ROOT.glob(path)) and not list(ROOT.glob(f"roles/*/{path}"))]


@pytest.mark.parametrize("part", EXAMPLES, ids=lambda part: f"{part.page}: {part.heading}")
def test_example_is_yaml_whose_variables_the_roles_take(part):
    """Types and choices as in the argument specifications; what is a template has its value elsewhere."""
    for document in yaml.load_all(part.text, Loader):
        for mapping in mappings(document):
            given = {key: value for key, value in mapping.items() if key in OPTIONS and "{{" not in str(value)}
            specs = {key: OPTIONS[key][1] for key in given}
            problems = ArgumentSpecValidator(specs).validate(given).error_messages
            assert not problems, problems


def test_playbook_that_is_shown_is_one_that_a_test_runs():
    """engine/test_release.py runs it, against the collection installed from its archive."""
    shown = [part.text for part in EXAMPLES if re.match("- name: .*\n  hosts: ", part.text)]
    assert [f"---\n{text}" for text in shown] == [(ROOT / "tests/engine/own_playbook.yml").read_text()]


def test_pictures_are_shown_and_described():
    """A picture is a file of docs/images, is used, and has words for who does not see it."""
    shown = {}
    for page in PAGES:
        for words, path in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page.read_text()):
            shown[(page.parent / path).resolve()] = words
    assert set(shown) == {path for path in committed() if path.is_relative_to(ROOT / "docs/images")}
    assert all(len(words) > 40 for words in shown.values())


def test_screenshot_is_a_picture_of_some_size():
    header = (ROOT / "docs/images/index.png").read_bytes()[:24]
    assert header.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", header[16:])
    assert width >= 1000
    assert height >= 400
