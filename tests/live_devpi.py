# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real devpi-server as the product runs it: same pins and hashes, same program."""

from __future__ import annotations

import json
import os
import random
import re
import secrets
import socket
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from urllib.request import Request, urlopen

import requests
from environments import installed
from tree import ROOT

SOFTWARE = "roles/container_image/files/devpi"
# The secret is stretched at the start with 512 MiB and 5 s of work by default. These are for tests only.
CHEAP_START = ("--argon2-memory-cost", "8192", "--argon2-time-cost", "2", "--argon2-parallelism", "1")


def free_port() -> int:
    """A free port below those that clients are given, where TIME-WAIT would make the bind fail now and then."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port


class LiveDevpi:
    def __init__(self) -> None:
        self.bin = installed("devpi") / "bin"
        self.program = ROOT / SOFTWARE / "serve_index.py"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.password = secrets.token_urlsafe(24)

    def __enter__(self) -> LiveDevpi:
        self._directory = tempfile.TemporaryDirectory(prefix="devpi-")
        home = Path(self._directory.name)
        data = ["--serverdir", home / "data"]
        environment = {**os.environ, "DEVPISERVER_ROOT_PASSWD": self.password}
        init = [self.bin / "devpi-init", *data, "--no-root-pypi"]
        subprocess.run(init, env=environment, check=True, capture_output=True)
        self._log = home / "log"
        with self._log.open("wb") as log:
            serve = [self.bin / "python", self.program, *data, "--host", "127.0.0.1", "--port", str(self.port)]
            self._process = subprocess.Popen(
                [*serve, "--restrict-modify", "root", *CHEAP_START], stdout=log, stderr=subprocess.STDOUT
            )
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._directory.cleanup()

    def _wait(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and self._process.poll() is None:
            try:
                self.get("+api")
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"devpi-server does not answer at {self.url}:\n{self._log.read_text()}")

    def get(self, path: str) -> tuple[dict, int]:
        """The result of a GET, and the serial number of the database, which every write raises."""
        request = Request(self.url + path, headers={"Accept": "application/json"})
        with urlopen(request, timeout=10) as reply:
            return json.load(reply).get("result"), int(reply.headers["X-Devpi-Serial"])

    def serial(self) -> int:
        return self.get("+api")[1]

    def upload(self, index: str, project: str, version: str, file: str) -> int:
        """Upload, as root, a file that nobody could install: the status that the server answers with."""
        kind = "bdist_wheel" if file.endswith(".whl") else "sdist"
        form = {":action": "file_upload", "name": project, "version": version, "filetype": kind}
        sent = {"content": (file, file.encode())}
        auth = ("root", self.password)
        return requests.post(f"{self.url}{index}/", data=form, files=sent, auth=auth, timeout=10).status_code

    def versions(self, index: str, project: str) -> dict[str, int]:
        """The versions of a project that installers are offered, each with the number of its files."""
        accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
        page = requests.get(f"{self.url}{index}/+simple/{project}/", headers=accept, timeout=10)
        files = page.json()["files"] if page.status_code == 200 else []
        return dict(Counter(re.search(r"-([0-9.]*[0-9])", file["filename"])[1] for file in files))
