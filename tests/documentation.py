# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/reference/, written from what the specifications of roles and modules say: `make docs`."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import yaml
from ansible.plugins.loader import fragment_loader, init_plugin_loader
from ansible.utils.plugin_docs import get_docstring
from antsibull_docs_parser import dom
from antsibull_docs_parser.format import LinkProvider
from antsibull_docs_parser.md import MDFormatter, to_md
from antsibull_docs_parser.parser import Context, parse
from tree import MODULES, ROLES, ROOT

DOCS = ROOT / "docs/reference"
COLLECTION = "wheelhouse.pypi"
TYPES = {
    "str": "string",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "dict": "dictionary",
    "list": "list",
    "raw": "any value",
    "path": "path",
}
ELEMENTS = {"str": "strings", "dict": "dictionaries", "path": "paths"}
INDEX = """\
# Reference

What the specifications of roles and modules say, written by `make docs`. In a terminal the same is told by
`ansible-doc -t role wheelhouse.pypi.pypi_server` and `ansible-doc wheelhouse.pypi.devpi_index`.

| role | what it is |
|---|---|
{roles}

| module | what it does |
|---|---|
{modules}
"""


class Markdown(MDFormatter):
    """Ansible's markup as Markdown that is also pleasant to read as it is."""

    def format_code(self, part):
        return f"`{part.text}`"

    def format_option_value(self, part):
        return f"`{part.value}`"

    def format_module(self, part, url):
        return f"[{part.fqcn}]({url})" if url else f"`{part.fqcn}`"

    def format_option_name(self, part, url):
        return f"`{part.name}`" if part.value is None else f"`{part.name}: {part.value}`"

    format_return_value = format_option_name

    def format_text(self, part):
        return re.sub(r"[\\`*<]", r"\\\g<0>", part.text)

    def format_url(self, part):
        return f"<{part.url}>"


class Links(LinkProvider):
    """Where a module of this collection is documented, seen from another page."""

    def plugin_link(self, plugin: dom.PluginIdentifier):
        own = plugin.fqcn.startswith(f"{COLLECTION}.") and plugin.type == "module"
        return f"../modules/{plugin.fqcn.split('.')[-1]}.md" if own else None


def prose(text, separator="\n\n"):
    """A text or a list of paragraphs. Markup that cannot be read is an error and not a remark on the page."""
    paragraphs = [text] if isinstance(text, str) else text
    parsed = parse(paragraphs, Context(), errors="exception")
    return to_md(parsed, Markdown(), Links(), par_sep=separator)


def value(given):
    """A value as one would write it in an inventory, on one line."""
    if isinstance(given, str):
        return f"`{given}`" if given else '`""`'
    written = yaml.safe_dump(given, default_flow_style=True, sort_keys=False, width=float("inf"))
    return f"`{written.splitlines()[0]}`"


def kind(spec):
    """What a value may be, and whether there has to be one."""
    words = f"list of {ELEMENTS[spec['elements']]}" if "elements" in spec else TYPES[spec["type"]]
    if "choices" in spec:
        *others, last = map(value, spec["choices"])
        words = f"{'list of: ' if spec['type'] == 'list' else ''}{', '.join(others)} or {last}"
    if spec.get("required"):
        return f"{words}; required"
    default = spec.get("default")
    if default is None or "__" in str(default):  # what a role computes from its own is told by the description
        return words
    return f"{words}; default {value(default)}"


def options(specs, below="options", indent=""):
    """A list of options or return values, in the order of their specification, the required ones first."""
    lines = []
    for name, spec in sorted(specs.items(), key=lambda item: not item[1].get("required", False)):
        told = f"; returned: {prose(spec['returned'])}" if "returned" in spec else ""
        lines.append(f"{indent}- **`{name}`** ({kind(spec)}{told})\n\n")
        lines += [f"{indent}  {line}\n\n" for line in prose(spec["description"], "\n").splitlines()]
        lines.append(options(spec.get(below) or spec.get("suboptions") or {}, below, f"{indent}  "))
    return "".join(lines)


def role_page(role):
    """The role's own variables, then its other entry points and what they take."""
    main = role.entry_points["main"]
    text = [
        f"# Role {COLLECTION}.{role.name}\n\n{main['short_description']}.\n\n{prose(main['description'])}\n\n",
        f"An example of its use is in its [README](../../../roles/{role.name}/README.md).\n\n",
        f"## Variables\n\n{options(main.get('options', {}))}",
    ]
    for name, point in role.entry_points.items():
        if name == "main":
            continue
        text.append(f"## Entry point `{name}`\n\n{point['short_description']}.\n\n{prose(point['description'])}\n\n")
        own = point.get("options", {})
        same = own and own == main.get("options")
        text.append("It takes the variables above.\n\n" if same else options(own) or "It takes no variables.\n\n")
    return "".join(text)


def documentation(module):
    """What a module's file documents, with its fragments, in the order of the file."""
    found = get_docstring(str(module), fragment_loader, collection_name=COLLECTION, plugin_type="module")
    return json.loads(json.dumps(found[:3]))  # without what Ansible knows about each text besides


def module_page(module):
    doc, examples, returned = documentation(module)
    text = [f"# Module {COLLECTION}.{module.stem}\n\n{doc['short_description']}.\n\n{prose(doc['description'])}\n\n"]
    if doc.get("requirements"):
        text.append(f"Needs on the host that runs it: {'; '.join(doc['requirements'])}.\n\n")
    text.append(f"## Options\n\n{options(doc['options'], 'suboptions')}")
    text.append("## Attributes\n\n| attribute | support | |\n|---|---|---|\n")
    for name, spec in doc["attributes"].items():
        text.append(f"| {name.replace('_', ' ')} | {spec['support']} | {prose(spec['description'], ' ')} |\n")
    if doc.get("notes"):
        text.append("\n## Notes\n\n" + "".join(f"- {prose(note)}\n" for note in doc["notes"]))
    text.append(f"\n## Examples\n\n```yaml\n{examples.strip()}\n```\n\n")
    text.append(f"## Return values\n\n{options(returned, 'contains')}")
    return "".join(text)


def pages():
    """Path below the directory → text of every page."""
    init_plugin_loader([str(ROOT / "collections")])
    short = {f"roles/{role.name}.md": role.entry_points["main"]["short_description"] for role in ROLES}
    short |= {f"modules/{module.stem}.md": documentation(module)[0]["short_description"] for module in MODULES}
    lines = [f"| [{Path(path).stem}]({path}) | {text} |" for path, text in short.items()]
    roles, modules = lines[: len(ROLES)], lines[len(ROLES) :]
    found = {"README.md": INDEX.format(roles="\n".join(roles), modules="\n".join(modules))}
    found |= {f"roles/{role.name}.md": role_page(role) for role in ROLES}
    found |= {f"modules/{module.stem}.md": module_page(module) for module in MODULES}
    return {path: f"{text.strip()}\n" for path, text in found.items()}


def main(directory):
    """Write every page, and leave nothing else there."""
    found = pages()
    shutil.rmtree(directory, ignore_errors=True)
    for path, text in found.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else DOCS)
