# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real devpi-server as the product installs it: same pins and hashes, its own venv under build/test/."""

from __future__ import annotations

import hashlib
import json
import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import Request, urlopen

import requests

REQUIREMENTS = "roles/container_image/files/devpi/requirements.txt"
# The secret is stretched at the start with 512 MiB and 5 s of work by default. These are for tests only.
CHEAP_START = ("--argon2-memory-cost", "8192", "--argon2-time-cost", "2", "--argon2-parallelism", "1")


def installed(root: Path) -> Path:
    """The venv with devpi-server, made anew only when the pins or the Python have changed."""
    requirements = root / REQUIREMENTS
    venv = root / "build/test/devpi-venv"
    mark = venv / "installed"
    wanted = f"{sys.version} {hashlib.sha256(requirements.read_bytes()).hexdigest()}"
    if not mark.exists() or mark.read_text() != wanted:
        shutil.rmtree(venv, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        pip = [venv / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "--requirement", requirements], check=True)
        mark.write_text(wanted)
    return venv


def free_port() -> int:
    """A free port below those that clients are given, where TIME-WAIT would make the bind fail now and then."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port


class LiveDevpi:
    def __init__(self, root: Path) -> None:
        self.bin = installed(root) / "bin"
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
            serve = [self.bin / "devpi-server", *data, "--host", "127.0.0.1", "--port", str(self.port)]
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

    def upload(self, index: str, auth: tuple[str, str], project: str, version: str) -> int:
        """Upload a file that nobody could install, and return the status that the server answers with."""
        form = {":action": "file_upload", "name": project, "version": version, "filetype": "sdist"}
        file = {"content": (f"{project}-{version}.tar.gz", f"{project} {version}".encode())}
        return requests.post(f"{self.url}{index}/", data=form, files=file, auth=auth, timeout=10).status_code

    def versions(self, index: str, project: str) -> list[str]:
        """The versions of a project that installers are offered, sorted."""
        accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
        page = requests.get(f"{self.url}{index}/+simple/{project}/", headers=accept, timeout=10)
        if page.status_code == 404:
            return []
        names = [file["filename"] for file in page.json()["files"]]
        return sorted(name.rsplit("-", 1)[1].removesuffix(".tar.gz") for name in names)
