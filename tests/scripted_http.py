# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A devpi-server that says only what the test has written down, in that order, and nothing else."""

from __future__ import annotations

import base64
import io
import json
from email.message import Message
from urllib.error import HTTPError

URL = "http://index.example.com"
PASSWORD = "rootpw-never-shown"
TOKEN = "token-never-shown"
AUTH = base64.b64encode(f"root:{TOKEN}".encode()).decode()


class Reply(io.BytesIO):
    def __init__(self, status, text, headers):
        super().__init__(text)
        self.status = status
        self.headers = Message()
        for name, value in headers.items():
            self.headers[name] = value


class ScriptedHttp:
    """Takes the place of ansible.module_utils.urls.Request.open."""

    def __init__(self):
        self.steps = []
        self.read_only = False

    def expect(self, method, path, body=None, status=200, result=None, message=None, text=None, error=None, **headers):
        """The next call, and the answer to it: `result` or `message` of devpi-server, raw `text`, or an error."""
        answer = {key: value for key, value in {"result": result, "message": message}.items() if value is not None}
        reply = json.dumps(answer) if text is None else text
        headers = {"X-Devpi-Server-Version": "6.20.3", **{k.replace("_", "-"): v for k, v in headers.items()}}
        self.steps.append((method, path, body, status, reply.encode(), headers, error))
        return self

    def login(self, user="root", password=PASSWORD, accepted=True):
        body = {"user": user, "password": password}
        if accepted:
            return self.expect("POST", "/+login", body, result={"password": TOKEN, "expiration": 36000})
        return self.expect("POST", "/+login", body, status=401, message=f"user {user!r} could not be authenticated")

    def open(self, method, url, data=None, headers=None):
        assert url.startswith(URL), url
        path = url[len(URL) :]
        assert not (self.read_only and method in ("PUT", "PATCH", "DELETE")), f"{method} {path} in check mode"
        assert self.steps, f"unexpected {method} {path} {data}"
        wanted_method, wanted_path, body, status, reply, reply_headers, error = self.steps.pop(0)
        assert (method, path) == (wanted_method, wanted_path)
        assert (None if data is None else json.loads(data)) == body
        if method in ("PUT", "PATCH", "DELETE"):
            assert headers["X-Devpi-Auth"] == AUTH
        if error is not None:
            raise error
        answer = Reply(status, reply, reply_headers)
        if status >= 300:
            raise HTTPError(url, status, "", answer.headers, answer)
        return answer
