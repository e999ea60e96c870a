# Copyright: The wheelhouse.pypi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it can change in any release. From outside, use the modules.
"""How the modules talk to devpi-server: names, the HTTP client, and the frame every module runs in."""

from __future__ import annotations

import base64
import json
import re
import ssl
from functools import cached_property
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import Request

# What the modules call a thing: what devpi-server 6.x calls it. 7.x renames many of them: rename here, nowhere else.
INDEX_TYPES = {"stage": "stage", "mirror": "mirror", "constrained": "constrained"}
COMMON_FIELDS = {"title": "title", "description": "description", "custom_data": "custom_data"}
USER_FIELDS = {"name": "username", "email": "email", **COMMON_FIELDS}
STAGE_FIELDS = {
    "bases": "bases",
    "acl_upload": "acl_upload",
    "acl_toxresult_upload": "acl_toxresult_upload",
    "mirror_whitelist": "mirror_whitelist",
    "mirror_whitelist_inheritance": "mirror_whitelist_inheritance",
}
MIRROR_FIELDS = {
    "mirror_url": "mirror_url",
    "mirror_web_url_fmt": "mirror_web_url_fmt",
    "mirror_cache_expiry": "mirror_cache_expiry",
    "mirror_no_project_list": "mirror_no_project_list",
    "mirror_use_external_urls": "mirror_use_external_urls",
    "mirror_ignore_serial_header": "mirror_ignore_serial_header",
    "mirror_provides_core_metadata": "mirror_provides_core_metadata",
}
CONSTRAINED_FIELDS = {"constraints": "constraints"}  # of the plugin devpi-constrained; the rest is as for a stage
INDEX_FIELDS = {"volatile": "volatile", **COMMON_FIELDS, **STAGE_FIELDS, **MIRROR_FIELDS, **CONSTRAINED_FIELDS}

NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?")
BASE_URL = re.compile(r"https?://[A-Za-z0-9._:\[\]-]+(/[A-Za-z0-9._~%/-]*)?")
USERINFO = re.compile(r"://(.+)@")

NOW_WHAT = {
    400: "Correct the value it names.",
    401: "Check login_user and login_password.",
    403: "Log in as a login_user who may do this: a server started with --restrict-modify lets only those named there.",
    404: "Check that url is the base URL of the index server, and that nobody else removes the same thing.",
    409: "Somebody else made it in the meantime: run again.",
    500: "Read the log of devpi-server; a replica answers this to every write while its primary is down.",
    502: "The proxy answers and devpi-server does not: start it, or read its log.",
    503: "The proxy answers and devpi-server does not, or requests are limited: read their logs.",
    504: "The proxy answers and devpi-server is too slow: read its log.",
}


class DevpiError(Exception):
    """Something the user can act on; its text is the failure message of the module."""


def check_name(option: str, value: str, shape: str) -> str:
    """Return value if it is a safe name of that shape, 'user' or 'user/index'; refuse anything else."""
    parts = value.split("/")
    if len(parts) == len(shape.split("/")) and all(NAME.fullmatch(part) and ".." not in part for part in parts):
        return value
    example = {"user": "alice", "user/index": "alice/dev"}[shape]
    raise DevpiError(
        f"Expected {option} to be {shape}, each part 1 to 64 of a-z 0-9 . _ - that begins and ends with a letter or "
        f"digit and has no '..'; got {value!a}. Type it like this: {option}: {example}"
    )


def check_url(value: str) -> str:
    """Return the base URL without its last slash; refuse what is no base URL."""
    if BASE_URL.fullmatch(value):
        return value.rstrip("/")
    raise DevpiError(
        "Expected url to be the base URL of the index server, http:// or https:// with no user name, password, query "
        f"or fragment in it; got {USERINFO.sub('://...@', value)!a}. Type it like this: url: https://pypi.example.com/"
    )


def userinfo(url: str | None) -> list[str]:
    """The user name and password that a URL carries: a secret, though devpi-server shows it to everybody."""
    return USERINFO.findall(url or "")


def refuse_unless_unused(part: Part, doomed: list[str], indexes: dict[str, dict[str, Any]]) -> None:
    """Deleting an index that is a base of others would leave them with a dangling entry: only when told to."""
    users = {
        name: [other for other, index in indexes.items() if name in index.get("bases", []) and other not in doomed]
        for name in doomed
    }
    needed = ", ".join(f"{name} is a base of {' and '.join(others)}" for name, others in users.items() if others)
    if needed and not part.params["force"]:
        part.complain(
            f"Expected that no other index builds on what is deleted, but {needed}. "
            "Change their bases first, or set force: true to leave them with a base that is not there."
        )


def _user(theirs: dict[str, Any]) -> dict[str, Any]:
    ours = {wire: name for name, wire in USER_FIELDS.items()}
    indexes = sorted(f"{theirs['username']}/{index}" for index in theirs.get("indexes", {}))
    return {**{ours.get(key, key): value for key, value in theirs.items()}, "indexes": indexes}


def _to_wire(config: dict[str, Any], fields: dict[str, str]) -> dict[str, Any]:
    wire = {fields.get(key, key): value for key, value in config.items()}
    if "type" in wire:
        wire["type"] = INDEX_TYPES[wire["type"]]
    return wire


class Devpi:
    """Users and indexes of one devpi-server 6.x, in our words. What is missing is an empty dict."""

    def __init__(self, params: dict[str, Any], read_only: bool, secrets: set[str]) -> None:
        self.url = check_url(params["url"])
        self.version: str | None = None  # of devpi-server, as its last answer said
        self._login = (params["login_user"], params["login_password"])
        self._read_only = read_only
        self._secrets = secrets
        self._auth: dict[str, str] = {}
        self._foreseen: dict[str, dict[str, dict[str, Any]]] = {"user": {}, "index": {}}
        self._http = Request(
            headers={"Accept": "application/json"},
            http_agent="wheelhouse.pypi",
            timeout=params["timeout"],
            validate_certs=params["validate_certs"],
            ca_path=params["ca_path"],
            follow_redirects="none",  # a followed redirect turns PUT into GET, and takes the token to another host
            use_netrc=False,
        )

    def login(self) -> None:
        """Change the password for a token, once: each request with a password costs the server 90 ms and 64 MiB."""
        if self._auth:
            return
        user, password = self._login
        token = self._token(user, password)
        if token is None:
            raise DevpiError(f"{self.url} does not accept the password of {user!r}. {NOW_WHAT[401]}")
        self._auth = {"X-Devpi-Auth": base64.b64encode(f"{user}:{token}".encode()).decode()}
        self._secrets.add(self._auth["X-Devpi-Auth"])

    def accepts(self, user: str, password: str) -> bool:
        """Whether this is the user's password. It cannot be read, only tried."""
        return self._token(user, password) is not None

    def foresee(self, kind: str, name: str, thing: dict[str, Any]) -> None:
        """In a run that may only read: count on a user or index as it would be by now, or on its absence."""
        self._foreseen[kind][name] = thing

    def everything(self) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
        """All users and all indexes, each by name."""
        users = self._call("GET", "/")[1]
        indexes = {f"{user}/{key}": index for user in users for key, index in users[user].get("indexes", {}).items()}
        users = {name: _user(user) for name, user in users.items()} | self._foreseen["user"]
        indexes = {name: self._index(name, index) for name, index in indexes.items()} | self._foreseen["index"]
        return (
            {name: user for name, user in users.items() if user},
            {name: index for name, index in indexes.items() if index},
        )

    def get_user(self, name: str) -> dict[str, Any]:
        status, user = self._call("GET", f"/{quote(name)}", expect=(200, 404))
        return _user(user) if status == 200 else {}

    def create_user(self, name: str, config: dict[str, Any]) -> dict[str, Any]:
        self._call("PUT", f"/{quote(name)}", _to_wire(config, USER_FIELDS), expect=(201,))
        return self.get_user(name)

    def change_user(self, name: str, config: dict[str, Any]) -> dict[str, Any]:
        self._call("PATCH", f"/{quote(name)}", _to_wire(config, USER_FIELDS))
        return self.get_user(name)

    def delete_user(self, name: str) -> None:
        self._call("DELETE", f"/{quote(name)}")

    def get_index(self, name: str) -> dict[str, Any]:
        # Without no_projects a mirror would fetch the list of all its projects from upstream.
        status, index = self._call("GET", f"/{quote(name)}?no_projects=", expect=(200, 404))
        return self._index(name, index) if status == 200 else {}

    def create_index(self, name: str, config: dict[str, Any]) -> dict[str, Any]:
        self._call("PUT", f"/{quote(name)}", _to_wire(config, INDEX_FIELDS))
        return self.get_index(name)

    def change_index(self, name: str, config: dict[str, Any], remove: list[str]) -> dict[str, Any]:
        if config:
            self._call("PATCH", f"/{quote(name)}", _to_wire(config, INDEX_FIELDS))
        if remove:
            self._call("PATCH", f"/{quote(name)}", [f"{INDEX_FIELDS[key]}-=" for key in remove])
        return self.get_index(name)

    def delete_index(self, name: str, volatile: bool) -> None:
        """Delete an index and all it holds; one that is not volatile has to be made so first."""
        if not volatile:
            self._call("PATCH", f"/{quote(name)}", _to_wire({"volatile": True}, INDEX_FIELDS))
        self._call("DELETE", f"/{quote(name)}", expect=(201,))

    def _index(self, name: str, theirs: dict[str, Any]) -> dict[str, Any]:
        ours = {wire: key for key, wire in INDEX_FIELDS.items()}
        types = {wire: kind for kind, wire in INDEX_TYPES.items()}
        index = {ours.get(key, key): value for key, value in theirs.items()}
        self._secrets.update(userinfo(index.get("mirror_url")))
        return {**index, "name": name, "type": types.get(theirs["type"], theirs["type"])}

    def _token(self, user: str, password: str) -> str | None:
        body = {"user": user, "password": password}
        status, answer = self._call("POST", "/+login", body, expect=(200, 401))
        if status == 401:
            return None
        self._secrets.add(answer["password"])
        return answer["password"]

    def _call(self, method: str, path: str, body: Any = None, expect: tuple[int, ...] = (200,)) -> tuple[int, Any]:
        """One request: its status and result. Any status that is not expected is an error told in full."""
        if self._read_only and (method, path) != ("POST", "/+login") and method != "GET":
            raise DevpiError(f"Bug in wheelhouse.pypi: {method} {path} in a run that may only read. Please report it.")
        data = None if body is None else json.dumps(body).encode()
        headers = self._auth if data is None else {**self._auth, "Content-Type": "application/json"}
        try:
            try:
                response = self._http.open(method, self.url + path, data=data, headers=headers)
                status = response.status
            except HTTPError as error:
                response, status = error, error.code
            text = response.read()
        except (OSError, HTTPException) as error:
            raise DevpiError(f"Expected an answer to {method} {self.url}{path}, got {reason(error)}") from error
        self.version = response.headers.get("X-Devpi-Server-Version", self.version)
        if self.version and self.version.split(".")[0] != "6":
            raise DevpiError(f"Expected devpi-server 6.x at {self.url}, got {self.version}, which has another API.")
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        marks = {"result"} if (method, status) == ("GET", 200) else {"result", "message"}
        if not isinstance(answer, dict) or not marks & answer.keys():
            said = f"and {response.headers.get('Content-Type', 'nothing')}, not the JSON of its API"
        elif status in expect:
            return status, answer.get("result")
        else:
            said = "and " + ascii(" ".join(str(answer.get("message")).split()))
        hint = NOW_WHAT.get(status, "Check that url is the base URL of a devpi-server.")
        if 300 <= status < 400:
            hint = f"It redirects to {response.headers.get('Location')}: write the final url."
        wanted = " or ".join(map(str, expect))
        raise DevpiError(f"Expected HTTP status {wanted} for {method} {self.url}{path}, got {status} {said}. {hint}")


def reason(error: Exception) -> str:
    """Why there was no answer, and what to check, after a word such as 'got'."""
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, ssl.SSLError):
        return f"no trust: {cause}. Name the CA in ca_path or ca_content, and in url the host the certificate is for."
    if isinstance(cause, FileNotFoundError):
        return f"as far as: {cause}. Check that ca_path is a file on the host this runs on."
    if isinstance(cause, ConnectionRefusedError):
        return f"none: {cause}. Check that the index server runs, and host and port in url."
    if isinstance(cause, TimeoutError):
        return f"none in time: {cause}. Check the way to the host, or raise timeout."
    return f"none: {cause or type(error).__name__}. Check url, name resolution and proxy settings on this host."


class Part:
    """What is wanted of one user or index, and what comes of it. A module may be all of it, or have many."""

    params: dict[str, Any]
    check_mode: bool
    client: Devpi
    result: dict[str, Any]

    def announce(self, before: dict[str, Any], after: dict[str, Any]) -> bool:
        """Say what changes. Before a change it logs in, so that check mode, too, finds a wrong password."""
        self.result.update(changed=before != after, diff={"before": before, "after": after})
        if self.result["changed"]:
            self.client.login()
        return self.result["changed"]

    def complain(self, complaint: str) -> None:
        """Refuse; in check mode only warn, because an earlier task may have been about to put it right."""
        if not self.check_mode:
            raise DevpiError(complaint)
        self.warn(f"{complaint} (Only a warning in check mode: an earlier task may see to it.)")


class PartOf(Part):
    """One of many in a module, with options of its own."""

    def __init__(self, module: DevpiModule, params: dict[str, Any]) -> None:
        self.params, self.check_mode, self.client, self.warn = params, module.check_mode, module.client, module.warn
        self.result = {"changed": False}
        module.no_log_values.update(userinfo(params.get("mirror_url")))


class DevpiModule(AnsibleModule, Part):
    """An Ansible module as a `with` block: leaving it exits with `result`, a DevpiError inside it is the failure."""

    def __init__(self, argument_spec: dict[str, Any], writes: bool = True) -> None:
        connection = {
            "url": {"type": "str", "required": True},
            "login_user": {"type": "str", "default": "root"},
            "login_password": {"type": "str", "required": writes, "no_log": True},
            "ca_path": {"type": "path"},
            "ca_content": {"type": "str"},
            "validate_certs": {"type": "bool", "default": True},
            "timeout": {"type": "int", "default": 30},
        }
        super().__init__(
            argument_spec={**connection, **argument_spec},
            mutually_exclusive=[("ca_path", "ca_content")],
            supports_check_mode=True,
        )
        self.result: dict[str, Any] = {"changed": False}
        self._read_only = self.check_mode or not writes

    @cached_property
    def client(self) -> Devpi:
        return Devpi(self.params, self._read_only, self.no_log_values)

    def __enter__(self) -> DevpiModule:
        if self.params["ca_content"]:
            self.params["ca_path"] = str(Path(self.tmpdir, "ca.pem"))
            Path(self.params["ca_path"]).write_text(self.params["ca_content"])
        for option in ("url", "mirror_url"):
            self.no_log_values.update(userinfo(self.params.get(option)))
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, DevpiError):
            self.fail_json(msg=str(error))
        if error is None:
            self.exit_json(**self.result)
