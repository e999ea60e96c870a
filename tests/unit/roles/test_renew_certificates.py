# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""renew-certificates, the real program, in front of a stand-in that repeats what certbot 5.8.0 was seen to say and do.

The real certbot and a real CA are in the molecule scenario tls; here is what takes hours, luck or a broken CA there.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tree import ROOT

PROGRAM = ROOT / "roles/certbot/files/renew-certificates"
NAME = "pypi.example.com"
BACKOFF = 0.04

# Repeats the next recording: makes what certbot made, says what it said. It notes when and how it was called.
CERTBOT = """
import json, os, sys, time
from pathlib import Path

place = Path(sys.argv[1])
script = json.loads((place / "script.json").read_text())
step, script[:] = script[0], script[1:]
(place / "script.json").write_text(json.dumps(script))
call = {"at": time.time(), "argv": sys.argv[2:], "bundle": os.environ.get("REQUESTS_CA_BUNDLE"), "pid": os.getpid()}
with (place / "calls").open("a") as calls:
    calls.write(json.dumps(call) + "\\n")
time.sleep(step["seconds"])
config, name = place / "config", step["name"] or sys.argv[sys.argv.index("--cert-name") + 1]
for account in ["accounts/acme.example.com/dir/1/regr.json"] * step["registers"]:
    (config / account).parent.mkdir(parents=True)
    (config / account).write_text("{}")
if step["issues"]:
    live, archive, conf = config / "live" / name, config / "archive" / name, config / "renewal" / f"{name}.conf"
    for directory in (live, archive, conf.parent):
        directory.mkdir(parents=True, exist_ok=True)
    version = len(list(archive.glob("cert*.pem"))) + 1
    for kind in ("cert", "chain", "fullchain", "privkey"):
        (archive / f"{kind}{version}.pem").write_text(f"{kind} {time.time()}")
        (live / f"{kind}.pem").unlink(missing_ok=True)
        (live / f"{kind}.pem").symlink_to(f"../../archive/{name}/{kind}{version}.pem")
    conf.write_text("version = 5.8.0")
for file, text in step["leaves"].items():
    (config / file).parent.mkdir(parents=True, exist_ok=True)
    (config / file).write_text(text)
print(step["stdout"])
print(step["stderr"], file=sys.stderr)
sys.exit(step["status"])
"""
# Takes into service by copying, as a proxy's own hook does, unless the test has forbidden it.
HOOK = """
import shutil, sys
from pathlib import Path

place, name, fullchain, key = Path(sys.argv[1]), *sys.argv[2:]
if (place / "hook-fails").exists():
    sys.exit("nginx: [emerg] key values mismatch")
assert Path(key).read_text().startswith("privkey")
served = place / f"served-{name}"
if not served.exists() or served.read_bytes() != Path(fullchain).read_bytes():
    shutil.copy(fullchain, served)
    print("changed", name)
"""

LOG = "Saving debug log to /srv/certbot/logs/letsencrypt.log\n"
ASK = (
    "Ask for help or search for solutions at https://community.letsencrypt.org. "
    "See the logfile /srv/certbot/logs/letsencrypt.log or re-run Certbot with -v for more details.\n"
)
TRACEBACK = """\
Traceback (most recent call last):
  File "/opt/certbot/bin/certbot", line 8, in <module>
    sys.exit(main())
             ~~~~^^
"""
ENDS = f"{LOG}Exiting abnormally:\n{TRACEBACK}"
KEPT = """\
Certificate not yet due for renewal

- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -
Certificate not yet due for renewal; no action taken.
- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -"""
UNKNOWN_ACCOUNT = "Account https://acme.example.com/my-account/1570ad1165d30a22 not found."
NO_ACCOUNT = "The request specified an account that does not exist"
NONCE = "JWS has an invalid anti-replay nonce: 1yh4f_p-Sh0uxUNGl5aHzg"
BAD_NONCE = "The client sent an unacceptable anti-replay nonce"
CHALLENGE = f"http://{NAME}:80/.well-known/acme-challenge/90c98c8LrMCmGMFdwAbmBOL3CkHsU8pnDkGony_vJRA"
POOL = "HTTPSConnectionPool(host='acme.example.com', port=14000)"
REGISTER = "Unable to register an account with ACME server."


def step(status=1, stdout="", stderr="", issues=False, **more):
    """One call of certbot."""
    rest = {"seconds": 0, "name": None, "registers": False, "leaves": {}}
    return {"status": status, "stdout": stdout, "stderr": stderr, "issues": issues, **rest, **more}


def issued(**more):
    return step(0, "Successfully received certificate.", LOG, issues=True, **more)


def kept(**more):
    return step(0, KEPT, LOG, **more)


def refused(kind, description, detail):
    """An answer of the CA that ends certbot."""
    said = f"acme.messages.Error: urn:ietf:params:acme:error:{kind} :: {description} :: {detail}\n"
    return step(stderr=f"{ENDS}{said}An unexpected error occurred:\n{detail}\n{ASK}")


def broken(text):
    """Any other exception."""
    return step(stderr=f"{ENDS}{text}\nAn unexpected error occurred:\n{text}\n{ASK}")


def error(text, before=""):
    """An error of certbot's own."""
    return step(stderr=f"{ENDS}{before}certbot.errors.Error: {text}\n{text}\n{ASK}")


def unregistered(kind, description, detail):
    """A refusal to make an account."""
    before = f"acme.messages.Error: urn:ietf:params:acme:error:{kind} :: {description} :: {detail}\n\n"
    before += f"During handling of the above exception, another exception occurred:\n\n{TRACEBACK}"
    return error(f"{REGISTER} Error returned by the ACME server: {detail}", before)


def invalid(*problems):
    """Validations that failed."""
    blocks = [f"  Identifier: {domain}\n  Type:   {kind}\n  Detail: {detail}\n" for domain, kind, detail in problems]
    said = "Certbot failed to authenticate some domains (authenticator: webroot). "
    said += "The Certificate Authority reported these problems:\n" + "\n".join(blocks)
    said += "\nHint: The Certificate Authority failed to download the temporary challenge files created by Certbot.\n"
    text = "Some challenges have failed."
    return step(stdout=said, stderr=f"{ENDS}certbot.errors.AuthorizationError: {text}\n{text}\n{ASK}")


def unreachable(domain=NAME):
    return invalid((domain, "connection", f'Get "{CHALLENGE}": dial tcp 192.0.2.1:80: connect: connection refused'))


class Lab:
    """A directory with certbot, a hook, settings, and the program in front of them."""

    def __init__(self, place: Path):
        self.place = place
        self.config = place / "config"
        self.config.mkdir()
        self.state = place / "renewal/state.json"
        (place / "certbot.py").write_text(CERTBOT)
        (place / "hook.py").write_text(HOOK)
        self.options("server = https://acme.example.com/dir\nemail = ops@example.com\n")
        self.settings = {
            "command": [sys.executable, str(place / "certbot.py"), str(place)],
            "environment": {"REQUESTS_CA_BUNDLE": "/etc/ssl/a bundle.pem"},
            "configuration": str(place / "cli.ini"),
            "config_directory": str(self.config),
            "state": str(self.state),
            "certificates": [{"name": NAME, "domains": [NAME]}],
            "hook": [sys.executable, str(place / "hook.py"), str(place)],
            "backoff": BACKOFF,
        }

    def options(self, text):
        (self.place / "cli.ini").write_text(text)

    def start(self, *steps, arguments=()):
        (self.place / "script.json").write_text(json.dumps(steps))
        (self.place / "calls").write_text("")
        (self.place / "settings.json").write_text(json.dumps(self.settings))
        command = [sys.executable, PROGRAM, self.place / "settings.json", *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *steps, arguments=(), status=0):
        """Run the program while certbot repeats these steps, all of them; return what it says."""
        stdout, stderr = (process := self.start(*steps, arguments=arguments)).communicate(timeout=60)
        assert process.returncode == status, stdout + stderr
        assert "Traceback" not in stderr, stderr
        assert len(self.calls) == len(steps), stdout + stderr
        return stdout, " ".join(stderr.split())

    @property
    def calls(self):
        return [json.loads(line) for line in (self.place / "calls").read_text().splitlines()]

    @property
    def validations(self):
        known = json.loads(self.state.read_text())["validations"]
        return {domain: [one["why"] for one in tries] for domain, tries in known.items()}

    def pass_time(self, seconds):
        """As if the last run had been so long ago."""
        known = json.loads(self.state.read_text())
        for tries in known["validations"].values():
            for one in tries:
                one["at"] -= seconds
        self.state.write_text(json.dumps(known))

    def wait_for_call(self):
        while not self.calls:
            time.sleep(0.01)
        return self.calls[0]["pid"]


@pytest.fixture
def lab(tmp_path):
    return Lab(tmp_path)


def alive(pid):
    """Whether the process runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_missing_certificate_is_issued_and_taken_into_service(lab):
    lab.settings["certificates"][0]["domains"] = [NAME, "*.Example.com", "192.0.2.1", "2001:db8::1"]
    stdout, stderr = lab.run(issued(registers=True))
    assert stdout == f"issued {NAME}\nchanged {NAME}\n"
    assert stderr == ""
    assert lab.calls[0]["argv"] == [
        "certonly", "-vv", "--config", str(lab.place / "cli.ini"), "--non-interactive", "--keep-until-expiring",
        "--renew-with-new-domains", "--cert-name", NAME, "--domain", NAME, "--domain", "*.Example.com",
        "--ip-address", "192.0.2.1", "--ip-address", "2001:db8::1",
    ]  # fmt: skip
    assert lab.calls[0]["bundle"] == "/etc/ssl/a bundle.pem"
    assert (lab.place / f"served-{NAME}").read_text().startswith("fullchain")
    assert lab.validations == {}


def test_certbot_says_what_is_due(lab):
    lab.run(issued())
    assert lab.run(kept())[0] == f"kept {NAME}\n"
    assert lab.run(issued())[0] == f"issued {NAME}\nchanged {NAME}\n"
    assert "--force-renewal" not in lab.calls[0]["argv"]


def test_force_renews_what_is_not_due(lab):
    lab.run(issued())
    lab.run(issued(), arguments=["--force"])
    assert lab.calls[0]["argv"][-1] == "--force-renewal"


def test_force_and_unless_settled_exclude_each_other(lab):
    stderr = lab.run(arguments=["--force", "--unless-settled"], status=2)[1]
    assert "not allowed with argument" in stderr


def test_what_is_settled_is_not_asked_about(lab):
    lab.run(issued(), arguments=["--unless-settled"])
    assert lab.run(arguments=["--unless-settled"])[0] == f"kept {NAME}\n"
    lab.run(kept())
    lab.run(arguments=["--unless-settled"])


@pytest.mark.parametrize("file", ["live/{}/privkey.pem", "archive/{}/fullchain1.pem", "renewal/{}.conf"])
def test_a_settled_request_whose_files_are_gone_is_asked_again(lab, file):
    lab.run(issued())
    (lab.config / file.format(NAME)).unlink()
    stdout, _stderr = lab.run(issued(), arguments=["--unless-settled"])
    assert f"issued {NAME}\n" in stdout


def test_a_changed_request_is_asked(lab):
    lab.run(issued())
    lab.settings["certificates"][0]["domains"] = [NAME, "www.example.com"]
    lab.run(issued(), arguments=["--unless-settled"])
    lab.options("server = https://acme.example.com/dir\nemail = else@example.com\n")
    lab.run(kept(), arguments=["--unless-settled"])
    assert "--force-renewal" not in lab.calls[0]["argv"]


def test_a_failed_run_settles_nothing(lab):
    lab.run(issued())
    lab.run(unreachable(), status=1)
    lab.run(kept(), arguments=["--unless-settled"])
    lab.run(arguments=["--unless-settled"])


@pytest.mark.parametrize(
    "options",
    ["server = https://other.example.com/dir", "server = https://acme.example.com/dir\nrequired_profile = short",
     "server = https://acme.example.com/dir\nelliptic-curve = secp384r1", "staging = true"],
)  # fmt: skip
def test_another_server_or_kind_forces_what_certbot_would_keep(lab, options):
    lab.run(issued())
    lab.options(options)
    lab.run(refused("caa", "Certification Authority Authorization", "CAA record prevents issuance"), status=1)
    assert lab.calls[0]["argv"][-1] == "--force-renewal"
    lab.run(issued(), arguments=["--unless-settled"])
    assert lab.calls[0]["argv"][-1] == "--force-renewal"
    lab.run(kept())
    assert lab.calls[0]["argv"][-1] != "--force-renewal"


def test_a_hook_that_failed_is_made_good(lab):
    (lab.place / "hook-fails").touch()
    stdout, stderr = lab.run(issued(), status=1)
    assert stdout == f"issued {NAME}\n"
    assert "could not be taken into service: nginx: [emerg] key values mismatch" in stderr
    assert "Mend that, then run again. The certificate in service stays." in stderr
    (lab.place / "hook-fails").unlink()
    assert lab.run(arguments=["--unless-settled"])[0] == f"kept {NAME}\nchanged {NAME}\n"


def test_a_hook_serves_what_is_there_when_the_ca_fails(lab):
    (lab.place / "hook-fails").touch()
    lab.run(issued(), status=1)
    (lab.place / "hook-fails").unlink()
    stdout, _stderr = lab.run(unreachable(), status=1)
    assert stdout == f"changed {NAME}\n"


def test_no_hook_is_needed(lab):
    lab.settings["hook"] = []
    assert lab.run(issued())[0] == f"issued {NAME}\n"


TRANSIENT = {
    "nonce": refused("badNonce", BAD_NONCE, NONCE),
    "nonce at registration": unregistered("badNonce", BAD_NONCE, NONCE),
    "refused": broken(
        f"requests.exceptions.ConnectionError: {POOL}: Max retries exceeded with url: /dir (Caused by "
        "NewConnectionError(\"HTTPSConnection(host='acme.example.com', port=14000): Failed to establish a new "
        'connection: [Errno 111] Connection refused"))'
    ),
    "reset": broken(
        "requests.exceptions.ConnectionError: ('Connection aborted.', ConnectionResetError(104, 'Connection reset by "
        "peer'))"
    ),
    "resolver not up yet": broken(
        f"requests.exceptions.ConnectionError: {POOL}: Max retries exceeded with url: /dir (Caused by "
        "NameResolutionError(\"HTTPSConnection(host='acme.example.com', port=14000): Failed to resolve "
        "'acme.example.com' ([Errno -3] Temporary failure in name resolution)\"))"
    ),
    "timeout": broken(f"requests.exceptions.ReadTimeout: {POOL}: Read timed out. (read timeout=45)"),
    "internal": refused("serverInternal", "The server experienced an internal error", "Error creating new order"),
    "maintenance": broken(
        "acme.messages.Error: urn:acme:error:serverInternal :: The service is down for maintenance or had an internal "
        "error. Check https://letsencrypt.status.io/ for more details."
    ),
    "gateway": broken("acme.errors.ClientError: <Response [502]>"),
    "order not ready": refused(
        "orderNotReady",
        "The request attempted to finalize an order that is not ready to be finalized",
        'Order\'s status ("pending") is not acceptable for finalization',
    ),
    "certbot's own lock": step(stderr=f"Another instance of Certbot is already running.\n{ASK}"),
}


@pytest.mark.parametrize("case", TRANSIENT)
def test_what_passes_is_tried_again_and_not_counted(lab, case):
    stdout, stderr = lab.run(TRANSIENT[case], TRANSIENT[case], issued())
    assert stdout == f"issued {NAME}\nchanged {NAME}\n"
    assert stderr == ""
    assert lab.validations == {}


def test_five_attempts_are_made_with_longer_and_longer_pauses(lab):
    stdout, stderr = lab.run(*[TRANSIENT["nonce"]] * 5, status=1)
    assert stdout == ""
    assert f"{NAME}: No certificate (5 attempts): {NONCE} (badNonce) The CA lost count, again and again." in stderr
    assert "Run again later. There is no certificate of that name yet." in stderr
    times = [call["at"] for call in lab.calls]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert all(pause >= BACKOFF * 2**number for number, pause in enumerate(pauses)), pauses


PERMANENT = {
    "blocked": (
        refused("rejectedIdentifier", "The server will not issue certificates for the identifier",
                'Order included an identifier for which issuance is forbidden by policy: "blocked.example.com"'),
        'forbidden by policy: "blocked.example.com" (rejectedIdentifier) The CA does not issue for what was asked.',
    ),
    "malformed": (
        refused("malformed", "The request message was malformed",
                "Order included DNS identifier with a value containing an illegal character: '_'"),
        "illegal character: '_' (malformed) The CA does not issue for what was asked.",
    ),
    "caa": (
        refused("caa", "Certification Authority Authorization (CAA) records forbid the CA from issuing a certificate",
                "CAA record for pypi.example.com prevents issuance"),
        "CAA record for pypi.example.com prevents issuance (caa) The domain's CAA records name other CAs.",
    ),
    "rate limit": (
        refused("rateLimited", "There were too many requests of a given type",
                "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, "
                "retry after 2026-11-21 09:12:33 UTC"),
        "retry after 2026-11-21 09:12:33 UTC (rateLimited) That is a limit of the CA; asking again sooner only",
    ),
    "rate limit of registrations": (
        unregistered("rateLimited", "There were too many requests of a given type",
                     "too many new registrations (10) from this IP address in the last 3h0m0s"),
        "(10) from this IP address in the last 3h0m0s (rateLimited) That is a limit of the CA",
    ),
    "no EAB": (
        error(f"{REGISTER} Server requires external account binding. Please use --eab-kid and --eab-hmac-key."),
        "Please use --eab-kid and --eab-hmac-key. This CA makes accounts only for those who know a key id",
    ),
    "wrong EAB kid": (
        unregistered("unauthorized", "The client lacks sufficient authorization",
                     "the field 'kid' references a key that is not known to the ACME server"),
        "'kid' references a key that is not known to the ACME server (unauthorized) This CA makes accounts only",
    ),
    "wrong EAB key": (
        unregistered("unauthorized", "The client lacks sufficient authorization",
                     "external account binding JWS verification error: go-jose/go-jose: error in cryptographic "
                     "primitive"),
        "error in cryptographic primitive (unauthorized) This CA makes accounts only for those who know a key id",
    ),
    "EAB key that is no base64": (
        broken("binascii.Error: Invalid base64-encoded string: number of data characters (9) cannot be 1 more than a "
               "multiple of 4"),
        "Set eab-kid and eab-hmac-key to what the CA gave you, the key as base64url",
    ),
    "contact": (
        unregistered("invalidContact", "The provided contact URI was invalid", "contact email has invalid domain"),
        "contact email has invalid domain (invalidContact) Set email to an address that the CA accepts",
    ),
    "deactivated account": (
        refused("unauthorized", "The client lacks sufficient authorization",
                'Account is not valid, has status "deactivated"'),
        "If it was deactivated, move its directory away from accounts",
    ),
    "profile": (
        refused("invalidProfile", "", 'profile "short" not found'),
        'profile "short" not found (invalidProfile) This CA has no profile of that name.',
    ),
    "untrusted": (
        broken(f"requests.exceptions.SSLError: {POOL}: Max retries exceeded with url: /dir (Caused by "
               "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
               "unable to get local issuer certificate (_ssl.c:1029)')))"),
        "The HTTPS of the CA's own server is not trusted. Add the CA certificate behind it to the bundle",
    ),
    "no such server": (
        broken(f"requests.exceptions.ConnectionError: {POOL}: Max retries exceeded with url: /dir (Caused by "
               "NameResolutionError(\"HTTPSConnection(host='nowhere.example.com', port=14000): Failed to resolve "
               "'nowhere.example.com' ([Errno -2] Name or service not known)\"))"),
        "The name of the CA's server has no address here.",
    ),
    "wildcard over http": (
        error("Client with the currently selected authenticator does not support any combination of challenges that "
              "will satisfy the CA."),
        "a wildcard needs a DNS plugin",
    ),
    "test certificate over a real one": (
        error("You've asked to renew/replace a seemingly valid certificate with a test certificate (domains: "
              "pypi.example.com). We will not do that\nunless you use the --break-my-certs flag!"),
        "No certificate: You've asked to renew/replace a seemingly valid certificate with a test certificate (domains: "
        "pypi.example.com). We will not do that unless you use the --break-my-certs flag! A certificate that clients "
        "trust is not replaced",
    ),
    "unknown": (
        error("The requested nginx plugin does not appear to be installed"),
        "No certificate: The requested nginx plugin does not appear to be installed certbot's log says more: "
        "/srv/certbot/logs/letsencrypt.log. Mend what it names",
    ),
    "wrong option": (
        step(2, stderr="usage: \n  certbot [SUBCOMMAND] [options] [-d DOMAIN] [-d DOMAIN] ...\n\n"
                       "certbot: error: unrecognized arguments: --no-such-option=1"),
        "certbot: error: unrecognized arguments: --no-such-option=1 certbot's log says more: there is none.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PERMANENT)
def test_what_does_not_pass_is_asked_once_and_explained(lab, case):
    recording, sentence = PERMANENT[case]
    stdout, stderr = lab.run(recording, status=1)
    assert stdout == ""
    assert stderr.startswith(f"{NAME}: No certificate: ")
    assert sentence in stderr
    assert stderr.endswith("There is no certificate of that name yet.")
    assert lab.validations == {}


def test_an_earlier_refusal_that_was_overcome_is_not_taken_for_the_end(lab):
    recording = broken("requests.exceptions.SSLError: CERTIFICATE_VERIFY_FAILED")
    recording["stderr"] = f"acme.messages.Error: urn:ietf:params:acme:error:badNonce :: a :: b\n{recording['stderr']}"
    assert "(badNonce)" not in lab.run(recording, status=1)[1]


VALIDATIONS = {
    "refused": ("connection", f'Get "{CHALLENGE}": dial tcp 172.31.77.10:80: connect: connection refused',
                "The CA does not reach port 80"),
    "no address": ("connection", f'Get "{CHALLENGE}": could not resolve URL "{CHALLENGE}"', "The CA finds no address"),
    "no address at Let's Encrypt": ("dns", "DNS problem: NXDOMAIN looking up A for pypi.example.com",
                                    "The CA finds no address"),
    "not found": ("unauthorized", f"Non-200 status code from HTTP: {CHALLENGE} returned 404",
                  "Something answers on port 80 of that address, but not with the file"),
    "no record": ("unauthorized", "No TXT records found for DNS challenge", "The CA does not see the TXT record yet"),
}  # fmt: skip


@pytest.mark.parametrize("case", VALIDATIONS)
def test_a_failed_validation_is_told_in_the_cas_words_and_counted(lab, case):
    kind, detail, advice = VALIDATIONS[case]
    stdout, stderr = lab.run(invalid((NAME, kind, detail)), status=1)
    assert stdout == ""
    assert stderr.startswith(f"{NAME}: The CA could not validate {NAME}: {detail} ({kind}). {advice}")
    assert lab.validations == {NAME: [f"{detail} ({kind})."]}


def test_four_failed_validations_an_hour_are_enough(lab):
    lab.settings["certificates"][0]["domains"] = [NAME.upper(), "fine.example.com", "192.0.2.1"]
    for _turn in range(4):
        lab.run(unreachable(), status=1)
        lab.pass_time(600)
    assert [(domain, len(tries)) for domain, tries in lab.validations.items()] == [(NAME, 4)]
    for arguments in ([], ["--force"], ["--unless-settled"]):
        stderr = lab.run(status=1, arguments=arguments)[1]
        assert f"{NAME}: {NAME} has failed validation 4 times within the last hour" in stderr
        assert "connect: connection refused (connection). Mend that; the next attempt is possible at " in stderr
        assert " UTC, in 20 minutes. There is no certificate of that name yet." in stderr
    lab.pass_time(1201)
    lab.run(issued())


def test_the_count_holds_over_certificates(lab):
    lab.run(*[unreachable()], status=1)
    lab.settings["certificates"] = [{"name": f"c{number}", "domains": [f"*.{NAME}"]} for number in range(4)]
    stderr = lab.run(*[unreachable()] * 3, status=1)[1]
    assert f"c3: {NAME} has failed validation 4 times" in stderr


def test_a_failure_of_nobody_in_particular_counts_for_all(lab):
    lab.settings["certificates"][0]["domains"] = ["a.example.com", "b.example.com"]
    lab.run(unreachable("c.example.com"), status=1)
    assert [len(tries) for tries in lab.validations.values()] == [1, 1]


def test_a_clock_that_was_set_back_does_not_stretch_the_hour(lab):
    for _turn in range(4):
        lab.run(unreachable(), status=1)
    lab.pass_time(-86400)
    assert "in 60 minutes" in lab.run(status=1)[1]
    lab.pass_time(600)
    assert "in 50 minutes" in lab.run(status=1)[1]


def test_a_killed_run_counts(lab):
    process = lab.start(issued(seconds=60))
    certbot = lab.wait_for_call()
    process.kill()
    process.communicate()
    assert lab.validations == {NAME: ["The run was interrupted."]}
    # What outlives its caller keeps the lock, so that nobody works beside it.
    lab.settings["wait"] = 0
    assert "has not ended within 0 seconds" in lab.run(status=1)[1]
    os.kill(certbot, signal.SIGKILL)
    while alive(certbot):
        time.sleep(0.01)
    lab.run(issued())
    assert lab.validations == {NAME: ["The run was interrupted."]}


def test_a_killed_certbot_counts(lab):
    process = lab.start(issued(seconds=60))
    os.kill(lab.wait_for_call(), signal.SIGKILL)
    _stdout, stderr = process.communicate(timeout=10)
    assert process.returncode == 1
    assert f"{NAME}: No certificate: it ended with -9 and said nothing" in stderr
    assert lab.validations == {NAME: ["The run was interrupted."]}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_certbot_too(lab, number):
    process = lab.start(issued(seconds=60))
    certbot = lab.wait_for_call()
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=10)
    assert (process.returncode, stdout) == (128 + number, "")
    assert stderr.startswith(f"Stopped by {number.name}. What was asked may be unfinished; the next run sees to it.")
    assert not alive(certbot)
    assert lab.validations == {NAME: ["The run was interrupted."]}
    assert lab.run(issued())[0] == f"issued {NAME}\nchanged {NAME}\n"


def test_a_second_run_waits_for_the_first(lab):
    first = lab.start(issued(seconds=1))
    lab.wait_for_call()
    second = lab.start(kept())
    assert second.communicate(timeout=30)[0] == f"kept {NAME}\n"
    assert first.communicate(timeout=1)[0] == f"issued {NAME}\nchanged {NAME}\n"


def test_a_second_run_does_not_wait_for_ever(lab):
    first = lab.start(issued(seconds=60))
    lab.wait_for_call()
    lab.settings["wait"] = 0.2
    stderr = " ".join(lab.start().communicate(timeout=30)[1].split())
    assert f"has not ended within 0.2 seconds: process {first.pid}. Nothing was asked and nothing changed." in stderr
    first.terminate()
    first.communicate(timeout=10)


def test_one_failure_does_not_stop_the_others(lab):
    names = ["a.example.com", "b.example.com", "c.example.com"]
    lab.settings["certificates"] = [{"name": name, "domains": [name]} for name in names]
    stdout, stderr = lab.run(issued(), unreachable("b.example.com"), issued(), status=1)
    assert stdout.splitlines() == [
        "issued a.example.com", "changed a.example.com", "issued c.example.com", "changed c.example.com"
    ]  # fmt: skip
    assert stderr.startswith("b.example.com: The CA could not validate b.example.com: ")
    lab.run(issued(), arguments=["--unless-settled"])
    assert lab.calls[0]["argv"][-1] == "b.example.com"


def test_the_state_is_replaced_in_one_step_and_private(lab):
    lab.run(issued())
    before = lab.state.read_bytes()
    os.link(lab.state, lab.place / "before")
    lab.run(unreachable(), status=1)
    assert (lab.place / "before").read_bytes() == before
    assert lab.state.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(lab.state.parent)) == ["state.json", "state.json.lock"]


def test_a_state_of_somebody_else_is_refused(lab):
    lab.run(issued())
    lab.state.write_text('{"certif')
    stderr = lab.run(status=1)[1]
    assert f"{lab.state}: expected this program's own JSON, got something else" in stderr
    assert "Remove the file and run again" in stderr


def test_an_account_that_the_ca_forgot_is_set_aside_once(lab):
    lab.run(issued(registers=True))
    unknown = refused("accountDoesNotExist", NO_ACCOUNT, UNKNOWN_ACCOUNT)
    lab.settings["certificates"].append({"name": "b", "domains": ["b.example.com"]})
    stdout, _stderr = lab.run(unknown, issued(registers=True), issued())
    first, *rest = stdout.splitlines()
    (place,) = (lab.config / "set-aside").iterdir()
    assert first == f"set aside {place}: an account that the CA does not know: {UNKNOWN_ACCOUNT}"
    assert rest == [f"issued {NAME}", f"changed {NAME}", "issued b", "changed b"]
    assert (place / "accounts/acme.example.com/dir/1/regr.json").is_file()
    assert (lab.config / "accounts/acme.example.com/dir/1/regr.json").is_file()


def test_an_account_that_the_ca_forgets_again_is_a_failure(lab):
    lab.run(issued(registers=True))
    unknown = refused("accountDoesNotExist", NO_ACCOUNT, UNKNOWN_ACCOUNT)
    stderr = lab.run(unknown, unknown | {"registers": True}, status=1)[1]
    assert f"No certificate: {UNKNOWN_ACCOUNT} (accountDoesNotExist) The CA does not know the account that it" in stderr
    assert stderr.endswith("The certificate in service stays.")


def test_nothing_is_asked_while_the_disk_is_full(lab):
    lab.settings["config_directory"] = "/proc/certbot"  # a file system that is always full
    stderr = lab.run(status=1)[1]
    assert "Expected 4096 KiB to be free where certbot keeps its files, got 0 KiB. The CA was not asked." in stderr
    assert "Make room on the file system of /proc/certbot, then run again." in stderr


def test_a_disk_that_fills_up_is_told_and_what_was_half_made_set_aside(lab):
    full = broken("OSError: [Errno 28] No space left on device")
    full["leaves"] = {f"renewal/{NAME}.conf": "", f"archive/{NAME}/cert1.pem": "", f"live/{NAME}/README": ""}
    stdout, stderr = lab.run(full, status=1)
    (place,) = (lab.config / "set-aside").iterdir()
    assert stdout == f"set aside {place}: what an interrupted run left half made\n"
    assert f"certbot ran out of disk space. Make room on the file system of {lab.config}, then run again." in stderr
    assert sorted(os.listdir(place)) == ["archive", "live", "renewal"]
    assert lab.run(issued())[0] == f"issued {NAME}\nchanged {NAME}\n"


def test_what_a_killed_first_run_left_is_set_aside(lab):
    leaves = {f"renewal/{NAME}.conf": "", f"archive/{NAME}/cert1.pem": "cert", f"live/{NAME}/cert.pem": "cert"}
    lab.run(step(137, leaves=leaves), status=1)
    stdout, _stderr = lab.run(issued())
    assert stdout.startswith("set aside ")
    assert stdout.endswith(f"issued {NAME}\nchanged {NAME}\n")


def test_what_an_interrupted_renewal_left_is_set_aside(lab):
    lab.run(issued())
    lab.run(step(137, leaves={f"archive/{NAME}/{kind}2.pem": "" for kind in ("cert", "fullchain")}), status=1)
    stdout, _stderr = lab.run(kept())
    assert stdout.startswith("set aside ")
    assert stdout.endswith(f"kept {NAME}\n")
    assert sorted(os.listdir(lab.config / f"archive/{NAME}")) == [
        "cert1.pem", "chain1.pem", "fullchain1.pem", "privkey1.pem"
    ]  # fmt: skip


def test_a_success_that_left_nothing_is_a_failure(lab):
    stderr = lab.run(issued(name=f"{NAME}-0001"), status=1)[1]
    assert f"certbot says that all is well, but what it keeps for {NAME} in {lab.config} is not whole." in stderr


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("command", [], "command to be a list of strings, not empty, got []"),
        ("command", "certbot", "command to be a list of strings, not empty, got 'certbot'"),
        ("environment", {"A": 1}, "environment to be an object of strings, got {'A': 1}"),
        ("configuration", "cli.ini", "configuration to be an absolute path, got 'cli.ini'"),
        ("state", None, "state to be an absolute path, got None"),
        ("hook", [1], "hook to be a list of strings, got [1]"),
        ("wait", -1, "wait to be a number of seconds, got -1"),
        ("backoff", "1", "backoff to be a number of seconds, got '1'"),
        ("certificates", {}, "certificates to be a list, got {}"),
        ("certificates", [{"name": "a"}], "certificates[0] to be an object with name and domains, got {'name': 'a'}"),
        ("certificates", [{"name": "../a", "domains": ["a"]}], "certificates[0].name to be letters, digits and . _ -"),
        (
            "certificates",
            [{"name": "a", "domains": ["--staging"]}],
            "certificates[0].domains to be a list of DNS names",
        ),
        ("certificates", [{"name": "a", "domains": []}], "certificates[0].domains to be a list of DNS names"),
        ("certificates", [{"name": "a", "domains": ["a"]}] * 2, "the names of certificates to be different"),
        ("comand", ["certbot"], "its keys to be backoff, certificates, command,"),
    ],
)
def test_wrong_settings_are_refused(lab, key, value, expected):
    lab.settings[key] = value
    stderr = lab.run(status=2)[1]
    assert stderr.startswith(f"{lab.place / 'settings.json'}: expected {expected}")
    assert stderr.endswith("Run the play that writes it.")
    assert not lab.state.exists()


def test_settings_that_are_no_json_are_refused(lab):
    lab.place.joinpath("other.json").write_text("{")
    for name, reason in (("other.json", "Expecting property name"), ("none.json", "No such file or directory")):
        done = subprocess.run([sys.executable, PROGRAM, lab.place / name], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert f"{name}: expected a file with JSON, got: " in done.stderr
        assert reason in done.stderr


def test_a_command_that_is_not_there_is_told(lab):
    lab.settings["command"] = ["/opt/nothing/certbot"]
    stderr = lab.run(status=1)[1]
    assert f"{NAME}: /opt/nothing/certbot cannot be run: " in stderr
    assert "Install it or correct the settings." in stderr


def test_a_configuration_that_is_not_there_is_told(lab):
    (lab.place / "cli.ini").unlink()
    assert "certbot's configuration cannot be read: " in lab.run(status=1)[1]
