# SPDX-License-Identifier: GPL-3.0-or-later
"""Build backend of simple_test (PEP 517): a wheel, and a source distribution as a zip.

The version is the content of the file VERSION beside this one. Run as a program, with pairs of a directory and a
version as arguments, it builds both archives of that version into that directory and prints their SHA-256 as JSON.
"""

import hashlib
import json
import sys
from base64 import urlsafe_b64encode
from pathlib import Path
from zipfile import ZipFile

HERE = Path(__file__).parent
WHEEL = "Wheel-Version: 1.0\nGenerator: build_simple_test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    version = _version()
    dist_info = f"simple_test-{version}.dist-info"
    files = {
        "simple_test.py": (HERE / "simple_test.py").read_text(),
        f"{dist_info}/METADATA": _metadata(version),
        f"{dist_info}/WHEEL": WHEEL,
    }
    record = [f"{name},sha256={_digest(text)},{len(text.encode())}\n" for name, text in files.items()]
    files[f"{dist_info}/RECORD"] = "".join([*record, f"{dist_info}/RECORD,,\n"])
    return _write(wheel_directory, f"simple_test-{version}-py3-none-any.whl", files)


def build_sdist(sdist_directory, config_settings=None):
    version = _version()
    sources = ["pyproject.toml", "simple_test.py", "build_simple_test.py", "VERSION"]
    files = {f"simple_test-{version}/{name}": (HERE / name).read_text() for name in sources}
    files[f"simple_test-{version}/PKG-INFO"] = _metadata(version)
    return _write(sdist_directory, f"simple_test-{version}.zip", files)


def _version():
    return (HERE / "VERSION").read_text().strip()


def _metadata(version):
    return f"Metadata-Version: 2.1\nName: simple_test\nVersion: {version}\nSummary: Proves that an index works.\n"


def _digest(text):
    return urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def _write(directory, name, files):
    with ZipFile(Path(directory, name), "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return name


def _main(arguments):
    hashes = {}
    for directory, version in zip(arguments[::2], arguments[1::2], strict=True):
        Path(directory).mkdir()
        (HERE / "VERSION").write_text(version)
        for name in (build_wheel(directory), build_sdist(directory)):
            hashes[name] = hashlib.sha256(Path(directory, name).read_bytes()).hexdigest()
    print(json.dumps(hashes))


if __name__ == "__main__":
    _main(sys.argv[1:])
