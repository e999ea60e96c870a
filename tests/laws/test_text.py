# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What no committed file says. The patterns do not match themselves."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pip._internal.models.index import PyPI
from tree import ROOT, committed, name


def registries():
    """Hosts that this machine or pip itself takes packages from."""
    sources = [*Path("/etc/apt").glob("sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    addresses = re.findall(r"\bhttps?://[^\s/]+", "\n".join(path.read_text() for path in sources))
    return {urlsplit(address).hostname for address in addresses} | {PyPI.netloc, PyPI.file_storage_domain}


def found(pattern, under=ROOT):
    """Where a line of a committed file matches. A lock file names where it was made from."""
    return [
        f"{name(path)}:{number}: {line.strip()[:100]}"
        for path in committed()
        if path.is_relative_to(under) and path.suffix != ".lock"
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if re.search(pattern, line)
    ]


def test_no_file_names_a_registry():
    """Where packages and images come from is for the user's configuration to say; a name in a file overrules it."""
    assert not found("|".join(rf"(?<![\w.]){re.escape(host)}(?![\w])" for host in registries()))


@pytest.mark.parametrize("folder", ["work", "farm", r"root/\.\w+"])
def test_no_file_names_a_path_of_one_machine(folder):
    """A clone works wherever it is."""
    assert not found(rf"(?<![\w.}})-])/{folder}/\w")
    assert not found(re.escape(f"{ROOT}/"))


@pytest.mark.parametrize(
    "pattern",
    [
        r"ignore_errors *:",
        r"\|\| *true\b",
        r"failed_when: *false(?! +# \w)",
        r"# *noqa(?!: \S+(, \S+)* +[-#(] ?\w)",
        r"# *type: *ignore(?!\S* # \w)",
    ],
)
def test_nothing_is_silenced_without_a_reason(pattern):
    """A check that cannot fail is none. Where an answer really does not matter, the same line says why."""
    assert not found(pattern)


@pytest.mark.parametrize("folder", ["playbooks", "roles"])
def test_nothing_waits_for_a_fixed_time(folder):
    """A fixed wait is too long on one machine and too short on another: poll for what is awaited."""
    assert not found(r"(^|\W)pause:|\bsleep\W+\d", under=ROOT / folder)


@pytest.mark.parametrize("folder", ["playbooks", "roles"])
def test_line_breaks_are_made_by_yaml(folder):
    r"""Ansible takes '\n' in an expression for two characters; only in double quotes YAML has made it one before."""
    assert not found(r"""^(?!.*: ".*\{\{).*'\\n'""", ROOT / folder)


def test_yaml_files_end_in_yml():
    """One spelling, so that a search by name finds all."""
    assert not [name(path) for path in committed() if path.suffix == ".yaml"]


def test_templates_end_in_j2():
    """A template is named as the file it becomes, plus .j2, and nothing else is in its folder."""
    templates = [path for path in committed() if "templates" in path.relative_to(ROOT).parts[:-1]]
    assert templates
    assert not [name(path) for path in templates if path.suffix != ".j2"]


def test_no_file_is_empty():
    """An empty file promises what is not there."""
    assert not [name(path) for path in committed() if not path.read_bytes().strip()]
