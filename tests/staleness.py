# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Upload and read at once, again and again, while others read: no page lacks what was there when it was asked for."""

from __future__ import annotations

import itertools
import multiprocessing
import re
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import requests
from live_pypiserver import wheel

PIP = {
    "User-Agent": "pip/26.0",
    "Accept": "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01",
}
UV = {
    "User-Agent": "uv/0.13.8",
    "Accept": "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01",
}
OLD_PIP = {"User-Agent": "pip/20.3.4", "Accept": "text/html"}
BROWSER = {"User-Agent": "Mozilla/5.0", "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
CLIENTS = {"pip": PIP, "uv": UV, "old pip": OLD_PIP, "browser": BROWSER}


@dataclass
class Outcome:
    """What a run saw."""

    cycles: int = 0
    pages: int = 0
    stale: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        self.cycles += other.cycles
        self.pages += other.pages
        self.stale += other.stale
        self.failed += other.failed


def release(project: str, number: int, padding: int = 0) -> dict:
    """What a client sends to either server to add the release 1.N: a wheel, and what devpi wants to be told of it."""
    return {
        ":action": "file_upload",
        "name": project,
        "version": f"1.{number}",
        "filetype": "bdist_wheel",
        "content": wheel(project, f"1.{number}", padding=padding),
    }


def upload(url: str, auth: tuple[str, str], project: str, number: int, padding: int = 0, session=requests):
    """Add the release 1.N to the index at an address; the answer."""
    fields = release(project, number, padding)
    content = {"content": fields.pop("content")}
    return session.post(url, data=fields, files=content, auth=auth, timeout=120)


def numbers(page: str) -> set[int]:
    """The releases that a page lists: the N of each 1.N."""
    return {int(number) for number in re.findall(r"-1\.(\d+)-py3", page)}


def settled(read) -> str:
    """What `read()` says of nginx's log, once no line came for three times as long as nginx holds lines back."""
    log = None
    while (now := read()) != log:
        log = now
        time.sleep(0.3)
    return log


def fetches(read, path: str) -> int:
    """How often nginx has asked the index for a page, by its log: what comes from memory has no time of the index's."""
    return sum(f'"GET {path} ' in line and not line.endswith("upstream=-") for line in settled(read).splitlines())


def hammer(
    upload, pages: list[str], cycles: int, readers: int = 8, reloads: bool = False, deadline=lambda: False
) -> Outcome:
    """Run so many cycles of `upload(number)` and a read of each page by each kind of client, beside the readers.

    pages   Addresses of one project's pages, on the index itself and on those that inherit from it.
    upload  Adds the release 1.N and returns when the index has acknowledged it.
    reloads Whether nginx is reloaded meanwhile. It closes kept connections then, which clients may be about to use, so
            these have none.
    """
    outcome, headers = Outcome(), {"Connection": "close"} if reloads else {}
    spawn = multiprocessing.get_context("spawn")
    newest, end = spawn.Value("i", 0), spawn.Event()
    upload(0)
    # In a process of their own: threads of this one would keep the writer waiting for its turn.
    with ProcessPoolExecutor(1, spawn, _share, (newest, end)) as elsewhere, requests.Session() as session:
        beside = elsewhere.submit(_read_beside, pages, headers, readers)
        try:
            for number in range(1, cycles + 1):
                if deadline():
                    break
                upload(number)
                newest.value = number
                _read(session, pages, headers, newest, outcome)
                outcome.cycles += 1
        finally:
            end.set()
        outcome.add(beside.result())
    return outcome


def _read(session, pages, headers, newest, outcome):
    """Read each page as each kind of client does, and hold it against what was acknowledged before the question."""
    for page, client in itertools.product(pages, CLIENTS):
        wanted = newest.value
        answer = session.get(page, headers=CLIENTS[client] | headers, timeout=60)
        outcome.pages += 1
        if answer.status_code != 200:
            outcome.failed.append(f"{client} got {answer.status_code} from {page}")
        elif wanted not in numbers(answer.text):
            outcome.stale.append(f"{client} did not see 1.{wanted} on {page}")


def _share(newest, end):
    """What the process of the readers has in common with that of the writer; it can be inherited alone."""
    _read_beside.shared = newest, end


def _read_beside(pages, headers, readers):
    newest, end = _read_beside.shared

    def keep_reading():
        outcome = Outcome()
        with requests.Session() as session:
            while not end.is_set():
                _read(session, pages, headers, newest, outcome)
        return outcome

    total = Outcome()
    with ThreadPoolExecutor(readers) as threads:
        for reading in [threads.submit(keep_reading) for _reader in range(readers)]:
            total.add(reading.result())
    return total


def hammer_many(upload, pages, cycles: int, deadline=lambda: False) -> Outcome:
    """Run as many cycles, with another project for each hundred of them, since pages grow.

    upload  Adds the release 1.N of a project: `upload(project, number)`.
    pages   The addresses of a project's pages: `pages(project)`.
    """
    total = Outcome()
    while total.cycles < cycles and not deadline():
        project = f"hammered{total.cycles}"
        left = min(100, cycles - total.cycles)
        total.add(hammer(partial(upload, project), pages(project), left, deadline=deadline))
    return total
