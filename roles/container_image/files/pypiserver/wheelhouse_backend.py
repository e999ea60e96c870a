# SPDX-License-Identifier: GPL-3.0-or-later
"""The files behind pypiserver: an index of them that is never stale, and uploads that are whole or not there."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import shutil
import tempfile
from pathlib import Path

from packaging.version import InvalidVersion, Version
from pypiserver.backend import SimpleFileBackend
from pypiserver.bottle_wrapper import HTTPError, request
from pypiserver.core import PkgFile
from pypiserver.pkg_helpers import normalize_pkgname
from release_files import check, name_and_version
from wheelhouse_watch import Stamp

_log = logging.getLogger("wheelhouse.index")
WRITTEN = "wheelhouse.written"  # in a request's environ: the projects whose files it added or removed
_TEMPORARY = ".wheelhouse-upload-"
# The fields in which a client sends what it knows of the file: field → how that is computed.
_DIGESTS = {
    "md5_digest": lambda: hashlib.md5(usedforsecurity=False),
    "sha256_digest": hashlib.sha256,
    "blake2_256_digest": lambda: hashlib.blake2b(digest_size=32),
}


class Release(PkgFile):
    """A release file. Unlike pypiserver's it lives longer than a request, so it asks for its digest each time."""

    __slots__ = ()

    @property
    def fname_and_hash(self) -> str:
        digest = self.digester(self)
        return f"{self.relfn_unix}#{digest}" if digest else self.relfn_unix


class _Index:
    """What the directories under a root held when they were read, and whether they still do."""

    def __init__(self, root: Path, before: dict[str, Release]) -> None:
        self.releases: dict[str, Release] = {}  # by relative path
        self.files: set[str] = set()  # the names of all listed files, whatever they are
        self._stamps: list[Stamp] = []
        self._read(root, str(root), before)
        projects: dict[str, list[Release]] = {}
        for release in self.releases.values():
            projects.setdefault(release.pkgname_norm, []).append(release)
        self.projects = dict(sorted(projects.items()))

    def holds(self) -> bool:
        return all(stamp.holds() for stamp in self._stamps)

    def _read(self, root: Path, directory: str, before: dict[str, Release]) -> None:
        self._stamps.append(Stamp(directory))
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    try:
                        self._read(root, entry.path, before)
                    except OSError as error:  # such as lost+found, which is root's alone
                        _log.info("Not listed: %s", error)
                elif entry.is_file():
                    self.files.add(entry.name)
                    self._add(root, entry, before)

    def _add(self, root: Path, entry: os.DirEntry, before: dict[str, Release]) -> None:
        relative = entry.path[len(str(root)) + 1 :]
        release = before.get(relative)
        if release is None:
            known = name_and_version(entry.name)
            if known is None:
                return
            release = Release(*known, fn=entry.path, root=str(root), relfn=relative)
        self.releases[relative] = release


class Backend(SimpleFileBackend):
    """Files in one directory and those below it.

    Reading: the index is kept in memory, and at every use the file system is asked whether it is still true. So it
    needs no restart and no notification when files come and go by any way, and several processes agree at any moment.

    Writing: a file gets its name when it is whole, checked and on the disk, and never in place of another one, unless
    `overwrite` is on. Of an upload that is interrupted a hidden temporary file is left at most.
    """

    def __init__(self, config) -> None:
        super().__init__(config)
        self._root = self.roots[0]
        self._overwrite = config.overwrite
        self._index: _Index | None = None
        self._digests: dict[str, tuple[Stamp, str]] = {}

    def get_all_packages(self) -> list[Release]:
        return list(self._current().releases.values())

    def get_projects(self) -> list[str]:
        return list(self._current().projects)

    def find_project_packages(self, project: str) -> list[Release]:
        return self._current().projects.get(normalize_pkgname(project), [])

    def find_version(self, name: str, version: str) -> list[Release]:
        """The files of a release, its name in any spelling of PEP 503 and its version in any of PEP 440."""
        wanted = _comparable(version)
        return [file for file in self.find_project_packages(name) if _comparable(file.version) == wanted]

    def exists(self, filename: str) -> bool:
        return filename in self._current().files

    def package_count(self) -> int:
        return len(self._current().releases)

    def digest(self, pkg: PkgFile) -> str | None:
        if self.hash_algo is None:
            return None
        known = self._digests.get(pkg.fn)
        if known and known[0].holds():
            return known[1]
        try:
            stamp = Stamp(pkg.fn)
            digest = super().digest(pkg)
        except FileNotFoundError:  # removed since it was listed
            return None
        except OSError as error:  # put there by somebody who let nobody read it
            _log.warning("No digest: %s", error)
            return None
        self._digests[pkg.fn] = stamp, digest
        return digest

    def add_package(self, filename: str, stream) -> None:
        with _temporary_file(self._root) as (path, file):
            shutil.copyfileobj(stream, file, 2**20)
            file.flush()
            _refuse_other_content(filename, file)
            try:
                check(path, filename)
            except ValueError as error:
                raise HTTPError(400, str(error)) from None
            os.fsync(file.fileno())
            if self._overwrite:
                os.replace(path, self._root / filename)
            else:
                try:
                    os.link(path, self._root / filename)
                except FileExistsError:
                    # As pypiserver answers a file that it has had for longer: 400 is what twine understands.
                    status = 400 if "twine" in request.headers.get("User-Agent", "") else 409
                    raise HTTPError(status, f"Package {filename!r} already exists!") from None
        _sync(self._root)
        known = name_and_version(filename)
        _note_written(known and known[0])
        _log.info("Stored %s, by %r", filename, _user())

    def remove_package(self, pkg: PkgFile) -> None:
        super().remove_package(pkg)
        _sync(Path(pkg.fn).parent)
        _note_written(pkg.pkgname)
        _log.info("Removed %r, by %r", pkg.relfn, _user())

    def _current(self) -> _Index:
        index = self._index
        if index is None or not index.holds():
            index = self._index = _Index(self._root, index.releases if index else {})
            digests = self._digests
            self._digests = {file.fn: digests[file.fn] for file in index.releases.values() if file.fn in digests}
        return index


def remove_leftovers(directory: Path) -> None:
    """Remove the temporary files of uploads that ended with their process; an upload that goes on holds its lock."""
    for path in directory.glob(f"{_TEMPORARY}*"):
        with path.open("rb") as file, contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            _log.warning("Removed %s, left by an upload that was interrupted", path)


@contextlib.contextmanager
def _temporary_file(directory: Path):
    descriptor, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=directory)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            os.fchmod(
                descriptor, 0o640
            )  # mkstemp lets the owner alone read, and the proxy reads as a member of the group
            yield Path(name), file
    finally:
        with contextlib.suppress(FileNotFoundError):  # it has been renamed
            os.unlink(name)


def _refuse_other_content(filename: str, file) -> None:
    """Refuse a release file whose content is not what its sender says it is."""
    if filename.endswith(".asc"):
        return  # the fields are about the file that it signs
    for field, algorithm in _DIGESTS.items():
        sent = request.forms.get(field)
        if not sent:
            continue
        file.seek(0)
        received = hashlib.file_digest(file, algorithm).hexdigest()
        if sent.lower() != received:
            raise HTTPError(
                400, f"{filename} arrived damaged: its {field} should be {sent!r} and is {received!r}. Upload it again."
            )


def _sync(directory: Path) -> None:
    """Have the names in a directory on the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _note_written(name: str | None) -> None:
    """Note whose page this request has changed; without a name that a header can carry it may be anybody's."""
    request.environ.setdefault(WRITTEN, set()).add(normalize_pkgname(name) if name and name.isascii() else None)


def _user() -> str:
    """What the client calls itself; where no password is asked for, nobody has looked whether that is so."""
    return request.auth[0] if request.auth else "anybody"


def _comparable(version: str) -> Version | str:
    try:
        return Version(version)
    except InvalidVersion:
        return version
