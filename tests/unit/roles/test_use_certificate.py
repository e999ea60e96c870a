# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""use-certificate, the real program, in front of a real TLS server that reads its certificate when nginx would.

Whatever fails, the certificate in service goes on being served, and the next run heals. The real nginx is in the
molecule scenario tls.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest
from authority import Authority, Listener
from tree import ROOT

PROGRAM = ROOT / "roles/nginx_proxy/files/use-certificate"
NAME = "pypi.example.com"
SHORT = 0.3

# The commands of nginx: they note that they were called, and refuse when they are to.
COMMAND = 'echo "$1" >>"$0/calls"; [ ! -e "$0/$1-refuses" ] || { cat "$0/$1-refuses" >&2; exit 1; }'
RELOAD = f'{COMMAND}; touch "$0/reload"'
# As `nginx -t` does, which loads every certificate.
STRICT_TEST = "import ssl, sys; ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(sys.argv[1])"

# Loaded by the program's Python before the program: kills it at the step that the environment counts down to.
KILLER = """
import os, signal, sys

STEPS = {"open", "os.chown", "os.link", "os.rename", "os.remove", "subprocess.Popen"}
left = int(os.environ["STEPS"])


def step(event, args):
    global left
    writes = event != "open" or isinstance(args[2], int) and args[2] & os.O_CREAT
    if event in STEPS and writes:
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1


sys.addaudithook(step)
"""
# Notes how much of a file the disk has been asked to keep, whom files are given to, and when one replaces another.
WITNESS = """
import os, sys

fsync = os.fsync


def witnessed(number):
    print("fsync", os.fstat(number).st_size, file=sys.stderr)
    fsync(number)


def witness(event, args):
    if event in ("os.chown", "os.rename"):
        print(event, *args[1:3], file=sys.stderr)


os.fsync = witnessed
sys.addaudithook(witness)
"""


class Proxy:
    """nginx as the program knows it: reads the file when it starts, and again after it was told to, never else."""

    def __init__(self, place, name=NAME):
        self.place, self.name = place, name
        self.directory = place / "certificates"
        self.directory.mkdir()
        self.file, self.before = self.directory / f"{name}.pem", self.directory / f"{name}.before"
        self.asked_for = []
        self.lag = 0  # how many connections are still answered as before when a reload has begun
        self.says = {}  # settings other than usual
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._running = ExitStack()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_error):
        self.stop()

    def start(self):
        self._load()
        self._port = self._running.enter_context(Listener(self._answer)).port

    def stop(self):
        self._running.close()

    def _load(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file)
        context.sni_callback = lambda _connection, name, _context: self.asked_for.append(name)
        self._context, self.loaded = context, self.file.read_bytes()

    def _answer(self, connection):
        told = self.place / "reload"
        if told.exists() and self.lag:
            self.lag -= 1
        elif told.exists():
            told.unlink()
            self._load()
        with self._context.wrap_socket(connection, server_side=True) as client:
            client.recv(1)  # until the client goes

    def served(self):
        return ssl.get_server_certificate(("127.0.0.1", self._port))

    def serves(self, pair):
        """Whether a client sees it, and nginx has all of it."""
        return (self.served(), self.loaded) == (leaf(pair), content(pair))

    def refuse(self, command, why):
        (self.place / f"{command}-refuses").write_bytes(why)

    def accept(self, command):
        (self.place / f"{command}-refuses").unlink()

    def calls(self):
        """The commands that were called since this was asked last."""
        calls = self.place / "calls"
        names = calls.read_text().split() if calls.exists() else []
        calls.unlink(missing_ok=True)
        return names

    def kept(self):
        return {path.name: path.read_bytes() for path in self.directory.iterdir()}

    def run(self, *words, **options):
        settings = self.place / "settings.json"
        usual = {
            "directory": str(self.directory),
            "uid": os.getuid(),
            "address": "127.0.0.1",
            "port": self._port,
            "test": ["sh", "-c", COMMAND, str(self.place), "test"],
            "reload": ["sh", "-c", RELOAD, str(self.place), "reload"],
        }
        settings.write_text(json.dumps(usual | self.says))
        command = [sys.executable, PROGRAM, settings, self.name, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, **options)

    def use(self, pair, *words, **options):
        return self.run(pair.path, pair.key, *words, **options)

    @contextmanager
    def stays(self, loaded, kept=None):
        """What is served stays, and what is in the directory, unless it is said what has to be."""
        kept = kept or self.kept()
        assert self.serves(loaded)
        yield
        assert self.serves(loaded)
        assert self.kept() == kept


def leaf(pair):
    return pair.pem[: pair.pem.index("-----END")] + "-----END CERTIFICATE-----\n"


def content(pair):
    return f"{pair.pem.strip()}\n{pair.key.read_text().strip()}\n".encode()


def changed(done, name=NAME):
    assert (done.returncode, done.stdout, done.stderr) == (0, f"changed {name}\n", "")


def nothing_to_do(done):
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def fails(done, *words, name=NAME):
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert done.stderr.startswith(f"{name}: ")
    assert done.stderr.count("\n") == 1, done.stderr
    for word in words:
        assert word in done.stderr


@pytest.fixture(scope="session")
def pairs(tmp_path_factory):
    """Three for the same name, each with the intermediate CA behind it."""
    authority = Authority(tmp_path_factory.mktemp("authority"))
    ca = authority.issue_ca("/CN=Intermediate", authority.issue_ca("/CN=Root"))
    return [authority.issue("/CN=leaf", ca, f"DNS:{NAME}").with_chain() for _turn in range(3)]


@pytest.fixture
def old(pairs):
    return pairs[0]


@pytest.fixture
def new(pairs):
    return pairs[1]


@pytest.fixture
def newest(pairs):
    return pairs[2]


@pytest.fixture
def proxy(tmp_path):
    """One that has no certificate yet, and so does not run."""
    proxy = Proxy(tmp_path)
    yield proxy
    proxy.stop()


@pytest.fixture
def running(proxy, old):
    """One that serves the old certificate."""
    proxy.file.write_bytes(content(old))
    proxy.file.chmod(0o600)
    proxy.start()
    return proxy


@pytest.fixture
def patched(tmp_path):
    """The environment of a Python that runs this code first."""

    def patched(code, **more):
        place = tmp_path / "patch"
        place.mkdir(exist_ok=True)
        (place / "sitecustomize.py").write_text(code)
        return os.environ | {"PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"} | more

    return patched


# All is well


def test_the_first_installation(proxy, old):
    changed(proxy.use(old, "--install-only"))
    assert proxy.kept() == {f"{NAME}.pem": content(old)}
    assert proxy.file.stat().st_mode & 0o7777 == 0o600
    assert proxy.file.stat().st_uid == os.getuid()
    assert content(old).index(b"-----BEGIN CERTIFICATE-----") < content(old).index(b"-----BEGIN PRIVATE KEY-----")

    proxy.start()
    assert proxy.serves(old)
    nothing_to_do(proxy.run())
    assert proxy.calls() == []


def test_an_unchanged_certificate_is_left_alone(running, old):
    made = running.file.stat()
    with running.stays(old):
        for words in ([], ["--install-only"]):
            nothing_to_do(running.use(old, *words))
        nothing_to_do(running.run())
    assert running.file.stat() == made
    assert running.calls() == []


def test_a_replaced_certificate_is_served(running, new):
    changed(running.use(new))
    assert running.serves(new)
    assert running.kept() == {f"{NAME}.pem": content(new)}
    assert running.file.stat().st_mode & 0o7777 == 0o600
    assert running.calls() == ["test", "reload"]
    assert running.asked_for[0] == NAME
    nothing_to_do(running.use(new))


def test_a_reload_that_takes_a_while_is_waited_for(running, new):
    running.lag = 3
    changed(running.use(new))
    assert running.lag == 0
    assert running.serves(new)


def test_other_issuers_behind_the_same_certificate_are_loaded_too(running, old, tmp_path):
    """A client that only looks at the certificate sees no difference."""
    alone = tmp_path / "alone.pem"
    alone.write_text(leaf(old))
    changed(running.run(alone, old.key))
    assert running.calls() == ["test", "reload"]
    assert running.served() == leaf(old)
    assert running.loaded == running.file.read_bytes() == (leaf(old) + old.key.read_text()).encode()
    assert list(running.kept()) == [f"{NAME}.pem"]


def test_text_around_a_certificate_does_not_matter(running, new, tmp_path):
    chain = tmp_path / "chain.pem"
    chain.write_bytes("größer als ASCII\n".encode("latin-1") + new.pem.encode() + b"\n\n")
    changed(running.run(chain, new.key))
    assert running.served() == leaf(new)


@pytest.mark.parametrize("address", ["127.0.0.1", "2001:db8::1"])
def test_an_address_as_name(address, tmp_path, old, new):
    """nginx is asked without a name, as clients of an address do."""
    proxy = Proxy(tmp_path, address)
    changed(proxy.use(old, "--install-only"), address)
    with proxy:
        changed(proxy.use(new), address)
        assert proxy.serves(new)
        assert list(proxy.kept()) == [f"{address}.pem"]
        assert proxy.calls() == ["test", "reload"]
        assert set(proxy.asked_for) == {None}


def test_a_file_that_was_lost_is_put_back(running, old):
    running.file.unlink()
    changed(running.use(old))
    assert running.kept() == {f"{NAME}.pem": content(old)}
    assert running.calls() == []
    assert running.serves(old)


def test_a_file_is_whole_before_it_replaces_another(running, new, patched):
    """On the disk to the last byte, and its owner's."""
    done = running.use(new, env=patched(WITNESS))
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        f"fsync {len(content(new))}",
        f"os.chown {os.getuid()} {os.getuid()}",
        f"os.rename {running.file} -1",
    ]


# nginx refuses


def test_nginx_does_not_accept_its_configuration(running, old, new):
    running.refuse("test", b"nginx: [emerg] nonsense\nin \xe4")
    with running.stays(old):
        fails(running.use(new), "nginx does not accept its configuration", "nginx: [emerg] nonsense in \ufffd. Mend")
        assert running.calls() == ["test"]
        nothing_to_do(running.run())
        fails(running.use(new), "nginx: [emerg] nonsense")
    running.accept("test")
    changed(running.use(new))
    assert running.serves(new)
    assert running.kept() == {f"{NAME}.pem": content(new)}


def test_nginx_does_not_accept_a_key_of_another_certificate(running, old, new):
    running.says["test"] = [sys.executable, "-c", STRICT_TEST, str(running.file)]
    with running.stays(old):
        fails(running.run(new.path, old.key), "nginx does not accept its configuration", "KEY_VALUES_MISMATCH")
    changed(running.use(new))
    assert running.serves(new)


def test_nginx_does_not_accept_its_configuration_at_the_first_installation(proxy, old):
    proxy.refuse("test", b"nginx: [emerg] nonsense")
    for _turn in range(2):
        fails(proxy.use(old), "nginx does not accept its configuration", "nginx: [emerg] nonsense")
        assert proxy.kept() == {f"{NAME}.pem": content(old)}
        assert proxy.calls() == ["test"]
    proxy.accept("test")
    proxy.start()
    nothing_to_do(proxy.use(old))
    assert proxy.serves(old)


@pytest.mark.parametrize("sources", [True, False])
def test_installed_and_never_reloaded(sources, running, old, new):
    """As after a run that was killed in between."""
    changed(running.use(new, "--install-only"))
    assert running.calls() == []
    assert running.serves(old)
    assert running.kept() == {f"{NAME}.pem": content(new), f"{NAME}.before": content(old)}
    nothing_to_do(running.use(new, "--install-only"))
    changed(running.use(new) if sources else running.run())
    assert running.calls() == ["test", "reload"]
    assert running.serves(new)
    assert running.kept() == {f"{NAME}.pem": content(new)}


def test_installed_never_reloaded_and_then_refused(running, old, new):
    changed(running.use(new, "--install-only"))
    running.refuse("test", b"nginx: [emerg] nonsense")
    with running.stays(old, {f"{NAME}.pem": content(old)}):
        fails(running.run(), "nginx does not accept its configuration", "nginx: [emerg] nonsense")


def test_of_several_installations_the_one_that_is_served_is_kept(running, old, new, newest):
    changed(running.use(new, "--install-only"))
    with running.stays(old, {f"{NAME}.pem": content(newest), f"{NAME}.before": content(old)}):
        changed(running.use(newest, "--install-only"))
    running.refuse("test", b"nginx: [emerg] nonsense")
    with running.stays(old, {f"{NAME}.pem": content(old)}):
        fails(running.run(), "nginx: [emerg] nonsense")


@pytest.mark.parametrize("way", ["refuses", "says nothing", "is not there", "hangs"])
@pytest.mark.parametrize("command", ["test", "reload"])
def test_a_command_fails(command, way, running, old, new):
    """A file that nginx has accepted stays, so that nginx finds it when it starts again; the one before is kept."""
    running.refuse(command, b"the container is not running")
    failing, said = {
        "refuses": ({}, "the container is not running"),
        "says nothing": ({command: ["false"]}, "false ended with 1"),
        "is not there": ({command: ["no-such-command"]}, "no-such-command cannot be run: "),
        "hangs": ({command: ["sleep", "60"], "patience": SHORT}, " s from sleep 60. "),
    }[way]
    refused = {f"{NAME}.pem": content(old)}
    unread = {f"{NAME}.pem": content(new), f"{NAME}.before": content(old)}
    running.says = failing
    begun = time.monotonic()
    with running.stays(old, refused if command == "test" else unread):
        told = "does not accept its configuration" if command == "test" else "could not be told to load"
        fails(running.use(new), told, said)
    assert time.monotonic() - begun < 30
    running.says = {}
    running.accept(command)
    changed(running.use(new))
    assert running.serves(new)
    assert running.kept() == {f"{NAME}.pem": content(new)}


def test_a_reload_that_has_no_effect(running, old, new):
    running.says = {"reload": ["true"], "patience": SHORT}
    with running.stays(old, {f"{NAME}.pem": content(new), f"{NAME}.before": content(old)}):
        said = f"serves another certificate where {running.file} is wanted, {SHORT} s after nginx was told to reload"
        fails(running.use(new), said)
        fails(running.use(new), said)
        fails(running.run(), said)
    running.says = {}
    changed(running.run())
    assert running.serves(new)
    assert running.kept() == {f"{NAME}.pem": content(new)}


def test_nginx_does_not_run(running, old, new):
    running.stop()
    running.says["patience"] = SHORT
    fails(running.use(new), "serves no certificate where ", f"{SHORT} s after")
    assert running.kept() == {f"{NAME}.pem": content(new), f"{NAME}.before": content(old)}
    running.start()
    assert running.serves(new)
    changed(running.run())
    assert running.kept() == {f"{NAME}.pem": content(new)}


# Nothing to take into service


def test_files_that_are_not_there(running, old, new, tmp_path):
    nothing = tmp_path / "nothing"
    with running.stays(old):
        fails(running.run(nothing, new.key), str(nothing), "No such file or directory", "Mend what this names")
        fails(running.run(new.path, nothing), str(nothing), "No such file or directory", "Mend what this names")
        fails(running.run(new.path), "expected CHAIN and KEY")
        fails(running.run("--install-only"), "expected CHAIN and KEY")
    assert running.calls() == []


def test_nothing_was_ever_installed(proxy):
    fails(proxy.run(), str(proxy.file), "No such file or directory")
    assert proxy.kept() == {}


@pytest.mark.parametrize("damage", ["empty", "a key", "cut off", "no base64", "no text"])
@pytest.mark.parametrize("words", [[], ["--install-only"]])
def test_a_chain_without_a_certificate(words, damage, running, old, new, tmp_path):
    chain, begin = tmp_path / "chain.pem", b"-----BEGIN CERTIFICATE-----\n"
    chain.write_bytes(
        {
            "empty": b"",
            "a key": new.key.read_bytes(),
            "cut off": new.path.read_bytes()[:300],
            "no base64": begin + b"x\n-----END CERTIFICATE-----\n",
            "no text": begin + b"\xff\xfe\n-----END CERTIFICATE-----\n",
        }[damage]
    )
    with running.stays(old):
        fails(running.run(chain, new.key, *words), f"expected a certificate in {chain}, PEM with a line -----BEGIN")
    assert running.calls() == []


def test_an_installed_file_that_was_damaged(running, old, new):
    running.file.write_text("")
    fails(running.run(), f"expected a certificate in {running.file}")
    assert running.serves(old)
    changed(running.use(new))
    assert running.serves(new)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "No such file or directory"),
        (b"", "expected JSON"),
        (b"{", "expected JSON"),
        (b"\xff", "expected JSON"),
        (b"[]", "expected JSON"),
        (b"{}", "does not say address, directory, port, reload, test, uid. "),
    ],
)
def test_settings_that_are_none(text, said, running, old, new):
    settings = running.place / "other.json"
    if text is not None:
        settings.write_bytes(text)
    with running.stays(old):
        done = subprocess.run(
            [sys.executable, PROGRAM, settings, NAME, new.path, new.key], capture_output=True, text=True, check=False
        )
        fails(done, str(settings), said)


# The machine fails


@pytest.mark.parametrize("room", [0, 600])
def test_a_file_that_cannot_be_written(room, running, old, new):
    """A limit on the size of files, which ends a write as a full disk does: at once, or in the middle."""
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (room, room))
    with running.stays(old):
        fails(running.use(new, preexec_fn=limit), "File too large", "Mend what this names (free space, ")
    assert running.calls() == []
    changed(running.use(new))
    assert running.serves(new)


def test_a_run_that_is_killed_at_any_step(running, old, new, patched):
    """What is served can be gone back to, no file is half there, and the next run heals."""
    come, gone = new, old
    for steps in itertools.count():
        done = running.use(come, env=patched(KILLER, STEPS=str(steps)))
        kept = running.kept()
        assert kept[f"{NAME}.pem"] in (content(come), content(gone))
        assert running.file.stat().st_mode & 0o7777 == 0o600
        if done.returncode != -signal.SIGKILL:
            break
        in_service = come if running.served() == leaf(come) else gone
        assert content(in_service) in (kept[f"{NAME}.pem"], kept.get(f"{NAME}.before"))
        healed = running.use(come)
        assert (healed.returncode, healed.stderr) == (0, "")
        assert running.serves(come)
        assert running.kept() == {f"{NAME}.pem": content(come)}
        come, gone = gone, come
    changed(done)
    assert running.serves(come)
    assert steps >= 9  # tidy, write, own, keep, replace, tidy, test, reload, forget
