# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make release`: refuse what is no release, build its archive, prove it, and say what to do next."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

from archive import build
from tree import ROOT, load

BIN = Path(sys.executable).parent


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def refusals(version):
    """What keeps this checkout from being that version, a sentence each, and what to do about it."""
    changed = [line[3:] for line in git("status", "--porcelain").splitlines()]
    if changed:
        yield (
            f"The checkout has changes that no commit has: {', '.join(changed[:5])}{', …' if changed[5:] else ''}. "
            "A release is what a commit has. Commit them, or put them aside with 'git stash --include-untracked'."
        )
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version):
        yield (
            f"version in galaxy.yml: got {version!r}, allowed are three numbers of semantic versioning, such as 1.2.0. "
            "Set it there."
        )
    elif git("tag", "--list", version):
        yield (
            f"The tag {version} exists already, at {git('rev-parse', '--short', f'{version}^{{commit}}').strip()}. "
            "What people have under a version never changes: set a higher version in galaxy.yml."
        )
    sections = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)[1:]
    heading, _end, text = sections[0].partition("\n") if sections else ("nothing", "", "")
    if not (re.fullmatch(rf"{re.escape(version)} \(\d{{4}}-\d\d-\d\d\)", heading) and text.strip()):
        yield (
            f"CHANGELOG.md begins with {heading!r}, needed is '## {version} (YYYY-MM-DD)' with what is new below it, "
            "in the words of those who use it. Write it and commit it."
        )


def main():
    version = str(load(ROOT / "galaxy.yml")["version"])
    refused = list(refusals(version))
    if refused:
        print(*refused, f"Nothing was built. Then: make release ({len(refused)} to mend)", sep="\n", file=sys.stderr)
        return 2
    archive = build(ROOT / "build")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    print(f"Proving {archive.relative_to(ROOT)}: installed elsewhere, offline, and deployed from.", flush=True)
    proof = subprocess.run(
        [BIN / "pytest", "tests/system/test_collection.py", "tests/engine/test_release.py"],
        cwd=ROOT,
        env=os.environ | {"WHEELHOUSE_LONG": "yes"},
        check=False,
    )
    if proof.returncode or hashlib.sha256(archive.read_bytes()).hexdigest() != digest:
        print(f"{archive.name} is not proven, so it is no release. What failed is above.", file=sys.stderr)
        return 1
    print(f"""
{version} is proven. Its archive, which the same commit gives again byte by byte:
  {digest}  {archive.relative_to(ROOT)}
What is left to do:
  git tag --annotate --message 'wheelhouse.pypi {version}' {version} && git push origin {version}
  {BIN.relative_to(ROOT)}/ansible-galaxy collection publish {archive.relative_to(ROOT)} --token …""")
    return 0


if __name__ == "__main__":
    sys.exit(main())
