# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stamp that pypiserver's index relies on, on real files: in memory, where the kernel stamps them by its ticks."""

from __future__ import annotations

import importlib.util
import os
import tempfile
import time
from pathlib import Path

import pytest
from tree import ROOT

SPEC = importlib.util.spec_from_file_location(
    "wheelhouse_watch", ROOT / "roles/container_image/files/pypiserver/wheelhouse_watch.py"
)
WATCH = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(WATCH)


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        yield Path(directory)


def settle():
    time.sleep(0.1)


def test_stamp_never_holds_over_a_change_however_soon(place):
    """1,000 times something changes, is stamped and changes again, within one tick for all that the kernel tells.

    A directory in which one file takes the place of another shows that on every kernel; the newest stamp a file more
    finely after somebody has looked.
    """
    files = place / "a", place / "b"
    for turn in range(1000):
        files[0].touch()
        stamp = WATCH.Stamp(place)
        files[0].unlink()
        files[1].touch()
        assert not stamp.holds(), turn
        files[1].unlink()
    for turn in range(1000):
        files[0].write_bytes(b"1")
        stamp = WATCH.Stamp(files[0])
        files[0].write_bytes(b"2")
        assert not stamp.holds(), turn


def test_stamp_holds_while_nothing_changes(place):
    file = place / "file"
    file.write_bytes(b"1")
    settle()
    stamps = [WATCH.Stamp(file), WATCH.Stamp(place)]
    settle()
    assert all(stamp.holds() for stamp in stamps)


@pytest.mark.parametrize("change", ["content", "replaced", "gone"])
def test_stamp_of_a_file_tells_of_a_change_that_keeps_size_and_time(place, change):
    file = place / "file"
    file.write_bytes(b"1")
    os.utime(file, (1, 1))
    settle()
    stamp = WATCH.Stamp(file)
    if change == "content":
        file.write_bytes(b"2")
    elif change == "replaced":
        (place / "new").write_bytes(b"2")
        (place / "new").rename(file)
    else:
        file.unlink()
    if change != "gone":
        os.utime(file, (1, 1))
    settle()
    assert not stamp.holds()
