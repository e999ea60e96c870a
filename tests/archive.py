# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection's archive: what git has or would have, and nothing else that lies in the checkout. `make build`."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tree import ROOT, committed

GALAXY = Path(sys.executable).parent / "ansible-galaxy"


def build(directory: Path) -> Path:
    """The archive in that directory. The same content at the same commit gives the same bytes."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        for path in committed():
            copy = Path(place, path.relative_to(ROOT))
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        subprocess.run([GALAXY, "collection", "build"], cwd=place, env=clean, check=True, capture_output=True)
        [built] = Path(place).glob("*.tar.gz")
        archive = directory / built.name
        archive.write_bytes(_with_one_time(built, _time_of_commit()))
    return archive


def _time_of_commit():
    shown = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, check=True, capture_output=True, text=True)
    return int(shown.stdout)


def _with_one_time(archive, time):
    """What ansible-galaxy packed, in one order and with one time, where it takes the disk's order and the clock's."""
    with tarfile.open(archive) as packed:
        content = {member.name: packed.extractfile(member).read() for member in packed if member.isfile()}
        members = {member.name: member for member in packed}
    files, manifest = json.loads(content["FILES.json"]), json.loads(content["MANIFEST.json"])
    files["files"].sort(key=lambda file: file["name"])
    content["FILES.json"] = json.dumps(files, indent=True).encode()
    manifest["file_manifest_file"]["chksum_sha256"] = hashlib.sha256(content["FILES.json"]).hexdigest()
    content["MANIFEST.json"] = json.dumps(manifest, indent=True).encode()
    # The manifest comes first: whoever lists a collection reads no further.
    order = ["MANIFEST.json", "FILES.json", *sorted(set(members) - {"MANIFEST.json", "FILES.json"})]
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as repacked:
        for name in order:
            member, data = members[name], content.get(name, b"")
            member.mtime, member.size, member.pax_headers = time, len(data), {}
            repacked.addfile(member, io.BytesIO(data))
    return gzip.compress(tar.getvalue(), mtime=time)


if __name__ == "__main__":
    print(build(ROOT / "build").relative_to(ROOT))
