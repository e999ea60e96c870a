# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tree as tests see it: what git would commit, and what each role declares."""

from __future__ import annotations

import re
import subprocess
from functools import cached_property
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
# The package that verification uploads, by the names of its files.
SIMPLE_TEST = {path.name: path.read_text() for path in ROOT.glob("roles/pypi_verify/files/simple_test/*.*")}


class Loader(yaml.SafeLoader):
    """YAML as Ansible writes it."""


Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))
Loader.add_constructor("!vault", lambda loader, node: loader.construct_scalar(node))


def load(path):
    return yaml.load(path.read_text(), Loader)  # noqa: S506 - a SafeLoader that knows two tags more


def committed():
    """Every file that git tracks, or would with the next `git add`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = [ROOT / line for line in listed.stdout.decode().split("\0")[:-1]]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def name(path):
    """How a message calls a file."""
    return path.relative_to(ROOT).as_posix()


def mappings(node):
    """Every mapping of a YAML document, outermost first."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from mappings(child)


class Role:
    def __init__(self, path):
        self.path = path
        self.name = path.name

    @cached_property
    def entry_points(self):
        return load(self.path / "meta/argument_specs.yml")["argument_specs"]

    @cached_property
    def options(self):
        """Option → its specification, of all entry points together."""
        return {key: spec for point in self.entry_points.values() for key, spec in point.get("options", {}).items()}

    @cached_property
    def defaults(self):
        return load(self.path / "defaults/main.yml")

    @cached_property
    def without_default(self):
        """What defaults/main.yml names in a comment, `# name: an example`, because it has no default."""
        return set(
            re.findall(rf"^# ({self.name}_\w+): \S", (self.path / "defaults/main.yml").read_text(), re.MULTILINE)
        )

    @cached_property
    def results(self):
        """What the role sets by itself: in vars/main.yml, as a fact, as a result, for one task or in a loop."""
        own = self.path / "vars/main.yml"
        found = set(load(own)) if own.exists() else set()
        for path in [*self.path.glob("tasks/**/*.yml"), *self.path.glob("handlers/*.yml")]:
            for mapping in mappings(load(path)):
                found |= {mapping[key] for key in ("register", "loop_var") if isinstance(mapping.get(key), str)}
                called = mapping.get("ansible.builtin.include_role") or mapping.get("ansible.builtin.import_role") or {}
                theirs = f"{called.get('name', self.name).split('.')[-1]}_"  # what another role is told is its own
                for key in ("ansible.builtin.set_fact", "vars"):
                    found |= {name for name in mapping.get(key) or {} if not called or not name.startswith(theirs)}
        return found


ROLES = [Role(path.parent) for path in sorted(ROOT.glob("roles/*/tasks"))]
MODULES = sorted(ROOT.glob("plugins/modules/*.py"))
