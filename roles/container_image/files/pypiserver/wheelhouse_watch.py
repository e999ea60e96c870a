# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a file or a directory is still what it was when it was read."""

from __future__ import annotations

import os
import time

# File systems stamp changes with a clock that ticks, every 10 ms at the slowest. What changes twice within a tick has
# the same stamp both times; so what is read this soon after a change is read again, however much it looks the same.
_SETTLED_NS = 50_000_000


class Stamp:
    """What the system notes of a path. Make it before reading; ask `holds` before using again what was read.

    The time of the last change of status (ctime) is part of it: unlike the time of modification no program can set it
    back, as archivers and rsync do with the other.
    """

    __slots__ = ("_path", "_settled", "_values")

    def __init__(self, path: str | os.PathLike) -> None:
        now = time.time_ns()
        status = os.stat(path)
        self._path = path
        self._settled = now - status.st_ctime_ns > _SETTLED_NS
        self._values = _values(status)

    def holds(self) -> bool:
        """Whether what was read after this stamp was made is still true."""
        if not self._settled:
            return False
        try:
            return _values(os.stat(self._path)) == self._values
        except OSError:
            return False


def _values(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
