# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The product's pypiserver, real and as a host without containers runs it: same pins and hashes, same programs."""

from __future__ import annotations

import base64
import gzip
import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tarfile
import time
import zipfile
from pathlib import Path

from commands import poll
from environments import installed
from tree import ROOT
from urllib3.filepost import encode_multipart_formdata

SOFTWARE = ROOT / "roles/container_image/files/pypiserver"
# What `htpasswd -n -5` prints for the password "right".
ALICE = "alice:$6$saltsalt$gzY3OAolfMFSB9Ld7iMdOQlViFqO3IOPeU0zkHsD.58tcMxRAFD0Qjfi2sjus3i.8aqWarEvFPREqzp18Jm291"


def environment() -> Path:
    """The bin directory of the server's virtual environment, with its programs."""
    venv = installed("pypiserver")
    for program in SOFTWARE.iterdir():
        if program.is_file():
            shutil.copy(program, venv / "bin")
    return venv / "bin"


class LivePypiserver:
    """An index in a directory of its own. Settings are those of pypiserver.json, users the lines of htpasswd."""

    def __init__(self, place: Path, users: str = "", port: int | None = None, **settings) -> None:
        self.bin = environment()
        self.data = place / "data"
        self.socket = self.data / "run/index.sock"
        self.packages = self.data / "packages"
        self.htpasswd = place / "configuration/htpasswd"
        self.log = place / "log"
        self.port = port
        self.htpasswd.parent.mkdir(parents=True)
        self.htpasswd.write_text(users)
        self.htpasswd.with_name("pypiserver.json").write_text(
            json.dumps({"packages": str(self.packages), "authenticate": [], **settings})
        )
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("GUNICORN", "WHEELHOUSE"))},
            **{"PATH": f"{self.bin}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"},
            **{"WHEELHOUSE_DATA": str(self.data), "WHEELHOUSE_CONFIGURATION": str(self.htpasswd.parent)},
            **({"WHEELHOUSE_PORT": str(port)} if port else {}),
        }
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> LivePypiserver:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.bin / "index-server"], env=self.environ, stdout=log, stderr=log, start_new_session=True
            )
        poll(lambda: self.process.poll() is not None or self.healthy(), 20)
        assert self.process.poll() is None, self.log.read_text()

    def healthy(self) -> bool:
        done = subprocess.run([self.bin / "healthcheck"], env=self.environ, capture_output=True, check=False)
        return done.returncode == 0

    def kill(self) -> None:
        """End every process of the server at once, as a power cut would."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def connect(self) -> http.client.HTTPConnection:
        if self.port:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        return UnixConnection(self.socket)

    def ask(self, method, path, body=None, user=None, **headers):
        """The status and the text of an answer. A user is a name and a password."""
        if user:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(user).encode()).decode()
        connection = self.connect()
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()

    def get(self, path, **more):
        return self.ask("GET", path, **more)

    def upload(self, name, content, user=None, agent="test", **fields):
        body, kind = form(**{":action": "file_upload", "content": (name, content)}, **fields)
        return self.ask("POST", "/", body, user, **{"Content-Type": kind, "User-Agent": agent})

    def remove(self, name, version, user=None):
        body, kind = form(**{":action": "remove_pkg"}, name=name, version=version)
        return self.ask("POST", "/", body, user, **{"Content-Type": kind})

    def files(self):
        """What is in the directory, hidden files too."""
        return sorted(path.name for path in self.packages.iterdir())

    def links(self, project):
        """File name → sha256 as the project's page has them."""
        status, page = self.get(f"/simple/{project}/")
        return dict(re.findall(r'href="[^"]*/([^"/#]+)#sha256=(\w+)"', page)) if status == 200 else {}


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def form(**fields):
    """The body that a browser or twine sends for a form, and its content type."""
    return encode_multipart_formdata(fields)


def metadata(name, version):
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()


def wheel(name="demo", version="1.0", inside=None, padding=0):
    """A wheel's file name and content. What its metadata says may be given; padding cannot be compressed."""
    info = f"{name}-{version}.dist-info"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}/__init__.py", os.urandom(padding).hex() if padding else "")
        archive.writestr(f"{info}/METADATA", metadata(*(inside or (name, version))))
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return f"{name}-{version}-py3-none-any.whl", file.getvalue()


def sdist(name="demo", version="1.0", inside=None, padding=0):
    """A source distribution's file name and content."""
    text = metadata(*(inside or (name, version)))
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for path, content in {"PKG-INFO": text, "data": os.urandom(padding)}.items():
            member = tarfile.TarInfo(f"{name}-{version}/{path}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return f"{name}-{version}.tar.gz", gzip.compress(file.getvalue())


def wait_for_exit(server, seconds):
    """How long the server takes to end by itself."""
    begun = time.monotonic()
    server.process.wait(seconds)
    return time.monotonic() - begun
