# SPDX-License-Identifier: GPL-3.0-or-later
"""pypiserver as its settings ask for it: its own application, on our backend and with our users."""

from __future__ import annotations

import functools
import json
import logging
import re
from pathlib import Path

import pypiserver
from pypiserver import bottle_wrapper
from pypiserver.backend import BackendProxy
from pypiserver.bottle_wrapper import HTTPError, request
from pypiserver.config import Config, RunConfig
from wheelhouse_backend import WRITTEN, Backend
from wheelhouse_htpasswd import Users

_log = logging.getLogger("wheelhouse.requests")
_ACTIONS = {"download", "list", "update"}
# What `options` may not name: settings of their own decide it, or the server that runs the application does.
_OURS = {
    *("authenticate", "auther", "backend_arg", "disable_fallback", "fallback_url", "host", "overwrite"),
    *("package_root", "password_file", "port", "roots", "server_method", "log_file", "log_stream"),
}
_PAGES = 64  # rendered pages that a process remembers; a page of 1,000 links takes 0.2 MB
_REASON = 400  # characters of a status line
# For the proxy alone: whether credentials were right, and which project alone has another page since this request.
_VERDICT, _PROJECT = "X-Wheelhouse-Credentials", "X-Wheelhouse-Project"


class Settings:
    """What the role wrote to pypiserver.json; ValueError, with a sentence, for what cannot be meant."""

    def __init__(self, path: Path) -> None:
        values = json.loads(path.read_text())
        self.packages = Path(values["packages"])
        self.read_only = values.get("read_only", False)
        self.workers = values.get("workers", 2)
        self.threads = values.get("threads", 4)
        options = values.get("options", {})
        authenticate = values.get("authenticate", ["update"])
        if not self.packages.is_absolute():
            raise ValueError(f"packages has to be an absolute path, got {str(self.packages)!r}.")
        if not _ACTIONS.issuperset(authenticate):
            raise ValueError(f"authenticate may have {', '.join(sorted(_ACTIONS))} in it, got {authenticate!r}.")
        possible = set(dict(Config.default_with_overrides())) - _OURS
        if not possible.issuperset(options):
            raise ValueError(f"options may name {', '.join(sorted(possible))}, got {', '.join(sorted(options))}.")
        fallback_url = values.get("fallback_url", "")
        self.config: RunConfig = Config.default_with_overrides(
            roots=[self.packages],
            authenticate=authenticate,
            auther=_telling(Users(path.with_name("htpasswd"))) if authenticate else lambda _name, _password: True,
            overwrite=values.get("overwrite", False),
            disable_fallback=not fallback_url,
            fallback_url=fallback_url,
            **options,
        )
        self.config.backend = BackendProxy(Backend(self.config))
        logging.getLogger().setLevel(self.config.log_level)
        logging.getLogger("wheelhouse").setLevel(min(logging.INFO, self.config.log_level))


def application(settings: Settings):
    """pypiserver's own WSGI application, made fast, and safe from half requests."""
    # pypiserver renders every page anew. The same links make the same page, so a page is remembered by all that goes
    # into it and needs no expiry. The application takes the function from here when it is made.
    bottle_wrapper.template = _remembering(bottle_wrapper.template)
    app = pypiserver.app_from_config(settings.config)
    app.route(settings.config.health_endpoint, "GET", lambda: f"Ok: {settings.config.backend.package_count()} files\n")
    app.install(_answering_in_sentences(settings.read_only))

    def whole(environ, start_response):
        environ["wsgi.input"] = _WholeBody(environ["wsgi.input"])

        def start(status, headers, *more):
            written = environ.get(WRITTEN, ())
            project = next(iter(written)) if len(written) == 1 else None
            said = {_VERDICT: environ.get(_VERDICT), _PROJECT: project}
            return start_response(status, [*headers, *((name, value) for name, value in said.items() if value)], *more)

        return app(environ, start)

    return whole


def _telling(users: Users):
    """The same users, and the proxy is told whose password was wrong: it answers whoever tries many."""

    def right(name: str, password: str) -> bool:
        verdict = users(name, password)
        request.environ[_VERDICT] = "right" if verdict else "wrong"
        return verdict

    return right


class _WholeBody:
    """The body of a request; that it ends before its length is an error, where bottle would take what there is."""

    def __init__(self, body) -> None:
        self._body = body

    def read(self, size: int) -> bytes:
        # bottle asks for no more than the length that the request announced
        data = self._body.read(size)
        if len(data) < size:
            raise HTTPError(
                400, "The request ended before its whole body had arrived. Nothing was changed: send it again."
            )
        return data


def _answering_in_sentences(read_only: bool):
    """For bottle's `install`: no answer to a POST leaves its sender guessing.

    What twine shows of a refusal is its status line, so the sentence belongs there too. A form that cannot be parsed,
    or lacks what is looked for, is the sender's error; pypiserver and bottle raise whatever comes of it.
    """

    def plugin(callback):
        @functools.wraps(callback)
        def answer(*arguments, **named):
            if request.method != "POST":
                return callback(*arguments, **named)
            try:
                if read_only and request.path == "/":
                    raise HTTPError(403, "This index is read-only: it serves what is in its directory, and no more.")
                return callback(*arguments, **named)
            except HTTPError as error:
                refusal = error
            except (AttributeError, LookupError, TypeError, ValueError) as error:
                _log.warning("Refused a request: %r", error, exc_info=_log.isEnabledFor(logging.DEBUG))
                refusal = HTTPError(400, f"The request could not be understood: {error}")
            if isinstance(refusal.body, str):
                sentence = re.sub(r"[^!-~]+", " ", refusal.body)
                refusal.status = f"{refusal.status_code} {sentence[:_REASON]}"
            raise refusal

        return answer

    return plugin


def _remembering(render):
    @functools.lru_cache(maxsize=_PAGES)
    def page(source, values):
        return render(source, **dict(values))

    def template(source, **values):
        return page(
            source,
            tuple((key, value if isinstance(value, str | int) else tuple(value)) for key, value in values.items()),
        )

    return template
