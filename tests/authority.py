# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A certificate authority of the openssl command, for real certificates of any date, and TLS servers that show them."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

CONFIG = """
[ca]
default_ca = any
[any]
database = {place}/issued
new_certs_dir = {place}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any_name
[any_name]
countryName = optional
organizationName = optional
commonName = optional
[root]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[careless_root]
basicConstraints = critical, CA:true
subjectKeyIdentifier = hash
[intermediate]
basicConstraints = critical, CA:true, pathlen:0
keyUsage = critical, digitalSignature, keyCertSign, cRLSign
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""
LEAF = """
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = {purpose}
authorityKeyIdentifier = keyid
"""
EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
RSA = ("-newkey", "rsa:2048")
WEAK_RSA = ("-newkey", "rsa:1024")


def openssl(*words):
    """What an openssl command prints."""
    done = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass
class Pair:
    """A certificate and its key, each in a file, and what issued it."""

    path: Path
    key: Path
    issuer: Pair | None

    @property
    def pem(self):
        return self.path.read_text()

    def says(self, *options):
        """What `openssl x509` makes of it, such as its -serial, without the word before it."""
        return openssl("x509", "-in", self.path, "-noout", *options).strip().partition("=")[2]

    def date(self, option):
        """Its -startdate or -enddate, ISO 8601."""
        return self.says(option, "-dateopt", "iso_8601").replace(" ", "T")

    def with_chain(self):
        """A pair whose file has the issuers too, but not the root."""
        path = self.path.with_suffix(".chain.pem")
        chain, issuer = [self.pem], self.issuer
        while issuer.issuer:
            chain.append(issuer.pem)
            issuer = issuer.issuer
        path.write_text("".join(chain))
        return Pair(path, self.key, self.issuer)


class Authority:
    """Issues certificates. Days are counted from now."""

    def __init__(self, place):
        self.place = place
        self._config = place / "openssl.cnf"
        self._config.write_text(CONFIG.format(place=place))
        (place / "issued").touch()
        self._count = 0

    def issue(self, subject, issuer, names="", days=(-1, 90), purpose="serverAuth", key=EC):
        """A leaf. `names` is the subjectAltName as openssl takes it."""
        extensions = LEAF.format(purpose=purpose) + (f"subjectAltName = {names}\n" if names else "")
        return self._sign(subject, issuer, days, key, extensions=extensions)

    def issue_ca(self, subject, issuer=None, section=None, days=(-1, 90), key=EC):
        """A root, or a CA below an issuer."""
        return self._sign(subject, issuer, days, key, section=section or ("intermediate" if issuer else "root"))

    def _sign(self, subject, issuer, days, key, section=None, extensions=None):
        self._count += 1
        stem = self.place / str(self._count)
        pair = Pair(stem.with_suffix(".pem"), stem.with_suffix(".key"), issuer)
        request = stem.with_suffix(".csr")
        openssl("req", "-new", "-nodes", "-utf8", *key, "-subj", subject, "-keyout", pair.key, "-out", request)
        pair.key.chmod(0o600)
        if extensions:
            extra = stem.with_suffix(".ext")
            extra.write_text(extensions)
            chosen = ["-extfile", extra]
        else:
            chosen = ["-extensions", section]
        signer = ["-cert", issuer.path, "-keyfile", issuer.key] if issuer else ["-selfsign", "-keyfile", pair.key]
        start, end = (f"{datetime.now(UTC) + timedelta(days=day):%Y%m%d%H%M%SZ}" for day in days)
        dates = ["-startdate", start, "-enddate", end]
        openssl(
            *("ca", "-config", self._config, "-batch", "-notext", "-preserveDN", "-utf8"),
            *(*signer, *dates, *chosen, "-in", request, "-out", pair.path),
        )
        return pair


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def root(authority):
    """A root that nobody trusts yet."""
    return authority.issue_ca("/C=XX/O=Exämple/CN=Root")


class Listener:
    """A server on loopback that answers every connection with `answer`, until it is told to end."""

    def __init__(self, answer):
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.port = self._socket.getsockname()[1]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_error):
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def _serve(self):
        while not self._ended.is_set():
            try:
                connection, _address = self._socket.accept()
            except TimeoutError:
                continue
            connection.settimeout(10)
            with connection:
                try:
                    self._answer(connection)
                except OSError:  # the client turned away, as one that refuses a certificate does
                    continue


# What a Listener may answer


def server(pair, oldest=None, newest=None, names=None):
    """What a Listener answers as a TLS server with that pair."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.path, pair.key)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if oldest:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            context.minimum_version = oldest
        if newest:
            context.maximum_version = newest
    if names:
        refuse = ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        context.sni_callback = lambda _connection, name, _context: None if name in names else refuse

    def answer(connection):
        with context.wrap_socket(connection, server_side=True) as client:
            client.recv(1)  # until the client goes

    return answer


def refusing_old(answer, refuse):
    """Answer as told, but to who speaks nothing newer than TLS 1.1 as `refuse` does."""

    def answer_or_refuse(connection):
        hello = b""
        while len(hello) < 11:
            hello = connection.recv(11, socket.MSG_PEEK)
        # TLS 1.2 and 1.3 both write 3.3 here
        (refuse if hello[9:11] < b"\x03\x03" else answer)(connection)

    return answer_or_refuse


def speak_http(connection):
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
