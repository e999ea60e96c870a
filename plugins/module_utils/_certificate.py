# Copyright: The wheelhouse.pypi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it can change in any release. From outside, use the module certificate_info.
"""What a TLS client makes of a certificate, of a server that runs or of a pair of files."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
import socket
import ssl
import stat
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

PEM = re.compile(r"-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----")
HOST = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
OLD_PROTOCOLS = {"TLSv1": ssl.TLSVersion.TLSv1, "TLSv1.1": ssl.TLSVersion.TLSv1_1}

# Why OpenSSL refuses a certificate: the X509_V_ERR_* that are worth a sentence of their own.
DATES = (9, 10)
OTHER_NAME = (62, 64)
NO_ISSUER = (
    "{what} does not lead to a root in {trusted}: the chain breaks off at the issuer {top!r}, or above it. Append the "
    "certificates that are missing to the chain, leaf first, or name a file with the right root in ca_path."
)
REFUSALS = {
    **dict.fromkeys(
        DATES,
        "{what} is in date, but one above it is not: {message}. Replace that one, in the chain or in {trusted}.",
    ),
    **dict.fromkeys((2, 20, 21), NO_ISSUER),
    18: "{what} is signed by itself, {top!r}, and not in {trusted}. Order one from a CA, or name a file with this one "
    "in ca_path.",
    19: "{what} leads to a root that is not in {trusted}: the chain ends at {top!r}, or above it. Order one from a CA "
    "that clients trust, or name a file with this root in ca_path.",
    26: "{what} is not made for servers, or one above it is not: {message}. Order one whose extendedKeyUsage has "
    "serverAuth.",
}
OTHER_REFUSAL = (
    "{what} is refused by clients, or one above it is: {message} (OpenSSL verify error {code}). Have it issued anew "
    "without that."
)

# DER: the tags that matter, and by their object identifiers the subjectAltName and the usual parts of a name.
UTC_TIME = 0x17
DNS_NAME = 0x82
IP_ADDRESS = 0x87
VERSION = 0xA0
EXTENSIONS = 0xA3
SUBJECT_ALT_NAME = bytes.fromhex("551d11")
NAME_PARTS = {"550403": "CN", "550406": "C", "550407": "L", "550408": "ST", "55040a": "O", "55040b": "OU"}

Talk = Callable[[ssl.SSLContext, "str | None"], tuple[bytes, str]]  # how a client makes a handshake and what it gets


class CertificateError(Exception):
    """There is nothing to look at; its text is the failure message of the module."""


def _damaged(where: str) -> CertificateError:
    return CertificateError(f"Expected every certificate in {where} to be whole, got a damaged one. Copy it anew.")


@dataclass
class Certificate:
    """What a certificate says. Python parses only those that it accepts, so it is read from the DER."""

    der: bytes
    serial_number: str
    issuer: str
    subject: str
    not_before: datetime
    not_after: datetime
    names: list[str]


def _elements(der: bytes) -> list[tuple[int, bytes]]:
    """The elements that DER consists of, each as tag and content."""
    found, at = [], 0
    while at < len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length & 0x80:
            start, at = at, at + (length & 0x7F)
            length = int.from_bytes(der[start:at], "big")
        if at + length > len(der):
            raise ValueError("it is cut off")
        found.append((tag, der[at : at + length]))
        at += length
    return found


def _time(tag: int, value: bytes) -> datetime:
    text = value.decode("ascii")
    century = ("19" if text >= "5" else "20") if tag == UTC_TIME else ""
    return datetime.strptime(century + text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _distinguished_name(der: bytes) -> str:
    parts = []
    for _set, attributes in _elements(der):
        for _sequence, attribute in _elements(attributes):
            (_oid, key), (_string, value) = _elements(attribute)
            parts.append(f"{NAME_PARTS.get(key.hex(), key.hex())}={value.decode('utf-8', 'replace')}")
    return ", ".join(parts)


def _alternative_names(der: bytes) -> list[str]:
    [(_sequence, extensions)] = _elements(der)
    for _sequence, extension in _elements(extensions):
        (_oid, key), *_critical, (_octets, value) = _elements(extension)
        if key == SUBJECT_ALT_NAME:
            [(_sequence, names)] = _elements(value)
            return [
                name.decode("ascii") if tag == DNS_NAME else str(ipaddress.ip_address(name))
                for tag, name in _elements(names)
                if tag in (DNS_NAME, IP_ADDRESS)
            ]
    return []


def _certificate(der: bytes, where: str) -> Certificate:
    try:
        [(_sequence, certificate)] = _elements(der)
        fields = _elements(_elements(certificate)[0][1])
        if fields[0][0] == VERSION:
            del fields[0]
        serial, _algorithm, issuer, validity, subject = (content for _tag, content in fields[:5])
        not_before, not_after = _elements(validity)
        return Certificate(
            der=der,
            serial_number=(serial.lstrip(b"\0") or b"\0").hex().upper(),
            issuer=_distinguished_name(issuer),
            subject=_distinguished_name(subject),
            not_before=_time(*not_before),
            not_after=_time(*not_after),
            names=next((_alternative_names(content) for tag, content in fields if tag == EXTENSIONS), []),
        )
    except (ValueError, IndexError) as error:
        raise _damaged(where) from error


def _pem(params: dict[str, Any], kind: str = "") -> tuple[str, str]:
    """The text of an option, out of its file or its content, and where it is."""
    path = params[f"{kind}path"]
    text, where = params[f"{kind}content"], path or f"{kind}content"
    if path is not None:
        try:
            text = Path(path).read_text("utf-8", "replace")
        except OSError as error:
            raise CertificateError(
                f"Expected {kind}path to be a file that can be read, got {path}: {error.strerror}. "
                "Check the path, on the host that this runs on, and whether it needs become."
            ) from error
    if text.lstrip().startswith("$ANSIBLE_VAULT"):
        raise CertificateError(
            f"Expected PEM in {where}, got $ANSIBLE_VAULT: is it encrypted by ansible-vault? "
            "Bring it here with ansible.builtin.copy, which decrypts it."
        )
    return text, where


def _chain(text: str, where: str) -> list[bytes]:
    """The DER of each certificate in a text, one at least."""
    try:
        chain = [ssl.PEM_cert_to_DER_cert(pem) for pem in PEM.findall(text)]
    except ValueError as error:
        raise _damaged(where) from error
    if not chain:
        raise CertificateError(
            f"Expected a certificate in {where}, PEM with a line -----BEGIN CERTIFICATE-----, got none. "
            "Name the file that has it; from DER make PEM with: openssl x509 -inform DER -in FILE -out FILE.pem"
        )
    return chain


def _load(certificates: str, key: str, where: str) -> ssl.SSLContext | None:
    """A server with this certificate and this key, which is in `where`, or None if they are no pair."""
    if "PRIVATE KEY-----" not in key:
        raise CertificateError(
            f"Expected a private key in {where}, PEM with a line -----BEGIN PRIVATE KEY-----, got none. "
            "Name the file that has it."
        )

    def passphrase() -> str:
        raise CertificateError(
            f"Expected a private key without a passphrase in {where}, got one with it, and nobody is there to type it "
            "when a server starts. Take it off: openssl pkey -in FILE -out FILE.plain"
        )

    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.set_ciphers("DEFAULT:@SECLEVEL=0")  # whether a key is too weak is for the client to say
    files = []
    try:
        for text in (certificates, key):  # Python loads them from files only: these are on no disk
            files.append(os.memfd_create("certificate_info"))
            os.write(files[-1], text.encode())
        server.load_cert_chain(*(f"/proc/self/fd/{file}" for file in files), password=passphrase)
    except ssl.SSLError as error:
        if error.reason in ("KEY_VALUES_MISMATCH", "NO_CERTIFICATE_ASSIGNED"):  # of the same kind, of another kind
            return None
        raise
    finally:
        for file in files:
            os.close(file)
    return server


def _talk_in_memory(server: ssl.SSLContext, context: ssl.SSLContext, name: str | None) -> tuple[bytes, str]:
    """The leaf and the TLS version that a client gets from a server within this process."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(back, there, server_hostname=name)
    waiting = [client, server.wrap_bio(there, back, server_side=True)]
    while waiting:
        for side in list(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
    return client.getpeercert(binary_form=True), client.version()


def _talk(address: tuple[str, int], timeout: int, context: ssl.SSLContext, name: str | None) -> tuple[bytes, str]:
    """The leaf and the TLS version that a client gets from the server at an address."""
    with (
        socket.create_connection(address, timeout) as connection,
        context.wrap_socket(connection, server_hostname=name) as client,
    ):
        return client.getpeercert(binary_form=True), client.version()


def _lenient() -> ssl.SSLContext:
    """A client that takes any certificate, however weak."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


def _trusting(cas: bytes | None, flags: ssl.VerifyFlags = ssl.VerifyFlags.VERIFY_DEFAULT) -> ssl.SSLContext:
    """A client that trusts these CAs, or else the system's, and does not mind the name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= flags
    if cas is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(cadata=cas)
    return context


def _naming(cas: bytes | None, leaf: Certificate) -> ssl.SSLContext:
    """A client that minds the name, and trusts the leaf itself, so that nothing else keeps it from the name."""
    context = _trusting(cas, ssl.VERIFY_X509_PARTIAL_CHAIN)
    context.load_verify_locations(cadata=leaf.der)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.check_hostname = True
    context.hostname_checks_common_name = False
    return context


def _refusal(talk: Talk, context: ssl.SSLContext, name: str | None) -> ssl.SSLCertVerificationError | None:
    """Why this client refuses the certificate, or None if it does not."""
    try:
        talk(context, name)
    except ssl.SSLCertVerificationError as error:
        return error
    return None


def _is_host(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return HOST.fullmatch(value) is not None
    return True


def _top(chain: list[Certificate]) -> str:
    """The issuer at which a chain ends, as far as it is known."""
    issuers = {certificate.subject: certificate.issuer for certificate in chain}
    top = chain[0].issuer
    while issuers.get(top, top) != top:
        top = issuers.pop(top)
    return top


class Look:
    """One look at a certificate, of a server or of a pair of files."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.params = params
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.result: dict[str, Any] = {"problems": self.problems}
        self.host = params["host"]
        self.names = params["names"] if params["names"] is not None else [self.host] if self.host else []
        self._refuse_bad_options()
        self.cas, self.trusted = None, "what the system trusts"
        if params["ca_path"] is not None or params["ca_content"] is not None:
            text, self.trusted = _pem(params, "ca_")
            self.cas = b"".join(_chain(text, self.trusted))
            try:
                _trusting(self.cas)
            except (ssl.SSLError, ValueError) as error:  # the latter for one without a single byte
                raise _damaged(self.trusted) from error
        if self.host:
            self.where = f"{self.host}:{params['port']}"
            self.what = f"The certificate of {self.where}"
        else:
            self.where = params["path"] or "content"
            self.what = f"The certificate in {self.where}"

    def _refuse_bad_options(self) -> None:
        hosts = [("host", self.host), ("connect_to", self.params["connect_to"]), *(("names", it) for it in self.names)]
        for option, value in hosts:
            if value is not None and not _is_host(value):
                raise CertificateError(
                    f"Expected {option} to be a host name or an IP address, no URL, port or wildcard; got {value!a}. "
                    f"Type it like this: {option}: {'[pypi.example.com]' if option == 'names' else 'pypi.example.com'}"
                )
        for option, most in (("port", 65535), ("timeout", 3600)):
            if not 1 <= self.params[option] <= most:
                raise CertificateError(f"Expected {option} to be from 1 to {most}, got {self.params[option]}.")

    def __call__(self) -> None:
        if self.host:
            address = (self.params["connect_to"] or self.host, self.params["port"])
            talk = partial(_talk, address, self.params["timeout"])
            try:
                self._look_at_server(talk)
            except OSError as error:
                raise CertificateError(self._nothing_there(error, address)) from error
        else:
            try:
                self._look_at_files()
            except ssl.SSLError as error:
                raise CertificateError(
                    f"Expected a certificate and a private key that OpenSSL can use, got for {self.where}: {error}. "
                    "Copy both anew."
                ) from error

    def _look_at_server(self, talk: Talk) -> None:
        der, self.result["protocol"] = talk(_lenient(), self.host)
        leaf = _certificate(der, self.where)
        self._tell(leaf)
        self._judge(talk, [leaf])
        self.result["old_protocols"] = self._old_protocols(talk)

    def _look_at_files(self) -> None:
        text, _where = _pem(self.params)
        chain = [_certificate(der, self.where) for der in _chain(text, self.where)]
        self._tell(chain[0])
        key, where = _pem(self.params, "privatekey_")
        server = _load(text, key, where)
        if server is None:
            self.problems.append(
                f"The private key in {where} does not belong to the certificate in {self.where}, whose subject is "
                f"{chain[0].subject!r}. Bring the two together, or order a certificate for this key; whether clients "
                "would accept the rest shows once they belong together."
            )
        else:
            self._judge(partial(_talk_in_memory, server), chain)
        if self.params["privatekey_path"] is not None:
            mode = stat.S_IMODE(os.stat(where).st_mode)
            self.result["privatekey_mode"] = f"{mode:04o}"
            if mode & (stat.S_IRGRP | stat.S_IROTH):
                self.problems.append(
                    f"The private key in {where} has mode {mode:04o}, so others than its owner may read it. "
                    f"Type: chmod 0600 {where}"
                )

    def _tell(self, leaf: Certificate) -> None:
        """What the certificate says, and what its dates mean today."""
        now = datetime.now(UTC)
        lifetime, left = ((leaf.not_after - start).total_seconds() for start in (leaf.not_before, now))
        self.result.update(
            sha256=hashlib.sha256(leaf.der).hexdigest(),
            names=leaf.names,
            issuer=leaf.issuer,
            serial_number=leaf.serial_number,
            not_before=f"{leaf.not_before:%Y-%m-%dT%H:%M:%SZ}",
            not_after=f"{leaf.not_after:%Y-%m-%dT%H:%M:%SZ}",
            lifetime=int(lifetime),
            left=int(left),
            left_share=min(1.0, max(0.0, left / lifetime)) if lifetime > 0 else 0.0,
        )
        self.in_time = leaf.not_before <= now <= leaf.not_after
        if now > leaf.not_after:
            self.problems.append(f"{self.what} expired on {self.result['not_after']}. Renew it.")
        elif now < leaf.not_before:
            self.problems.append(
                f"{self.what} is not valid before {self.result['not_before']}, and now it is {now:%Y-%m-%dT%H:%M:%SZ}. "
                "Wait until then, or set the clock of this host."
            )

    def _judge(self, talk: Talk, chain: list[Certificate]) -> None:
        """Why clients refuse the certificate. OpenSSL tells the first reason only, so several clients ask."""
        first = _refusal(talk, _trusting(self.cas), self.host)
        refusals = {first.verify_code: first} if first else {}
        naming = _naming(self.cas, chain[0])
        for name in self.names:
            try:
                refusal = _refusal(talk, naming, name)
            except ssl.SSLError as error:  # a server that took another name before
                self.problems.append(
                    f"The server at {self.where} refuses a handshake for the name {name} ({error.reason or error}). "
                    "Add it to the names that the server is set up for."
                )
                continue
            if refusal and refusal.verify_code in OTHER_NAME:
                self.problems.append(
                    f"{self.what} does not cover {name}; it covers {', '.join(chain[0].names) or 'no name at all'}. "
                    f"Order one that covers {name} too, or let clients use a name that it covers."
                )
            elif refusal:
                refusals.setdefault(refusal.verify_code, refusal)
        for refusal in refusals.values():
            if refusal.verify_code not in DATES or self.in_time:
                sentence = REFUSALS.get(refusal.verify_code, OTHER_REFUSAL)
                self.problems.append(
                    sentence.format(
                        what=self.what,
                        trusted=self.trusted,
                        top=_top(chain),
                        message=refusal.verify_message,
                        code=refusal.verify_code,
                    )
                )
        if not first:
            strict = _refusal(talk, _trusting(self.cas, ssl.VERIFY_X509_STRICT), self.host)
            if strict:
                self.warnings.append(
                    f"{self.what} is accepted by Python up to 3.12, but clients with Python 3.13 or newer may refuse "
                    f"it (VERIFY_X509_STRICT): {strict.verify_message}. Have it, or the CA, issued anew without that."
                )

    def _old_protocols(self, talk: Talk) -> list[str] | None:
        """Which old protocols the server accepts. What this host cannot try is unknown, not refused."""
        accepted, unknown = [], []
        for protocol, version in OLD_PROTOCOLS.items():
            context = _lenient()
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)
                    context.minimum_version = context.maximum_version = version
                talk(context, self.host)
                accepted.append(protocol)
            except (OSError, ValueError) as error:
                reason = str(getattr(error, "reason", None))
                said_no = "ALERT" in reason or reason == "UNSUPPORTED_PROTOCOL"  # the latter: offered another one
                # One that ends without a word: the first of these to Python 3.11.2 (Debian 12), the next to newer ones.
                hung_up = isinstance(error, (ssl.SSLZeroReturnError, ssl.SSLEOFError, ConnectionResetError))
                if not said_no and not hung_up:
                    unknown.append(f"{protocol} ({error})")
        if unknown:
            self.warnings.append(
                f"Whether {self.where} accepts {' and '.join(unknown)} is not known: it could not be tried from this "
                "host. Look from another one."
            )
        return accepted if accepted or not unknown else None

    def _nothing_there(self, error: OSError, address: tuple[str, int]) -> str:
        """Why there is no certificate to look at."""
        at = f"{address[0]}:{address[1]}"
        if isinstance(error, ssl.SSLError):
            if "UNRECOGNIZED_NAME" in str(error.reason):
                return (
                    f"Expected the server at {at} to know the name {self.host}, but it refuses the handshake (alert "
                    "unrecognized_name). Check host, and the names that the server is set up for."
                )
            return (
                f"Expected TLS 1.2 or newer at {at}, got: {error.reason or error}. "
                "Check port, and that the server speaks TLS there."
            )
        if isinstance(error, socket.gaierror):
            return (
                f"Expected that {address[0]} resolves, got: {error.strerror}. "
                "Check host and the name servers of this host, or set connect_to."
            )
        if isinstance(error, TimeoutError):
            return (
                f"Expected an answer of {at} within {self.params['timeout']} s, got none. "
                "Check host, port and the way there, or raise timeout."
            )
        return f"Expected a TLS server at {at}, got: {error.strerror or error}. Start it, or check host and port."
