#!/usr/bin/python
# Copyright: The wheelhouse.pypi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: index_copy
short_description: Copy every release of one package index to another, and prove it
version_added: "0.1.0"
description:
  - Copies each release file of a pypiserver or of a devpi index to another pypiserver or devpi index, through the
    addresses that clients use. Then reads every one of them back from both sides and compares the bytes.
  - Of a devpi index only its own releases are copied and looked for, never what comes from its bases or a mirror.
  - A file that the destination has with the same content is not sent again, so an interrupted run is gone on with by
    running again. A file that it has with other content is never overwritten.
  - A file that cannot be copied stops no other. The module fails at the end if one that should have been copied was
    not, or if bytes differ. Everything that was left, and why, is in RV(left).
  - An archive that is broken at the source, as a pypiserver leaves it when an upload is cut, is not copied.
author:
  - The wheelhouse.pypi contributors (!UNKNOWN)
requirements:
  - Python >= 3.11
  - requests
  - twine >= 7.0, < 8.0
attributes:
  check_mode:
    description: Reads both listings and says what would be copied. Nothing is downloaded.
    support: full
  diff_mode:
    description: The files in RV(copied) are the difference, so there is no other.
    support: none
  idempotent:
    description: A second run sends nothing. It reads all files again to compare them.
    support: full
options:
  source:
    description: The index that is read.
    type: dict
    required: true
    suboptions: &side
      kind:
        description: The server software.
        type: str
        choices: [devpi, pypiserver]
        required: true
      url:
        description:
          - Base URL of the server, without user name, password, query or fragment; of a pypiserver the one that has
            C(simple/) below it.
          - Redirects are not followed. Write the URL they lead to.
        type: str
        required: true
      index:
        description: Name of the index, as C(user/index). Required for V(devpi), and there is none on a V(pypiserver).
        type: str
      username:
        description:
          - Who logs in. Required together with the password; an empty one is the same as none.
          - Needed where the server asks for it, which for O(destination) is usual.
        type: str
      password:
        description: The password of the user.
        type: str
      ca_content:
        description:
          - CA certificates in PEM format that the server's certificate is checked against.
          - If there are none or it is empty, those of the system.
        type: str
  destination:
    description: The index that is written to. It has to be there.
    type: dict
    required: true
    suboptions: *side
  timeout:
    description: Seconds to wait for each answer, 1 or more.
    type: int
    default: 60
notes:
  - Run it on the controller, which has twine and requests, with C(delegate_to) or in a play for C(localhost).
  - What a release is, is in its file, and so are the metadata that devpi shows. What only the one server keeps is not
    copied, such as when and by whom a file was uploaded, or a version that was registered without a file.
  - Files that are uploaded to the source during a run may be missed. Run again once it takes no more uploads.
  - Made for devpi-server 6.x and tried with devpi-server 6.20.3 and pypiserver 2.4.2.
seealso:
  - module: wheelhouse.pypi.devpi_index
"""

EXAMPLES = r"""
- name: Move from a pypiserver to devpi
  wheelhouse.pypi.index_copy:
    source:
      kind: pypiserver
      url: https://old.example.com/
    destination:
      kind: devpi
      url: https://pypi.example.com/
      index: pypi/stable
      username: pypi
      password: "{{ vault_pypi_password }}"
  delegate_to: localhost
  register: move

- name: Say what could not be moved
  ansible.builtin.debug:
    msg: "{{ item.filename }}: {{ item.reason }}"
  loop: "{{ move.left }}"
"""

RETURN = r"""
copied:
  description: The names of the files that this run copied, in check mode of those that it would.
  returned: always, once both listings were read
  type: list
  elements: str
  sample: [demo-1.0-py3-none-any.whl, demo-1.0.tar.gz]
present:
  description: The names of the files that the destination had before.
  returned: always, once both listings were read
  type: list
  elements: str
  sample: []
compared:
  description: How many files were read back from both sides and had the same bytes, by SHA-256.
  returned: always, once both listings were read
  type: int
  sample: 2
left:
  description: What was not copied, or cannot be proven.
  returned: always, once both listings were read
  type: list
  elements: dict
  contains:
    filename:
      description: Name of the file.
      type: str
    reason:
      description: Why, and what to do.
      type: str
    by_nature:
      description:
        - Whether that lies in the nature of the file, such as documentation or a kind of file that the destination does
          not take. Such a file is no failure; any other is.
      type: bool
  sample:
    - filename: demo-1.0.doc.zip
      reason: It is documentation, not a release.
      by_nature: true
"""

# ruff: noqa: E402 (documentation first)
import bz2
import contextlib
import gzip
import hashlib
import io
import lzma
import re
import ssl
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.wheelhouse.pypi.plugins.module_utils._devpi import DevpiError, check_name, check_url

try:
    import packaging.metadata
    import requests
    import requests.adapters
    import requests.utils
    import twine
    import urllib3
    from twine.package import PackageFile
    from twine.repository import Repository
    from twine.sdist import SDist
    from twine.wheel import Wheel

    MISSING = "" if twine.__version__.split(".")[0] == "7" else f"twine {twine.__version__}"
except ImportError as error:
    MISSING = str(error)

AT_ONCE = 4  # requests to a server at the same time
PATIENCE = 10  # seconds until a destination of several processes lists in each of them what one of them took
CHUNK = 1 << 20
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.!+-]*")
SUFFIXES = (".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".whl", ".zip", ".egg", ".exe", ".msi", ".rpm", ".deb", ".dmg")
FILETYPES = {".whl": "bdist_wheel", ".egg": "bdist_egg", ".exe": "bdist_wininst", ".msi": "bdist_msi"}
DECOMPRESS = {".gz": gzip.open, ".tgz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
NO_RELEASES = {"doczip": "It is documentation, not a release.", "toxresult": "It is a test result, not a release."}
REMOVE_ONE = "Nothing was overwritten: remove the one that is wrong, and run again."
NOW_WHAT = {
    401: "Check username and password.",
    403: "Check username and password, and that this user may do it.",
    **dict.fromkeys((404, 405), "Check url and kind."),
    413: "Raise the limit for uploads, on the server and on its proxy, and run again.",
    429: "It limits requests. Run again later.",
}


class CopyError(Exception):
    """Something the user can act on: the failure message of the module, or why one file was left."""


class ClosedError(CopyError):
    """The destination does not let this user upload: there is no point in trying the next file."""


@dataclass(frozen=True)
class Release:
    """A file of an index, as its listing has it."""

    filename: str
    url: str
    sha256: str  # empty if the listing has none
    project: str
    version: str  # empty if only the file itself knows


@dataclass(frozen=True)
class Left:
    filename: str
    reason: str
    by_nature: bool = False


class Index:
    """What both kinds of server have in common: a session, downloads and uploads."""

    kind: str
    filenames: re.Pattern[str]  # what it takes
    reads_metadata: bool

    def __init__(self, side: str, params: dict[str, Any], ca_path: str, timeout: int) -> None:
        self.side = side
        self.url = check_url(params["url"]) + "/"
        self.name = params["index"] or ""
        self.username, self.password = params["username"] or None, params["password"] or None
        if bool(self.username) != bool(self.password):
            given = "username" if self.username else "password"
            raise CopyError(f"Expected username and password of the {side}, got only its {given}. Give both, or none.")
        self._repository = Repository(self._upload_url(), self.username, self.password, disable_progress_bar=True)
        self._session = session = self._repository.session
        # Certificates and proxies as for any program of the host; no password out of ~/.netrc, which nobody asked for.
        session.trust_env = False
        session.proxies = requests.utils.get_environ_proxies(self.url)
        system = ssl.get_default_verify_paths()
        session.verify = ca_path or system.cafile or system.capath or True
        session.headers["User-Agent"] = "wheelhouse.pypi"
        again = urllib3.Retry(4, backoff_factor=0.2, status_forcelist=(429, 502, 503, 504), raise_on_status=False)
        for scheme in ("http://", "https://"):
            session.mount(scheme, requests.adapters.HTTPAdapter(pool_maxsize=AT_ONCE, max_retries=again))
        session.request = partial(session.request, timeout=timeout, allow_redirects=False)

    def __str__(self) -> str:
        return f"{self.name} at {self.url}" if self.name else self.url

    def close(self) -> None:
        self._repository.close()

    def _upload_url(self) -> str:
        return self.url

    def open(self) -> None:
        """Log in if there is a password, where that is done once."""

    def prove(self) -> None:
        """See that uploads are let in, as far as that can be told without one."""

    def listing(self) -> tuple[list[Release], list[Left]]:
        """All release files, and what else there is."""
        raise NotImplementedError

    def refuses(self, release: Release) -> str:
        """Why such a file can never be here, or nothing."""
        if not SAFE_NAME.fullmatch(release.filename):
            return "Its name has other characters than A-Z a-z 0-9 _ . ! + -, which no upload can carry."
        if not self.filenames.search(release.filename):
            return f"A {self.kind} index does not take this kind of file."
        return ""

    def call(self, method: str, url: str, expect: tuple[int, ...] = (200,), **arguments: Any) -> requests.Response:
        """One request and its answer. Any status that is not expected is an error told in full."""
        with told(f"{method} {url}"):
            response = self._session.request(method, url, **arguments)
        if response.status_code not in expect:
            response.close()
            raise self._unexpected(method, url, response, expect)
        return response

    def download(self, release: Release, target: Path | None = None) -> str:
        """The SHA-256 of the bytes that the server sends, which are kept in the target, if there is one."""
        digest = hashlib.sha256()
        response = self.call("GET", release.url, headers={"Accept": "*/*", "Accept-Encoding": "identity"}, stream=True)
        with response, target.open("wb") if target else contextlib.nullcontext() as file, told(f"GET {release.url}"):
            for chunk in response.raw.stream(CHUNK, decode_content=False):  # the bytes, whatever the server calls them
                digest.update(chunk)
                if file:
                    file.write(chunk)
        return digest.hexdigest()

    def upload(self, package: PackageFile) -> None:
        with told(f"POST {self._upload_url()}"):
            response = self._repository.upload(package)
        if response.status_code != 200:
            kind = ClosedError if response.status_code in (401, 403) else CopyError
            raise kind(str(self._unexpected("POST", self._upload_url(), response)))

    def _unexpected(
        self, method: str, url: str, response: requests.Response, expect: tuple[int, ...] = (200,)
    ) -> CopyError:
        page = re.search(r"<pre>(.*?)</pre>", response.text, re.DOTALL) if method == "POST" else None
        said = " ".join((page[1] if page else response.reason or "").split())[:300]
        hint = NOW_WHAT.get(response.status_code, f"Read the log of the {self.side}'s server.")
        if 300 <= response.status_code < 400:
            hint = f"It redirects to {response.headers.get('Location')}. Check url and kind, and write the final url."
        wanted = " or ".join(map(str, expect))
        return CopyError(
            f"Expected HTTP status {wanted} for {method} {url}, got {response.status_code} {said!a}. {hint}"
        )


class Pypiserver(Index):
    kind = "pypiserver"
    filenames = re.compile(
        r"(\.whl|\.zip|\.tar\.(gz|bz2|xz)|\.tgz|\.egg|-py[23]\.\d-.*|\.win(32|-amd64)-py[23]\.\d\..*)(\.asc)?$", re.I
    )
    reads_metadata = False  # it stores the file and looks no further; it even refuses a long description

    def __init__(self, side: str, params: dict[str, Any], ca_path: str, timeout: int) -> None:
        if params["index"]:
            raise CopyError(
                f"Expected no index of the pypiserver that is the {side}, got {params['index']!a}. Remove it."
            )
        super().__init__(side, params, ca_path, timeout)

    def prove(self) -> None:
        if self.username:
            self.call("POST", self.url, data={":action": "verify"})  # it checks the password and does nothing

    def listing(self) -> tuple[list[Release], list[Left]]:
        root = urljoin(self.url, "simple/")
        pages = self._links(root, (200,))
        releases: list[Release] = []
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for page, links in zip(pages, pool.map(self._links, pages), strict=True):
                project = unquote(page.rstrip("/").rpartition("/")[2])
                for link in links:
                    url, _hash, fragment = link.partition("#")
                    kind, _equals, value = fragment.partition("=")
                    filename = unquote(url.rpartition("/")[2])
                    sha256 = value.lower() if kind == "sha256" else ""
                    releases.append(Release(filename, url, sha256, project, version(filename, project)))
        return releases, []

    def _links(self, page: str, expect: tuple[int, ...] = (200, 404)) -> list[str]:
        """Where the links of a page lead. A project may have gone since it was listed."""
        links: list[str] = []
        parser = HTMLParser()
        parser.handle_starttag = lambda tag, attributes: links.extend(
            urljoin(page, value) for key, value in attributes if (tag, key) == ("a", "href") and value
        )
        answer = self.call("GET", page, expect, headers={"Accept": "text/html"})
        parser.feed(answer.text if answer.status_code == 200 else "")
        for link in links:
            if not link.startswith(self.url):  # another server is none of this index, and would be told the password
                raise CopyError(
                    f"Expected {page} to link to what is below {self.url}, got {link}. "
                    "Write the url that the server calls itself."
                )
        return links


class Devpi(Index):
    kind = "devpi"
    filenames = re.compile(r"(?<!\.doc)\.(exe|tar\.gz|bz2|rpm|deb|zip|tgz|egg|dmg|msi|whl)$", re.I)
    reads_metadata = True

    def __init__(self, side: str, params: dict[str, Any], ca_path: str, timeout: int) -> None:
        if not params["index"]:
            raise CopyError(
                f"Expected the index of the devpi server that is the {side}, got none. Type it as user/index."
            )
        check_name("index", params["index"], "user/index")
        super().__init__(side, params, ca_path, timeout)

    def _upload_url(self) -> str:
        return f"{self.url}{self.name}/"

    def refuses(self, release: Release) -> str:
        reason = super().refuses(release)
        return reason or ("" if release.version else "There is no version in its name, and a devpi index needs one.")

    def open(self) -> None:
        if self.username:
            # A password costs the server 90 ms and 64 MiB each time, a token next to nothing.
            body = {"user": self.username, "password": self.password}
            status, answer = self._api("POST", urljoin(self.url, "+login"), (200, 401), json=body)
            if status == 401:
                raise CopyError(f"{self.url} does not accept the password of {self.username!r}. {NOW_WHAT[401]}")
            self._session.auth = (self.username, answer["password"])

    def listing(self) -> tuple[list[Release], list[Left]]:
        index = self._get("")
        if index is None:
            raise CopyError(
                f"Expected an index {self.name} at {self.url}, got none. "
                "Correct its name, or create it first with devpi_index."
            )
        if index.get("type") == "mirror":
            raise CopyError(f"Expected {self} to hold releases of its own, got a mirror. Name another index.")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            projects = pool.map(self._get, (f"/{quote(name)}?ignore_bases=" for name in index["projects"]))
            links = [
                (link, data["name"], number)
                for versions in projects
                for number, data in (versions or {}).items()
                for link in data.get("+links", [])
            ]
        releases, left = [], []
        for link, project, number in links:
            # The server writes the address that it is known by, which need not be the one that it is asked at.
            _before, own, path = urlsplit(link["href"]).path.partition(f"/{self.name}/+f/")
            filename = unquote(path.rpartition("/")[2])
            if not own:
                continue
            if link["rel"] != "releasefile":
                reason = NO_RELEASES.get(link["rel"], f"It is a {link['rel']}, not a release.")
                left.append(Left(filename, reason, by_nature=True))
                continue
            sha256 = dict([link["hash_spec"].split("=")]).get("sha256", "") if link.get("hash_spec") else ""
            releases.append(Release(filename, f"{self.url}{self.name}/+f/{path}", sha256, project, number))
        return releases, left

    def _get(self, path: str) -> dict[str, Any] | None:
        """What is there below the index, or None."""
        status, result = self._api("GET", f"{self.url}{self.name}{path}", (200, 404))
        return result if status == 200 else None

    def _api(self, method: str, url: str, expect: tuple[int, ...], **arguments: Any) -> tuple[int, Any]:
        response = self.call(method, url, expect, headers={"Accept": "application/json"}, **arguments)
        number = response.headers.get("X-Devpi-Server-Version", "")
        if number.split(".")[0] != "6":
            got = f"{number}, which has another API" if number else "another server"
            raise CopyError(f"Expected devpi-server 6.x at {self.url}, got {got}. Check url and kind.")
        with told(f"{method} {url}"):
            return response.status_code, response.json().get("result") if response.status_code == 200 else None


@contextlib.contextmanager
def told(request: str) -> Iterator[None]:
    """Say in a sentence why there is no answer."""
    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        cause = error.args[0] if error.args else error
        cause = getattr(cause, "reason", cause)
        why = str(cause).rpartition("object at 0x")[2].partition(": ")[2] or str(cause)
        hint = "Check url, and that the server runs and can be reached from here."
        if isinstance(error, requests.exceptions.SSLError):
            hint = "Name the CA in ca_content, and in url the host that the certificate is for."
        elif isinstance(error, requests.exceptions.Timeout):
            hint = "Check the way to the host, or raise timeout."
        raise CopyError(f"Expected an answer to {request}, got none: {why}. {hint}") from error


def version(filename: str, project: str) -> str:
    """The version in the name of a file, or nothing."""
    suffix = next((suffix for suffix in SUFFIXES if filename.lower().endswith(suffix)), "")
    name = "[-_.]+".join(map(re.escape, re.split("[-_.]+", project)))
    match = re.match(rf"{name}-(\w.*)", filename[: len(filename) - len(suffix)], re.IGNORECASE)
    if not match:
        return ""
    if suffix in (".whl", ".egg", ".rpm"):
        return match[1].partition("-")[0]
    return re.sub(r"[-.](linux-|macosx-|win32|win-amd64|py[23]\.).*", "", match[1])


def normal(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).lower()


def check_whole(path: Path) -> None:
    """Refuse an archive that is cut off or damaged."""
    bad: object = None
    try:
        if path.suffix in (".whl", ".zip", ".egg"):
            with zipfile.ZipFile(path) as archive:
                bad = archive.testzip()
        elif path.suffix in DECOMPRESS:
            with DECOMPRESS[path.suffix](path) as file:
                while file.read(CHUNK):
                    pass
        if not path.stat().st_size:
            bad = "it is empty"
    except RuntimeError:  # encrypted, or a compression that this Python does not know: not for us to judge
        bad = None
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
        bad = error
    if bad:
        raise CopyError(f"It is broken at the source ({bad}). Put it there anew or remove it, and run again.")


def form(path: Path, release: Release, metadata: bool) -> PackageFile:
    """What an upload says of a file: all that its metadata have, and at least name and version.

    Twine reads the metadata. It is not asked to judge them: what was released years ago has versions of the metadata,
    and texts in them, that no new release may have.
    """
    raw: dict[str, Any] = {}
    reader = Wheel if path.suffix == ".whl" else SDist if path.name.endswith((".zip", ".tar.gz")) else None
    if metadata and reader:
        with contextlib.suppress(
            Exception
        ):  # without metadata, or with some that cannot be read, it is still a release
            raw = dict(packaging.metadata.parse_email(reader(str(path)).read())[0])
    if not raw.get("name") or not normal(path.name).startswith(normal(raw["name"])):
        raw["name"] = release.project
    number = raw.get("version")
    if not number or not (number in path.name or re.sub(r"[^\w.]+", "_", number) in path.name):
        raw["version"] = release.version
    python = reader(str(path)).py_version if reader else "any"
    return PackageFile(str(path), None, raw, python, FILETYPES.get(path.suffix, "sdist"))


class Copy:
    """One run: what is to do, done, and proven."""

    def __init__(self, source: Index, destination: Index, directory: str) -> None:
        self.source, self.destination, self.directory = source, destination, directory
        self.copied: dict[str, str] = {}  # filename → SHA-256 of what was read from the source
        self.present: list[str] = []
        self.left: list[Left] = []
        self.compared: list[str] = []

    def plan(self) -> None:
        releases, left = self.source.listing()
        self.left += left
        self.releases = self._once(releases)
        there = {release.filename: release for release in self.destination.listing()[0]}
        self.wanted: list[Release] = []
        for name, release in sorted(self.releases.items()):
            reason = self.destination.refuses(release)
            if name in there:
                if there[name].sha256 and release.sha256 and there[name].sha256 != release.sha256:
                    self._leave(name, f"{self.destination} has a file of that name with other content. {REMOVE_ONE}")
                else:
                    self.present.append(name)
            elif reason:
                self.left.append(Left(name, reason, by_nature=True))
            else:
                self.wanted.append(release)

    def _once(self, releases: list[Release]) -> dict[str, Release]:
        """By name. A name that stands for several contents stands for none."""
        found: dict[str, Release] = {}
        several = set()
        for release in releases:
            first = found.setdefault(release.filename, release)
            if first.url != release.url and (not first.sha256 or first.sha256 != release.sha256):
                several.add(release.filename)
        for name in several:
            del found[name]
            self._leave(name, f"{self.source} lists several files of that name. {REMOVE_ONE}")
        return found

    def carry(self) -> None:
        if self.wanted:
            self.destination.prove()
        with contextlib.redirect_stdout(io.StringIO()):  # twine says what it uploads; a module has its own answer
            self._each(self.wanted, self._carry)

    def _carry(self, release: Release) -> None:
        with tempfile.TemporaryDirectory(dir=self.directory) as directory:
            path = Path(directory, release.filename)
            sha256 = self.source.download(release, path)
            if release.sha256 not in ("", sha256):
                raise CopyError(
                    f"{self.source} lists it with SHA-256 {release.sha256} and sends {sha256}. "
                    "Put it there anew or remove it, and run again."
                )
            check_whole(path)
            self.destination.upload(form(path, release, self.destination.reads_metadata))
        self.copied[release.filename] = sha256

    def compare(self) -> None:
        """Read all that is on both sides back. What this run copied was read from the source already."""
        end = time.monotonic() + PATIENCE
        while True:
            self._there = {release.filename: release for release in self.destination.listing()[0]}
            if self.copied.keys() <= self._there.keys() or time.monotonic() > end:
                break
            time.sleep(0.5)
        self._each([self.releases[name] for name in [*self.copied, *self.present]], self._compare)

    def _compare(self, release: Release) -> None:
        theirs = self._there.get(release.filename)
        if theirs is None:
            raise CopyError(f"{self.destination} took it and does not list it. Run again.")
        ours = self.copied.get(release.filename) or self.source.download(release)
        back = self.destination.download(theirs)
        if back != ours:
            raise CopyError(f"{self.source} sends SHA-256 {ours}, {self.destination} sends {back}. {REMOVE_ONE}")
        self.compared.append(release.filename)

    def _each(self, releases: list[Release], do: Callable[[Release], None]) -> None:
        """Do it to a few releases at the same time. What fails is left, with the reason."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            futures = {pool.submit(do, release): release for release in releases}
            for future in as_completed(futures):
                try:
                    future.result()
                except ClosedError:
                    pool.shutdown(cancel_futures=True)
                    raise
                except CopyError as error:
                    self._leave(futures[future].filename, str(error))

    def _leave(self, filename: str, reason: str) -> None:
        self.left.append(Left(filename, reason))

    @property
    def result(self) -> dict[str, Any]:
        return {
            "changed": bool(self.copied),
            "copied": sorted(self.copied),
            "present": sorted(self.present),
            "compared": len(self.compared),
            "left": [vars(left) for left in sorted(self.left, key=lambda left: left.filename)],
        }


def main() -> None:
    side = {
        "type": "dict",
        "required": True,
        "options": {
            "kind": {"type": "str", "choices": ["devpi", "pypiserver"], "required": True},
            "url": {"type": "str", "required": True},
            "index": {"type": "str"},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "ca_content": {"type": "str"},
        },
    }
    module = AnsibleModule(
        argument_spec={"source": side, "destination": side, "timeout": {"type": "int", "default": 60}},
        supports_check_mode=True,
    )
    if MISSING:
        module.fail_json(
            msg=f"Expected {sys.executable} to have requests and twine 7, got: {MISSING}. "
            f"Run this on the controller, or install them: {sys.executable} -m pip install requests 'twine>=7,<8'"
        )
    copy = None
    try:
        if module.params["timeout"] < 1:
            raise CopyError(f"Expected timeout in seconds, 1 or more, got {module.params['timeout']}.")
        with contextlib.ExitStack() as stack:
            source, destination = (
                stack.enter_context(contextlib.closing(index(module, side))) for side in ("source", "destination")
            )
            if str(source) == str(destination):
                raise CopyError(f"Expected two indexes, got {source} as source and destination. Correct one of them.")
            source.open()
            destination.open()
            copy = Copy(source, destination, module.tmpdir)
            copy.plan()
            if module.check_mode:
                copy.copied = {release.filename: release.sha256 for release in copy.wanted}
            else:
                copy.carry()
                copy.compare()
    except CopyError as error:
        module.fail_json(msg=str(error), **(copy.result if copy else {}))
    failures = [f"{left.filename}: {left.reason}" for left in copy.left if not left.by_nature]
    if failures:
        module.fail_json(msg="\n".join([f"Not everything is at {destination}:", *sorted(failures)]), **copy.result)
    module.exit_json(**copy.result)


def index(module: AnsibleModule, side: str) -> Index:
    params = module.params[side]
    ca_path = ""
    if params["ca_content"]:
        ca_path = str(Path(module.tmpdir, f"{side}.pem"))
        Path(ca_path).write_text(params["ca_content"])
    kind = {"devpi": Devpi, "pypiserver": Pypiserver}[params["kind"]]
    try:
        return kind(side, params, ca_path, module.params["timeout"])
    except DevpiError as error:
        raise CopyError(f"{side}: {error}") from error


if __name__ == "__main__":
    main()
