# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages that people read, as tests see them: commands to type, messages that are quoted, examples, links.

A test that runs a command of a page takes it from there with typed(), and one that meets a failure of the page on
troubles holds what it saw against it with quoted(). laws/test_pages.py finds what no test takes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from markdown_it import MarkdownIt
from tree import ROOT, name

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]
TROUBLES = ROOT / "docs/troubleshooting.md"
PROGRAMS = re.compile(r"(make|vagrant|pip|uv|twine|git|docker|curl|systemctl|journalctl|ansible(-\w+)?|\S*/bin/\S+) \S")


@dataclass(frozen=True)
class Part:
    """A piece of a page: its kind (heading, fence, code, link or text), and the heading above it."""

    page: str
    heading: str
    kind: str
    text: str
    language: str = ""


def parts(page):
    """The pieces of a page that a test may have something to say about."""
    heading, found = "", []
    tokens = MarkdownIt("commonmark").enable("table").parse(page.read_text())
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type == "fence":
            found.append(Part(name(page), heading, "fence", token.content, token.info))
        elif token.type == "inline":
            if before.type == "heading_open":
                heading = token.content
                found.append(Part(name(page), heading, "heading", token.content))
            for child in token.children:
                if child.type == "code_inline":
                    found.append(Part(name(page), heading, "code", child.content))
                elif child.type in ("link_open", "image"):
                    found.append(Part(name(page), heading, "link", child.attrGet("href") or child.attrGet("src")))
    return found


ALL = [part for page in PAGES for part in parts(page)]


def commands():
    """Every command of every page: each line of a block in sh, and what else in the text begins as a command does."""
    found = []
    for part in ALL:
        if part.kind == "fence" and part.language == "sh":
            lines = re.sub(r"\s*\\\n\s*", " ", part.text).splitlines()
            found += [re.sub(r"\s+#\s.*$", "", line) for line in lines if not re.match(r"\s*(#|$)", line)]
        elif part.kind == "code" and PROGRAMS.match(part.text):
            found.append(part.text)
    return found


def typed(line):
    """A command that some page tells people to type, word for word."""
    assert line in commands(), f"no page has the command: {line}"
    return line


def quotes():
    """What the page on troubles quotes: heading → the messages below it."""
    found = {}
    for part in parts(TROUBLES):
        if part.kind == "fence" and part.language == "text":
            found.setdefault(part.heading, []).append(" ".join(part.text.split()))
    return found


def quoted(heading, *outputs):
    """See that each message quoted below the heading is in what was really said. `…` stands for what differs."""
    said = re.sub(r"\x1b\[[0-9;]*m", "", " ".join(" ".join(outputs).split()))
    for quote in quotes()[heading]:
        pattern = r"\S.*?".join(map(re.escape, quote.split("…")))
        assert re.search(pattern, said), f"{quote}\nis not in\n{said}"
