# SPDX-License-Identifier: GPL-3.0-or-later
"""Users in an htpasswd file that may change at any time, by any editor."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

from passlib.context import CryptContext
from wheelhouse_watch import Stamp

_log = logging.getLogger("wheelhouse.users")
_HASHES = CryptContext(["sha512_crypt", "bcrypt"])
_REMEMBERED = 1000


class Users:
    """Callable with a name and a password: whether that user may log in.

    A line that is no hash of a kind we know locks that one user out and is named in the log. Hashes are slow on purpose
    (0.6 s for one of 656,000 rounds), and a client sends its password with every request. So a password that was right
    is remembered, as a keyed digest together with the hash that it matched: it never matches another hash.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[Stamp | None, dict[str, str]] = None, {}
        self._said: list[str] = []
        self._key = os.urandom(32)
        self._right: set[bytes] = set()
        self._hashes()

    def __call__(self, name: str, password: str) -> bool:
        wanted = self._hashes().get(name)
        if wanted is None:
            return False
        proof = hashlib.blake2b(f"{wanted}\0{password}".encode(errors="surrogateescape"), key=self._key).digest()
        if proof in self._right:
            return True
        try:
            right = _HASHES.verify(password, wanted)
        except ValueError:  # no password that a hash can be made of: with a NUL in it, or longer than 4,096 characters
            return False
        if right:
            if len(self._right) >= _REMEMBERED:
                self._right.clear()
            self._right.add(proof)
        return right

    def _hashes(self) -> dict[str, str]:
        stamp, hashes = self._read
        if stamp is None or not stamp.holds():
            complaints = []
            try:
                stamp = Stamp(self._path)
                hashes = _parse(self._path, complaints)
            except OSError as error:
                stamp, hashes = None, {}
                complaints.append(f"Nobody can log in: {error}")
            self._read = stamp, hashes
            if complaints != self._said:
                self._said = complaints
                for complaint in complaints:
                    _log.warning("%s", complaint)
        return hashes


def _parse(path: Path, complaints: list[str]) -> dict[str, str]:
    """The hash of each user; of two lines for one user the first, as nginx and Apache read it."""
    hashes: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="surrogateescape").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _colon, rest = line.partition(":")
        value = rest.split(":")[0].strip()
        if _usable(value):
            hashes.setdefault(name, value)
        else:
            complaints.append(
                f"{path}, line {number}: not NAME:HASH with a hash of sha512-crypt ($6$) or bcrypt ($2b$), so that "
                "user cannot log in. Make the line anew: htpasswd -n -5 NAME, or htpasswd -n -B NAME"
            )
    return hashes


def _usable(value: str) -> bool:
    """Whether a password can be compared with it; found without doing so, which takes long."""
    kind = _HASHES.identify(value, resolve=True)
    try:
        return kind is not None and kind.from_string(value).checksum is not None
    except ValueError:
        return False
