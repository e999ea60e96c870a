#!/usr/bin/python
# Copyright: The wheelhouse.pypi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: index_verify
short_description: Prove that a package index works, as a stranger's client
version_added: "1.0.0"
description:
  - Builds a package with a version of its own, uploads it with twine to a scratch index, or to the only one that
    pypiserver has, finds it listed with the right hashes, installs it with pip (wheel and source distribution) and with
    uv into fresh environments, and finds that uploads without or with a wrong password are refused and store nothing.
  - With an C(https) address also that clients can trust the certificate for a good while, that nothing older than TLS
    1.2 is spoken, and that plain HTTP only leads to HTTPS.
  - Goes through the address that clients use. What is there already is only read; what a run makes it removes, also
    when it fails, and so does it with what runs left that were killed more than an hour ago.
  - All checks that fail are told together.
author:
  - The wheelhouse.pypi contributors (!UNKNOWN)
requirements:
  - Python >= 3.11
attributes:
  check_mode:
    description: Without an upload there is nothing to prove, so it is skipped.
    support: none
  diff_mode:
    description: What it makes it removes, so there is nothing to show.
    support: N/A
  idempotent:
    description: Leaves everything as it was.
    support: full
options:
  url:
    description: Base URL of the index server as its clients write it, without user name, password, query or fragment.
    type: str
    required: true
  kind:
    description: The server software, which decides how addresses are made up and what it can be asked for.
    type: str
    choices: [devpi, pypiserver]
    default: devpi
  index:
    description: An index, as C(user/index), that has to be there. Required for V(devpi); pypiserver has one index.
    type: str
  username:
    description: User who uploads and, with V(devpi), owns the scratch index.
    type: str
    required: true
  password:
    description: The user's password. Needed to upload, and to read where that needs a login.
    type: str
    default: ""
  root_password:
    description: Password of devpi's administrator C(root), who makes and removes the scratch index.
    type: str
    default: ""
  reader_username:
    description: A user who may log in and not upload, to prove it. Empty means that there is none.
    type: str
    default: ""
  reader_password:
    description: That user's password.
    type: str
    default: ""
  login:
    description: Whether reading needs a login too.
    type: bool
    default: false
  read_only:
    description:
      - Whether the index only serves what is there. Then one of its files is fetched, and every upload has to be
        refused.
    type: bool
    default: false
  fallback:
    description: Whether the index is meant to send clients elsewhere for projects that it does not have.
    type: bool
    default: false
  ca_content:
    description:
      - CA certificates (PEM text) for an index whose certificate no public CA signed. Empty means the client's own.
    type: str
    default: ""
  certificate:
    description:
      - SHA-256 fingerprint, as hexadecimal digits, of the certificate that has to be served. Empty means any that is
        trusted.
    type: str
    default: ""
  min_left_share:
    description: Share of the certificate's lifetime that has to be left, from 0.0 to 1.0.
    type: float
    default: 0.3
  http_port:
    description: Port that has to redirect to an C(https) address of the index. Not looked at with plain HTTP.
    type: int
    default: 80
  hsts:
    description: Whether HTTP Strict Transport Security of two years or more has to be announced by an C(https) address.
    type: bool
    default: true
  package:
    description:
      - The files of the package C(simple_test) by their names. One is C(build_simple_test.py), which builds it.
      - That program gets pairs of a directory and a version as arguments, builds a wheel and a source distribution of
        that version into that directory, and prints their SHA-256 by their names as JSON.
    type: dict
    required: true
  python:
    description: Python with pip, venv and the modules twine and uv. By default the one that runs the module.
    type: path
  timeout:
    description: Seconds to wait for each answer, 1 or more.
    type: int
    default: 30
seealso:
  - module: wheelhouse.pypi.certificate_info
  - module: wheelhouse.pypi.devpi_info
notes:
  - The role P(wheelhouse.pypi.pypi_verify#role) brings the package.
"""

EXAMPLES = r"""
- name: Prove that the index works
  wheelhouse.pypi.index_verify:
    url: https://pypi.example.com/
    index: pypi/stable
    username: pypi
    password: "{{ vault_pypi_password }}"
    root_password: "{{ vault_root_password }}"
    package:
      build_simple_test.py: "{{ lookup('ansible.builtin.file', 'simple_test/build_simple_test.py') }}"
      pyproject.toml: "{{ lookup('ansible.builtin.file', 'simple_test/pyproject.toml') }}"
      simple_test.py: "{{ lookup('ansible.builtin.file', 'simple_test/simple_test.py') }}"
"""

RETURN = r"""
msg:
  description: What was proven, or all that is wrong, each as one of RV(failures).
  returned: always
  type: str
  sample: "https://pypi.example.com/ works: 16 of 16 checks passed."
checks:
  description: The promises that were looked at.
  returned: once it began
  type: list
  elements: str
  sample: [index_is_there, twine_uploads]
failures:
  description: The promises that do not hold, each with what came instead.
  returned: once it began
  type: list
  elements: str
  sample: []
not_offered:
  description: What this index does not promise, by name, with the reason.
  returned: once it began
  type: dict
  sample: {files_are_listed_as_json: pypiserver has pages in HTML alone}
"""

# ruff: noqa: E402 (documentation first)
import hashlib
import json
import os
import re
import secrets
import shlex
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import Message
from functools import cached_property
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urljoin, urlsplit

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import Request, prepare_multipart
from ansible_collections.wheelhouse.pypi.plugins.module_utils._certificate import CertificateError, Look
from ansible_collections.wheelhouse.pypi.plugins.module_utils._devpi import (
    Devpi,
    DevpiError,
    check_name,
    check_url,
    reason,
)

# A promise is a method of Client with this name, and this is the order in which they are told.
TLS = (
    "certificate_is_trusted",
    "certificate_is_fresh",
    "old_protocols_are_refused",
    "plain_http_redirects",
    "browsers_stay_with_https",
)
INSTALLS = ("pip_installs_wheel", "pip_installs_sdist", "uv_installs_wheel")
PROMISES = (
    *TLS,
    "index_is_there",
    "twine_uploads",
    "files_are_listed",
    "files_are_listed_as_json",
    *INSTALLS,
    "anonymous_upload_is_refused",
    "wrong_password_is_refused",
    "reader_cannot_upload",
    "a_file_is_what_the_list_says",
    "every_upload_is_refused",
    "unknown_projects_stay_unknown",
    "server_internals_are_closed",
)
JSON = "application/vnd.pypi.simple.v1+json"  # PEP 691
LINK = re.compile(r'href="([^"#]*?([^"#/]+))#sha256=([0-9a-f]{64})"')
SCRATCH = "verify-"  # how the names of scratch indexes begin, after their user
HOUR = 3600
TWO_YEARS = 2 * 365 * 24 * HOUR
PATIENCE = 300  # seconds for a tool
CHUNK = 1 << 20
LARGEST_PAGE = 64 << 20  # bytes; what is longer is a file, of which the hash is enough


class BrokenPromiseError(Exception):
    """Something that the index promises does not hold; its text says what came instead."""


@dataclass
class Answer:
    """What the index said, as a client sees it."""

    status: int
    headers: Message
    text: str
    sha256: str

    @property
    def links(self) -> list[tuple[str, str, str]]:
        """The files that a page lists: address, name, SHA-256."""
        return LINK.findall(self.text)


def not_offered(params: dict[str, Any]) -> dict[str, str]:
    """What an index does not promise, and why. An empty reason is not worth telling: other checks say more."""
    missing = {}
    if params["kind"] == "pypiserver":
        missing["files_are_listed_as_json"] = "pypiserver has pages in HTML alone"
        missing["server_internals_are_closed"] = "pypiserver has none"
    if params["read_only"]:
        uploads = ("twine_uploads", "files_are_listed", "files_are_listed_as_json", *INSTALLS)
        missing.update(dict.fromkeys(uploads, "it only serves what is there"))
        missing.update(dict.fromkeys(("anonymous_upload_is_refused", "wrong_password_is_refused"), ""))
    else:
        missing.update(dict.fromkeys(("a_file_is_what_the_list_says", "every_upload_is_refused"), ""))
    if params["read_only"] or not params["reader_username"]:
        missing["reader_cannot_upload"] = ""
    if params["fallback"]:
        missing["unknown_projects_stay_unknown"] = "it is meant to send clients elsewhere"
    if not params["url"].startswith("https://"):
        missing.update(dict.fromkeys(TLS, ""))
    elif not params["hsts"]:
        missing["browsers_stay_with_https"] = ""
    return missing


class Client:
    """A stranger's client: what it knows of the index, its directory, and the tools that people use."""

    def __init__(self, params: dict[str, Any], directory: Path, secret: set[str]) -> None:
        self.params = params
        self.url = check_url(params["url"]) + "/"
        self.user = (check_name("username", params["username"], "user"), params["password"])
        self.reader = self.user if params["login"] else None
        self.python = params["python"] or sys.executable
        self.directory = directory
        # Runs never meet. The time is in the names for the sweep of what a killed run left behind.
        now, run = int(time.time()), secrets.randbelow(1_000_000)
        self.run = f"{now}-{run}"
        self.version = f"0.{now}.{run}"
        self.refused_version = f"{self.version}.post1"
        self.an_hour_ago = now - HOUR
        self.scratch = f"{self.user[0]}/{SCRATCH}{self.run}"
        if params["kind"] == "devpi":
            self.index = check_name("index", params["index"], "user/index")
            self.upload_url = f"{self.url}{self.scratch}/"
            self.simple_url = f"{self.url}{self.scratch}/+simple/"
        else:
            self.upload_url = self.url
            self.simple_url = f"{self.url}simple/"
        self.ca_path = None
        if params["ca_content"]:
            self.ca_path = str(directory / "ca.pem")
            Path(self.ca_path).write_text(params["ca_content"])
        self.hashes: dict[str, str] = {}  # SHA-256 of what is uploaded, by file name
        self.begun = False  # whether something may be on the server that is to be removed
        connection = {"timeout": params["timeout"], "validate_certs": True, "ca_path": self.ca_path}
        login = {"login_user": "root", "login_password": params["root_password"]}
        self.devpi = Devpi({"url": self.url, **login, **connection}, False, secret)
        # Who asks is for each check to say, not for a file in a home.
        self.http = Request(
            http_agent="wheelhouse.pypi",
            follow_redirects="none",
            use_netrc=False,
            force_basic_auth=True,
            **connection,
        )

    def verify(self, promises: list[str]) -> list[str]:
        """Check each promise, and tell all that do not hold."""
        wrong: dict[str, str] = {}
        try:
            self.prepare()
            if "twine_uploads" in promises:
                wrong["twine_uploads"] = self.check("twine_uploads")
            # Installers have most to do, so everything else goes on meanwhile.
            with ThreadPoolExecutor(len(INSTALLS)) as pool:
                installs = {promise: pool.submit(self.check, promise) for promise in INSTALLS if promise in promises}
                others = [promise for promise in promises if promise not in (*wrong, *installs)]
                wrong.update({promise: self.check(promise) for promise in others})
                wrong.update({promise: install.result() for promise, install in installs.items()})
            failures = [f"{promise.replace('_', ' ')}: {wrong[promise]}" for promise in promises if wrong[promise]]
        except (BrokenPromiseError, DevpiError) as error:
            failures = [f"preparing: {error}"]
        finally:
            left = self.clean_up()
        return failures + left

    def check(self, promise: str) -> str:
        """What is wrong with a promise, or nothing."""
        try:
            getattr(self, promise)()
        except (BrokenPromiseError, CertificateError, DevpiError) as error:
            return str(error)
        return ""

    # Before and after

    def prepare(self) -> None:
        """Build what is uploaded, and make the places that it goes to."""
        find = "import importlib.util as u; print(*[m for m in ('pip', 'twine', 'uv', 'venv') if not u.find_spec(m)])"
        missing = self.tool(self.python, "-c", find).split()
        if missing:
            raise BrokenPromiseError(
                f"{self.python} cannot import {' and '.join(missing)}. "
                f"Install what it lacks: {self.python} -m pip install twine uv"
            )
        for name, text in self.params["package"].items():
            (self.directory / name).write_text(text)
        build = ("build_simple_test.py", "dist", self.version, "refused", self.refused_version)
        built = json.loads(self.tool(self.python, *build))
        self.hashes = {name: sha256 for name, sha256 in built.items() if self.refused_version not in name}
        self.tool(self.python, "-m", "venv", "--without-pip", *INSTALLS)
        username, password = self.user
        self.write_secret(
            "pypirc",
            "[distutils]\nindex-servers = scratch\n"
            f"[scratch]\nrepository = {self.upload_url}\nusername = {username}\npassword = {password}\n",
        )
        if self.reader:
            self.write_secret("netrc", f"machine {urlsplit(self.url).hostname} login {username} password {password}\n")
        if self.params["kind"] == "devpi":
            self.devpi.login()
            self.begun = True
            config = {"type": "stage", "bases": [], "acl_upload": [username], "volatile": True}
            self.devpi.create_index(self.scratch, config)
        else:
            self.begun = not self.params["read_only"]

    def clean_up(self) -> list[str]:
        """Remove what was uploaded, and what runs left that were killed. What stays behind is told."""
        if not self.begun:
            return []
        try:
            if self.params["kind"] == "devpi":
                self.remove_scratch_indexes()
            else:
                self.remove_releases()
        except (BrokenPromiseError, DevpiError) as error:
            what = f"the scratch index {self.scratch}" if self.params["kind"] == "devpi" else f"release {self.version}"
            return [f"cleaning up: {what} may be left on the server. A run after the next hour removes it. {error}"]
        return []

    def remove_scratch_indexes(self) -> None:
        _users, indexes = self.devpi.everything()
        for name in indexes:
            made = re.fullmatch(rf"{re.escape(self.user[0])}/{SCRATCH}(\d+)-\d+", name)
            if name == self.scratch or (made and int(made[1]) < self.an_hour_ago):
                try:
                    self.devpi.delete_index(name, volatile=True)
                except DevpiError:
                    if self.devpi.get_index(name):  # or another run has swept it
                        raise

    def remove_releases(self) -> None:
        page = self.ask(f"{self.simple_url}simple-test/", (200, 404), self.reader)
        versions = {re.sub(r"^simple_test-|-py3-none-any\.whl$|\.zip$", "", name) for _href, name, _sum in page.links}
        for version in sorted(versions):
            made = re.fullmatch(r"0\.(\d{10})\.\d+(\.post1)?", version)
            if made and (version.startswith(self.version) or int(made[1]) < self.an_hour_ago):
                fields = {":action": "remove_pkg", "name": "simple_test", "version": version}
                self.ask(self.upload_url, (200, 404), self.user, fields=fields)  # 404: another run has swept it

    # What people use

    def write_secret(self, name: str, text: str) -> None:
        path = self.directory / name
        path.touch(0o600)
        path.write_text(text)

    def tool(self, *command: str) -> str:
        """The output of a program, as somebody runs it who has the index's CA and a login where it needs one."""
        environ = {"SSL_CERT_FILE": self.ca_path, "REQUESTS_CA_BUNDLE": self.ca_path} if self.ca_path else {}
        if self.reader:
            environ["NETRC"] = str(self.directory / "netrc")
        try:
            done = subprocess.run(  # noqa: S603 (no shell; AnsibleModule.run_command is not made for threads)
                command,
                cwd=self.directory,
                env={**os.environ, **environ},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        except OSError as error:
            raise BrokenPromiseError(f"{command[0]} cannot be run: {error.strerror}.") from error
        except subprocess.TimeoutExpired as error:
            raise BrokenPromiseError(f"Not done after {PATIENCE} s: {shlex.join(command)}") from error
        if done.returncode != 0:
            said = "\n".join(part.strip() for part in (done.stdout, done.stderr) if part.strip())
            raise BrokenPromiseError(f"{shlex.join(command)} ended with {done.returncode}: {said}")
        return done.stdout

    def ask(
        self,
        url: str,
        expect: tuple[int, ...] = (200,),
        user: tuple[str, str] | None = None,
        fields: dict[str, Any] | None = None,
        **headers: str,
    ) -> Answer:
        """Ask for a page, or send a form. Any status that is not expected breaks the promise."""
        method, data = "GET", None
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if fields is not None:
            method = "POST"
            headers["Content-Type"], data = prepare_multipart(fields)
        username, password = user or (None, None)
        try:
            try:
                response = self.http.open(
                    method, url, data=data, headers=headers, url_username=username, url_password=password
                )
                status = response.status
            except HTTPError as error:
                response, status = error, error.code
            digest, start = hashlib.sha256(), b""
            while chunk := response.read(CHUNK):
                digest.update(chunk)
                start += chunk if len(start) < LARGEST_PAGE else b""
        except (OSError, HTTPException) as error:
            raise BrokenPromiseError(f"Expected an answer to {method} {url}, got {reason(error)}") from error
        answer = Answer(status, response.headers, start.decode("utf-8", "replace"), digest.hexdigest())
        if status not in expect:
            wanted = " or ".join(map(str, expect))
            said = ascii(" ".join(answer.text.split())[:200])
            raise BrokenPromiseError(f"Expected HTTP status {wanted} for {method} {url}, got {status} and {said}.")
        return answer

    # The promises

    @cached_property
    def certificate(self) -> dict[str, Any]:
        """One look is enough for all that is told of it."""
        where = urlsplit(self.url)
        options = {
            "host": where.hostname,
            "port": where.port or 443,
            "connect_to": None,
            "names": None,
            "ca_path": None,
        }
        options.update(ca_content=self.params["ca_content"] or None, timeout=self.params["timeout"])
        look = Look(options)
        look()
        return {**look.result, "warnings": look.warnings}

    def certificate_is_trusted(self) -> None:
        if self.certificate["problems"]:
            raise BrokenPromiseError(" ".join(self.certificate["problems"]))
        served, kept = self.certificate["sha256"], self.params["certificate"]
        if kept not in ("", served):
            raise BrokenPromiseError(
                f"{urlsplit(self.url).hostname} serves the certificate {served} (SHA-256), while its host keeps {kept} "
                "for it. Running the play again loads what the host keeps."
            )

    def certificate_is_fresh(self) -> None:
        left, lifetime = self.certificate["left_share"], self.certificate["lifetime"]
        if left < self.params["min_left_share"]:
            told = f"{lifetime / 86400:.1f} days" if lifetime >= 2 * 86400 else f"{lifetime / 60:.1f} minutes"
            raise BrokenPromiseError(
                f"The certificate of {urlsplit(self.url).hostname} ends on {self.certificate['not_after']}: "
                f"{left:.1%} of its lifetime of {told} are left, expected are at least "
                f"{self.params['min_left_share']:.1%}. It should have been replaced: look at the log of its renewal, "
                "or run 'make pypi', which replaces it or says why it cannot."
            )

    def old_protocols_are_refused(self) -> None:
        accepted = self.certificate["old_protocols"]
        if accepted:
            raise BrokenPromiseError(
                f"{urlsplit(self.url).hostname} accepts {' and '.join(accepted)}, which no client needs and attackers "
                "like. Whatever answers there is not configured by this collection."
            )
        if accepted is None:
            raise BrokenPromiseError(" ".join(self.certificate["warnings"]))

    def plain_http_redirects(self) -> None:
        port = "" if self.params["http_port"] == 80 else f":{self.params['http_port']}"
        plain, path = f"http://{urlsplit(self.url).hostname}{port}/", self.simple_url.removeprefix(self.url)
        answer = self.ask(plain + path, (301, 302, 307, 308))
        location = answer.headers.get("Location")
        if (answer.status, location) != (308, self.url + path):
            raise BrokenPromiseError(
                f"{plain} answers {answer.status} and leads to {location}, expected was 308 and {self.url}{path}."
            )

    def browsers_stay_with_https(self) -> None:
        announced = self.ask(self.url, (200, 401, 403), Accept="application/json").headers.get(
            "Strict-Transport-Security", "nothing"
        )
        age = re.search(r"max-age=(\d+)", announced)
        if not age or int(age[1]) < TWO_YEARS:
            raise BrokenPromiseError(
                f"{self.url} announces Strict-Transport-Security: {announced}, expected is a max-age of two years "
                f"({TWO_YEARS}) or more."
            )

    def index_is_there(self) -> None:
        if self.params["kind"] == "pypiserver":
            self.ask(self.simple_url, user=self.reader)
        elif not self.devpi.get_index(self.index):
            raise BrokenPromiseError(
                f"The server answers, but has no index {self.index}. 'make pypi' makes the declared indexes."
            )

    def twine_uploads(self) -> None:
        files = [f"dist/{name}" for name in self.hashes]
        options = ("--non-interactive", "--disable-progress-bar", "--config-file", "pypirc", "--repository", "scratch")
        self.tool(self.python, "-m", "twine", "upload", *options, *files)

    def files_are_listed(self) -> None:
        page = self.ask(f"{self.simple_url}simple-test/", user=self.reader, Accept="text/html")
        self.expect_listed({name: sha256 for _href, name, sha256 in page.links})

    def files_are_listed_as_json(self) -> None:
        page = self.ask(f"{self.simple_url}simple-test/", user=self.reader, Accept=JSON)
        try:
            files = json.loads(page.text)["files"]
            self.expect_listed({file["filename"]: file["hashes"].get("sha256") for file in files})
        except (ValueError, LookupError, TypeError) as error:
            raise BrokenPromiseError(f"Expected a JSON page (PEP 691), got {page.text[:200]!a}.") from error

    def expect_listed(self, files: dict[str, str]) -> None:
        """Both files with the hashes they were built with, and no other of that version."""
        listed = {name: sha256 for name, sha256 in files.items() if self.version in name}
        if listed != self.hashes:  # where all releases share one index, others of simple_test may be there too
            raise BrokenPromiseError(
                f"The page of simple-test lists {listed}, expected was {self.hashes} (file name → SHA-256)."
            )

    def pip_installs_wheel(self) -> None:
        self.pip_installs("pip_installs_wheel", "--only-binary")

    def pip_installs_sdist(self) -> None:
        self.pip_installs("pip_installs_sdist", "--no-binary")

    def pip_installs(self, environment: str, which: str) -> None:
        pip = ["--isolated", "--disable-pip-version-check", "--no-cache-dir", "--no-input"]
        if self.ca_path:
            pip += ["--cert", self.ca_path]
        if self.url.startswith("http://"):
            pip += ["--trusted-host", urlsplit(self.url).netloc]  # it asks for this before it talks to one without TLS
        pip += ["--python", f"{environment}/bin/python"]
        install = ("install", "--index-url", self.simple_url, which, ":all:", f"simple-test=={self.version}")
        self.tool(self.python, "-m", "pip", *pip, *install)
        self.expect_installed(environment)

    def uv_installs_wheel(self) -> None:
        environment = "uv_installs_wheel"
        uv = ("--no-config", "--no-cache", "--no-progress", "pip", "install", "--python", f"{environment}/bin/python")
        self.tool(self.python, "-m", "uv", *uv, "--default-index", self.simple_url, f"simple-test=={self.version}")
        self.expect_installed(environment)

    def expect_installed(self, environment: str) -> None:
        ask = ("-I", "-c", "import simple_test; print(simple_test.__version__)")
        installed = self.tool(str(self.directory / environment / "bin/python"), *ask).strip()
        if installed != self.version:
            raise BrokenPromiseError(f"Installed was simple_test {installed}, uploaded {self.version}.")

    def anonymous_upload_is_refused(self) -> None:
        self.expect_refusal(None)

    def wrong_password_is_refused(self) -> None:
        self.expect_refusal((self.user[0], f"wrong-{self.run}"))

    def reader_cannot_upload(self) -> None:
        self.expect_refusal((self.params["reader_username"], self.params["reader_password"]))

    def expect_refusal(self, user: tuple[str, str] | None) -> None:
        self.upload_what_is_refused(user, (401, 403))
        self.files_are_listed()  # and nothing was stored

    def every_upload_is_refused(self) -> None:
        self.upload_what_is_refused(self.user if self.user[1] else None, (401, 403, 405))

    def upload_what_is_refused(self, user: tuple[str, str] | None, expect: tuple[int, ...]) -> None:
        wheel = self.directory / "refused" / f"simple_test-{self.refused_version}-py3-none-any.whl"
        # As clients send it: no index decodes base64, and one that took such a file would call it broken.
        content = {"filename": str(wheel), "mime_type": "application/octet-stream", "multipart_encoding": "7or8bit"}
        fields = {
            ":action": "file_upload",
            "name": "simple_test",
            "version": self.refused_version,
            "filetype": "bdist_wheel",
            "metadata_version": "2.1",
            "content": content,
        }
        self.ask(self.upload_url, expect, user, fields=fields)

    def a_file_is_what_the_list_says(self) -> None:
        projects = re.findall(r'href="([^"]*?[^"/]+/)"', self.ask(self.simple_url, user=self.reader).text)
        if not projects:
            return  # an index without a project has no file that could be another
        page = urljoin(self.simple_url, projects[0])
        links = self.ask(page, user=self.reader).links
        if not links:
            raise BrokenPromiseError(f"{page} lists no file with a SHA-256.")
        href, name, sha256 = links[0]
        got = self.ask(urljoin(page, href), user=self.reader).sha256
        if got != sha256:
            raise BrokenPromiseError(f"{name} has the SHA-256 {got}, and is listed with {sha256}.")

    def unknown_projects_stay_unknown(self) -> None:
        self.ask(f"{self.simple_url}nobody-has-{self.run}/", (404,), self.reader)

    def server_internals_are_closed(self) -> None:
        for path in ("+status", "+changelog/0"):
            headers = {"Accept": "application/json", "X_Devpi_Expected_Primary_Id": ""}
            self.ask(self.url + path, (401, 403, 404), **headers)


def main() -> None:
    secret = {"type": "str", "default": "", "no_log": True}
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "kind": {"type": "str", "choices": ["devpi", "pypiserver"], "default": "devpi"},
            "index": {"type": "str"},
            "username": {"type": "str", "required": True},
            "password": secret,
            "root_password": secret,
            "reader_username": {"type": "str", "default": ""},
            "reader_password": secret,
            "login": {"type": "bool", "default": False},
            "read_only": {"type": "bool", "default": False},
            "fallback": {"type": "bool", "default": False},
            "ca_content": {"type": "str", "default": ""},
            "certificate": {"type": "str", "default": ""},
            "min_left_share": {"type": "float", "default": 0.3},
            "http_port": {"type": "int", "default": 80},
            "hsts": {"type": "bool", "default": True},
            "package": {"type": "dict", "required": True},
            "python": {"type": "path"},
            "timeout": {"type": "int", "default": 30},
        },
        required_if=[("kind", "devpi", ["index"])],
    )
    missing = not_offered(module.params)
    promises = [promise for promise in PROMISES if promise not in missing]
    with tempfile.TemporaryDirectory(prefix="wheelhouse-verify-") as directory:
        try:
            client = Client(module.params, Path(directory), module.no_log_values)
        except DevpiError as error:
            module.fail_json(msg=str(error))
        failures = client.verify(promises)
    told = {promise: why for promise, why in missing.items() if why}
    result = {"checks": promises, "failures": failures, "not_offered": told, "changed": False}
    if failures:
        numbered = "".join(f"\n{number}. {failure}" for number, failure in enumerate(failures, 1))
        broken = f"{len(failures)} of {len(promises)} checks failed:{numbered}"
        module.fail_json(msg=f"{client.url} is not a working index. {broken}", **result)
    works = f"{client.url} works: {len(promises)} of {len(promises)} checks passed."
    apart = ", ".join(f"{promise.replace('_', ' ')} ({why})" for promise, why in told.items())
    module.exit_json(msg=works + (f" Not offered: {apart}." if apart else ""), **result)


if __name__ == "__main__":
    main()
