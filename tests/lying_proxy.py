# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A proxy on loopback in front of a real index, which lies as a test tells it to."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


Ask = Callable[[Request], Answer]  # the honest answer to a request
Lie = Callable[[Request, Ask], Answer]  # what is answered in its place


def honest(request: Request, ask: Ask) -> Answer:
    return ask(request)


class LyingProxy:
    """What `lie` makes of each answer of the index at a port of loopback. It may be changed at any time."""

    def __init__(self, port: int) -> None:
        self.lie: Lie = honest
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = proxy.lie(Request(self.command, self.path, dict(self.headers), body), ask)
                self.send_response_only(answer.status)
                for name, value in answer.headers.items():
                    if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                        self.send_header(name, value)
                size = answer.headers.get("Content-Length") if self.command == "HEAD" else None
                self.send_header("Content-Length", size or str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer

            def log_message(self, *_words: object) -> None:
                """Nobody reads it."""

        def ask(request: Request) -> Answer:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            try:
                connection.request(request.method, request.path, request.body or None, request.headers)
                answer = connection.getresponse()
                return Answer(answer.status, dict(answer.headers), answer.read())
            finally:
                connection.close()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> LyingProxy:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
