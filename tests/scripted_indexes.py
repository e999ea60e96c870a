# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two index servers that know only what the test has written down. Several requests may come at the same time."""

from __future__ import annotations

import email
import hashlib
import io
import json

import urllib3
from requests.adapters import HTTPAdapter

OLD, NEW = "http://old.example.com/", "https://new.example.com/sub/"
PASSWORD, TOKEN = "moverpw-never-shown", "token-never-shown"
DEVPI = {"X-Devpi-Server-Version": "6.20.3"}


class ScriptedIndexes:
    """Takes the place of requests.adapters.HTTPAdapter.send."""

    def __init__(self):
        self.answers = {}
        self.asked = []
        self.uploads = {}  # file name → the fields of its form, in lists
        self.read_only = False

    def on(self, method, url, body=b"", status=200, reason="OK", error=None, **headers):
        """What is answered to such a request, each time; given again, the next times."""
        body = json.dumps(body) if isinstance(body, dict) else body
        body = body.encode() if isinstance(body, str) else body
        headers = {key.replace("_", "-"): value for key, value in headers.items()}
        self.answers.setdefault((method, url), []).append((body, status, reason, headers, error))
        return self

    def pypiserver(self, url, **files):
        """A pypiserver that has those files, each a project of its own: project → file name and content."""
        page = "".join(f'<a href="{project}/">{project}</a>' for project in files)
        self.on("GET", f"{url}simple/", f"<html><body>{page}</body></html>")
        for project, (name, content) in files.items():
            digest = hashlib.sha256(content).hexdigest()
            link = f'<a href="../../packages/{name}#sha256={digest}">{name}</a>'
            self.on("GET", f"{url}simple/{project}/", link).on("GET", f"{url}packages/{name}", content)
        return self

    def devpi(self, url, index, **files):
        """A devpi index that has those files: project → version, file name and content."""
        self.on("GET", f"{url}{index}", {"result": {"type": "stage", "projects": [*files]}}, **DEVPI)
        for project, (version, name, content) in files.items():
            digest = hashlib.sha256(content).hexdigest()
            path = f"{index}/+f/{digest[:3]}/{digest[3:16]}/{name}"
            link = {
                "rel": "releasefile",
                "href": f"http://known.as.example.com/{path}",
                "hash_spec": f"sha256={digest}",
            }
            result = {version: {"name": project, "version": version, "+links": [link]}}
            self.on("GET", f"{url}{index}/{project}?ignore_bases=", {"result": result}, **DEVPI)
            self.on("GET", url + path, content)
        return self

    def login(self, url):
        return self.on("POST", f"{url}+login", {"result": {"password": TOKEN}}, **DEVPI)

    def send(self, adapter, request, **settings):
        self.asked.append((request.method, request.url, request.headers.get("Authorization"), settings))
        assert settings["timeout"] == 60
        if request.method == "POST":
            assert not self.read_only or request.url.endswith("+login"), f"POST {request.url} in check mode"
            self._keep(request)
        answers = self.answers.get((request.method, request.url))
        assert answers, f"unexpected {request.method} {request.url}"
        body, status, reason, headers, error = answers.pop(0) if len(answers) > 1 else answers[0]
        if error:
            raise error
        raw = urllib3.HTTPResponse(io.BytesIO(body), headers, status, reason=reason, preload_content=False)
        return HTTPAdapter.build_response(adapter, request, raw)

    def _keep(self, request):
        kind = request.headers["Content-Type"]
        if not kind.startswith("multipart/form-data"):
            return
        form = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + request.body.read())
        fields = {}
        for part in form.get_payload():
            fields.setdefault(part.get_param("name", header="content-disposition"), []).append(part)
        (content,) = fields.pop("content")
        self.uploads[content.get_filename()] = {
            **{key: [part.get_payload(decode=True).decode() for part in parts] for key, parts in fields.items()},
            "content": content.get_payload(decode=True),
        }
