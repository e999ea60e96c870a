# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Releases of many kinds, as years of different build tools leave them in an index."""

from __future__ import annotations

import io
import random
import tarfile
import zipfile

# project as its metadata spell it, version, what both say beside that
PLAIN = [
    *(("simple", f"1.{minor}", {}) for minor in range(8)),
    ("dash-ed", "1.0", {}),
    ("under_scored", "1.0", {}),
    ("dot.ted", "1.0", {}),
    ("Mixed-Case_and.dots", "2.0.1", {}),
    ("d2-2d", "3.0", {}),
    ("local", "1.0+ubuntu.1", {}),
    ("local", "1.0+g1a2b3c", {}),
    ("epoch", "1!2.0", {}),
    ("pre", "1.0a1", {}),
    ("pre", "1.0rc2.post3.dev4", {}),
    ("python-bound", "1.0", {"Requires-Python": ">=3.9,<4"}),
    ("old-metadata", "1.0", {"Metadata-Version": "2.0", "Requires-Python": ">=2.7"}),  # packaging knows no 2.0
    ("wordy", "1.0", {"Summary": "two\n        lines", "License": "MIT"}),  # no summary of today has two lines
    ("long-winded", "1.0", {"Description-Content-Type": "text/plain", "": "word " * 40_000}),  # pypiserver takes 100 kB
    ("far-text", "1.0", {"Author": "Zoë Ünïcode"}),
]


def _metadata(name, version, more):
    fields = {"Metadata-Version": "2.1", "Name": name, "Version": version, **more}
    text = fields.pop("", "")
    return ("".join(f"{key}: {value}\n" for key, value in fields.items()) + f"\n{text}").encode()


def _zip(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def _tar(files, mode):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def wheel(name, version, more=None, tags="py3-none-any", seed=0):
    stem = f"{name.replace('-', '_')}-{version}"
    payload = random.Random(f"{stem}{tags}{seed}").randbytes(2000)
    info = f"{stem}.dist-info"
    files = {
        f"{name.replace('-', '_')}.bin": payload,
        f"{info}/METADATA": _metadata(name, version, more or {}),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\n",
        f"{info}/RECORD": b"",
    }
    return {f"{stem}-{tags}.whl": _zip(files)}


def sdist(name, version, more=None, suffix=".tar.gz", folder=None):
    stem = folder or f"{name}-{version}"
    files = {f"{stem}/PKG-INFO": _metadata(name, version, more or {}), f"{stem}/setup.py": b"#" * 500}
    modes = {".tar.gz": "w:gz", ".tgz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}
    return {f"{stem}{suffix}": _zip(files) if suffix == ".zip" else _tar(files, modes[suffix])}


def releases():
    """File name → content, of all that both servers can hold."""
    found = {}
    for name, version, more in PLAIN:
        found |= wheel(name, version, more) | sdist(name, version, more)
    found |= sdist("simple", "2.0", suffix=".zip") | sdist("simple", "2.1", suffix=".tar.bz2")
    found |= sdist("simple", "2.2", suffix=".tgz")
    found |= wheel("built", "1.0", tags="1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64")
    found |= wheel("built", "1.0", tags="2local-cp311-abi3-macosx_11_0_arm64")
    found |= wheel("built", "1.0", tags="py2.py3-none-any")
    found |= sdist("spelled-otherwise", "1.0-beta", folder="spelled_otherwise-1.0b0")
    found |= {"egg-1.0-py2.7.egg": _zip({"EGG-INFO/PKG-INFO": _metadata("egg", "1.0", {})})}
    found |= {"bare-1.0.tar.gz": _tar({"somewhere/else": b"no metadata at all"}, "w:gz")}
    found |= {"installer-1.0.win32-py2.7.exe": b"MZ" + bytes(500)}
    return found
