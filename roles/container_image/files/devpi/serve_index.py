#!/usr/bin/env python
# SPDX-License-Identifier: GPL-3.0-or-later
"""devpi-server, with constrained indexes that constrain every release file, passwords that are hashed once, and a word
to its proxy.

devpi-constrained 2.1.0 compares the normalised name of a project with what its files begin with, and so lets through
every Django-5.0.tar.gz, every foo_bar-1.0.tar.gz, and all wheels of projects that have a dash in their name.

devpi-server 6.20.3 makes the slow hash of a password (0.1 s and 64 MiB, on purpose) for each request that comes with
one, in as many threads as there are: ten requests a second and gigabytes.

The proxy in front is told who gave a wrong password, and of which project alone an upload changed the pages.
"""

import hashlib
import os
import sys
import threading

from devpi_common.validation import normalize_name
from devpi_constrained.main import ConstrainedStage
from devpi_server import model
from devpi_server.auth import Auth
from devpi_server.main import main
from devpi_server.views import PyPIView

VERDICT = "X-Wheelhouse-Credentials"
PROJECT = "X-Wheelhouse-Project"

let_through = ConstrainedStage.get_simple_links_filter_iter


class Link:
    """What devpi-constrained asks of a link. Its project is known: it stands on the project's page."""

    def __init__(self, project, link):
        self.name = project
        self.version = link.version


def get_simple_links_filter_iter(stage, project, links):
    return let_through(stage, project, [Link(project, link) for link in links])


ConstrainedStage.get_simple_links_filter_iter = get_simple_links_filter_iter


class Passwords:
    """devpi's own check of a password, made once for each that is right, and one at a time.

    What was right is remembered as a keyed digest together with the hash that it matched. So it never matches another
    hash, and a password that was changed or revoked is refused at once.
    """

    _REMEMBERED = 1000

    def __init__(self, verify):
        self._verify = verify
        self._key = os.urandom(32)
        self._right = set()
        self._turn = threading.Lock()

    def __call__(self, password, pwhash, salt=None):
        text = "\0".join([salt or "", pwhash, password]).encode(errors="surrogateescape")
        proof = hashlib.blake2b(text, key=self._key).digest()
        if proof in self._right:
            return True, None
        with self._turn:
            if proof in self._right:
                return True, None
            right, better_hash = self._verify(password, pwhash, salt)
            if right and better_hash is None:
                if len(self._right) >= self._REMEMBERED:
                    self._right.clear()
                self._right.add(proof)
        return right, better_hash


model.verify_and_update_password_hash = Passwords(model.verify_and_update_password_hash)

validate, get_auth_status = Auth._validate, Auth._get_auth_status


def telling_validate(self, authuser, authpassword, request=None):
    return _tell(request, validate(self, authuser, authpassword, request=request))


def telling_get_auth_status(self, authuser, authpassword, request=None):
    return _tell(request, get_auth_status(self, authuser, authpassword, request=request))


def _tell(request, result):
    """Tell the proxy whether credentials were right: it answers whoever tries many that are not."""
    verdict = {"ok": "right", "reject": "wrong", "nouser": "wrong"}.get(result["status"])
    if verdict and request is not None:
        request.add_response_callback(lambda _request, response: response.headers.update({VERDICT: verdict}))
    return result


Auth._validate, Auth._get_auth_status = telling_validate, telling_get_auth_status

submit = PyPIView.submit


def telling_submit(self):
    """Tell the proxy which project an upload has changed; what it is not told this of may have changed any."""
    response = submit(self)
    if response.status_code == 200:
        response.headers[PROJECT] = normalize_name(self.request.POST["name"])
    return response


PyPIView.submit = telling_submit

if __name__ == "__main__":
    sys.exit(main())
