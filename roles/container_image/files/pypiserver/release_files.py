# SPDX-License-Identifier: GPL-3.0-or-later
"""Release files: what their names say, and whether their content is whole and says the same."""

from __future__ import annotations

import re
import tarfile
import zipfile
from pathlib import Path

from packaging.metadata import parse_email
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version
from pypiserver.pkg_helpers import guess_pkgname_and_version

_TAR_MODES = {".tar.gz": "r:gz", ".tgz": "r:gz", ".tar.bz2": "r:bz2", ".tar.xz": "r:xz"}
_SUFFIXES = (".whl", ".zip", *_TAR_MODES)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._!+-]{0,254}")
_SIGNATURE = b"-----BEGIN PGP SIGNATURE-----"
_WHEEL_METADATA = re.compile(r"[^/]+\.dist-info/METADATA")
_SDIST_METADATA = re.compile(r"(\./)?[^/]+/PKG-INFO")
_METADATA_LIMIT = 16 * 2**20  # bytes: a description with everything in it, and no bomb
_CHUNK = 2**20


def name_and_version(filename: str) -> tuple[str, str] | None:
    """The project and the version that the server lists a file under, or None for a file that it does not list.

    The project is pypiserver's guess. The version is what follows it, where pypiserver would take a wheel's build
    number for a part of the version ("1.0-1", which is another version to pip: 1.0.post1).
    """
    guess = guess_pkgname_and_version(filename)
    if guess is None:
        return None
    name, version = guess
    release = filename.removesuffix(".asc")
    suffix = next((suffix for suffix in _SUFFIXES if release.endswith(suffix)), None)
    if suffix == ".whl":
        version = release[len(name) + 1 :].split("-")[0]
    elif suffix:
        version = release.removesuffix(suffix)[len(name) + 1 :]
    return name, version


def check(path: Path, filename: str) -> None:
    """Raise ValueError, with a sentence, unless the file at path is what its name-to-be says, and whole.

    Every byte is read: a wheel, a zip or a compressed tar archive that was cut off or damaged is refused, and so is one
    whose metadata names another project (PEP 503) or version (PEP 440) than the file name does.
    """
    if not _NAME.fullmatch(filename):
        raise ValueError(
            f"{filename!r} is no name for a release file: letters, digits and . _ ! + - are allowed, at most 255 of "
            "them, a letter or a digit first."
        )
    if filename.endswith(".asc"):
        _check_signature(path, filename)
        return
    suffix = next((suffix for suffix in _SUFFIXES if filename.endswith(suffix)), None)
    if suffix is None:
        raise ValueError(f"{filename} is no file that pip installs: its name has to end in {', '.join(_SUFFIXES)}.")
    if suffix == ".whl":
        try:
            parse_wheel_filename(filename)
        except InvalidWheelFilename as error:
            raise ValueError(f"{filename} is not named as a wheel is (PEP 427): {error}.") from None
    named = name_and_version(filename)
    if named is None:
        raise ValueError(f"{filename} does not tell a project and a version, as in project-1.0{suffix}.")
    try:
        metadata = _tar_metadata(path, suffix) if suffix in _TAR_MODES else _zip_metadata(path, suffix)
    except _Damaged as error:
        raise ValueError(f"{filename} {error}") from None
    except Exception as error:  # the readers raise whatever they trip over, and these are a stranger's bytes
        raise ValueError(f"{filename} is damaged or cut off, or no {suffix} file: {error}.") from None
    _compare(filename, named, metadata)


class _Damaged(Exception):
    """What is wrong with an archive that can be opened; the message follows the file's name."""


def _check_signature(path: Path, filename: str) -> None:
    with path.open("rb") as file:
        if _SIGNATURE not in file.read(_CHUNK):
            raise ValueError(f"{filename} is no signature: it lacks the line {_SIGNATURE.decode()}.")


def _zip_metadata(path: Path, suffix: str) -> bytes:
    wanted = _WHEEL_METADATA if suffix == ".whl" else _SDIST_METADATA
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
        if damaged is not None:
            raise _Damaged(f"is damaged: the checksum of {damaged!r} in it is wrong.")
        members = [member for member in archive.namelist() if wanted.fullmatch(member)]
        _expect_one(members, wanted)
        with archive.open(members[0]) as member:
            return member.read(_METADATA_LIMIT)


def _tar_metadata(path: Path, suffix: str) -> bytes:
    found = {}
    with tarfile.open(path, _TAR_MODES[suffix]) as archive:
        for member in archive:
            if member.isfile() and _SDIST_METADATA.fullmatch(member.name):
                found[member.name] = archive.extractfile(member).read(_METADATA_LIMIT)
        # The checksum that tells of a stream that was cut off or damaged comes last.
        while archive.fileobj.read(_CHUNK):
            pass
    _expect_one(found, _SDIST_METADATA)
    return found.popitem()[1]


def _expect_one(members, pattern: re.Pattern[str]) -> None:
    if len(members) != 1:
        what = "*.dist-info/METADATA" if pattern is _WHEEL_METADATA else "*/PKG-INFO"
        raise _Damaged(f"has to hold exactly one {what}, and holds {len(members)}.")


def _compare(filename: str, named: tuple[str, str], metadata: bytes) -> None:
    fields, _unknown = parse_email(metadata)
    name, version = fields.get("name", ""), fields.get("version", "")
    if canonicalize_name(name) != canonicalize_name(named[0]):
        raise ValueError(f"{filename} is named after the project {named[0]!r}, but its metadata names {name!r}.")
    if _version(filename, version, "metadata has") != _version(filename, named[1], "name has"):
        raise ValueError(f"{filename} is named after version {named[1]!r}, but its metadata has {version!r}.")


def _version(filename: str, text: str, where: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        raise ValueError(f"{filename}: its {where} {text!r} for a version, which PEP 440 does not allow.") from None
