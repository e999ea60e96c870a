# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""pypiserver as this product runs it: what is uploaded is whole or not there, and no answer is stale."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import signal
import stat
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from commands import BIN, poll
from live_devpi import free_port
from live_pypiserver import ALICE, LivePypiserver, form, sdist, wait_for_exit, wheel

# What `htpasswd -n -B` prints for the password "right", and lines that no server may die of.
BOB = "bob:$2y$05$lc5zXJ9AMaQLX57QTOEk8O0kAGaIZp5HAbLsmCmXO8Xqr/Rm3abfa"
BAD_LINES = [
    "carol:right",
    "dave:$apr1$6B5bM4Ue$hG3",
    "erin:$2y$12$short",
    "frank",
    "gina:$6$only-a-salt",
    "hans:",
    "\0:\0",
]
RIGHT, WRONG = ("alice", "right"), ("alice", "wrong")


@pytest.fixture
def index(tmp_path):
    """Start an index with these settings; its packages' directory may be filled first."""
    started = []

    def index(**settings):
        server = LivePypiserver(tmp_path / str(len(started)), **settings)
        started.append(server)
        server.start()
        return server

    yield index
    for server in started:
        server.kill()


def test_index_listens_on_a_socket_for_its_group_and_writes_nowhere_else(index, tmp_path):
    server = index()
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o660
    name, content = wheel()
    assert server.upload(name, content)[0] == 200
    assert stat.S_IMODE((server.packages / name).stat().st_mode) == 0o640
    made = {path.relative_to(server.data).as_posix() for path in server.data.rglob("*")}
    assert made == {"run", "run/index.sock", "tmp", "packages", f"packages/{name}"}
    opened = {
        os.readlink(link)
        for process in processes(server)
        for link in (f"/proc/{process}/fd/{number}" for number in os.listdir(f"/proc/{process}/fd"))
    }
    outside = {
        path for path in opened if path.startswith("/") and not path.startswith((str(tmp_path), "/dev/", "/proc/"))
    }
    assert not outside


def processes(server):
    """The server and its workers."""
    ps = ["ps", "-o", "pid=", "--ppid", str(server.process.pid)]
    children = subprocess.run(ps, capture_output=True, text=True, check=False)
    return [server.process.pid, *map(int, children.stdout.split())]


def test_index_listens_on_loopback_when_it_has_a_port_and_tools_work_with_it(index, tmp_path):
    port = free_port()
    server = index(port=port, users=ALICE, authenticate=["update"])
    url = f"http://127.0.0.1:{port}/"
    for name, content in (wheel(), sdist(version="2.0")):
        (tmp_path / name).write_bytes(content)
        twine = ["upload", "--disable-progress-bar", "--repository-url", url, "-u", RIGHT[0], "-p"]
        assert tool("twine", *twine, WRONG[1], tmp_path / name).returncode != 0
        uploaded = tool("twine", *twine, RIGHT[1], tmp_path / name)
        assert uploaded.returncode == 0, uploaded.stdout
        again = tool("twine", *twine, RIGHT[1], tmp_path / name)
        assert again.returncode != 0
        assert "already exists" in " ".join(again.stdout.split())
    pip = ["download", "--isolated", "--no-deps", "--index-url", f"{url}simple/", "--dest", tmp_path / "got", "demo<2"]
    downloaded = tool("pip", *pip)
    assert downloaded.returncode == 0, downloaded.stdout
    assert (tmp_path / "got" / wheel()[0]).read_bytes() == (server.packages / wheel()[0]).read_bytes()


def tool(name, *arguments):
    return subprocess.run(
        [BIN / "python", "-m", name, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "protected", [[], ["update"], ["download", "list", "update"], ["download"], ["list", "update"]]
)
def test_who_may_do_what(index, protected):
    """Every action for nobody, a wrong and a right password, with hashes of both kinds."""
    server = index(users=f"{ALICE}\n{BOB}\n", authenticate=protected)
    (server.packages / "there-1.0.tar.gz").write_bytes(sdist("there")[1])
    for number, (user, refusal) in enumerate(
        {None: 401, WRONG: 403, ("nobody", "right"): 403, RIGHT: 200, ("bob", "right"): 200}.items()
    ):
        expected = {action: refusal if action in protected else 200 for action in ("list", "download", "update")}
        assert {
            "list": server.get("/simple/", user=user)[0],
            "download": server.get("/packages/there-1.0.tar.gz", user=user)[0],
            "update": server.upload(*wheel(version=f"{number}.0"), user=user)[0],
        } == expected, user
        assert server.get("/simple/there/", user=user)[0] == expected["list"]
        assert server.remove("demo", f"{number}.0", user=user)[0] == expected["update"]


def test_users_come_go_and_change_while_the_server_runs(index):
    server = index(users=ALICE, authenticate=["list"])
    for user, allowed in {RIGHT: True, ("bob", "right"): False}.items():
        assert (server.get("/simple/", user=user)[0] == 200) == allowed
    for _turn in range(10):  # every worker, at once, whatever it remembers
        server.htpasswd.write_text(BOB)
        assert {server.get("/simple/", user=RIGHT)[0] for _turn in range(6)} == {403}
        assert {server.get("/simple/", user=("bob", "right"))[0] for _turn in range(6)} == {200}
        replacement = server.htpasswd.with_name("new")
        replacement.write_text(ALICE)
        replacement.rename(server.htpasswd)
        assert {server.get("/simple/", user=("bob", "right"))[0] for _turn in range(6)} == {403}
        assert {server.get("/simple/", user=RIGHT)[0] for _turn in range(6)} == {200}
    server.htpasswd.unlink()
    assert server.get("/simple/", user=RIGHT)[0] == 403
    server.htpasswd.write_text(ALICE.replace("alice", "alice "))
    assert server.get("/simple/", user=RIGHT)[0] == 403


def test_a_line_that_is_no_hash_locks_one_user_out_and_is_named_in_the_log(index):
    server = index(users="\n".join([*BAD_LINES, ALICE]) + "\n", authenticate=["list"])
    assert server.get("/simple/", user=RIGHT)[0] == 200
    for line in BAD_LINES:
        name, _colon, value = line.partition(":")
        for password in ("right", value, "", "x" * 5000, "with\0nul"):
            assert server.get("/simple/", user=(name, password))[0] == 403
    assert server.get("/simple/", user=("alice", "x" * 5000))[0] == 403
    assert server.get("/simple/", user=("alice", "with\0nul"))[0] == 403
    log = server.log.read_text()
    named = [int(number) for number in re.findall(r"htpasswd, line (\d+):", log)]
    assert named == list(range(1, len(BAD_LINES) + 1))
    assert "carol" not in log
    assert "Traceback" not in log


SLOW = (
    "alice:$6$rounds=656000$HjkaL5MhVPlG7Hw.$"
    "qKDMTz9dDTu0rt9gLk6QBd0lxzKuBGP72yQdGJBlKUHHuVvigFFbVU/LnD8fEipGn9PbS0BCMWNJzsVRM1zq5."
)


def test_a_password_is_compared_once_while_its_hash_is_the_same(index):
    """A hash of 656,000 rounds, Ansible's default, takes 0.4 s or more; a client sends its password every time."""
    server = index(users=SLOW, authenticate=["list"])
    for _turn in range(10):
        server.get("/simple/", user=RIGHT)  # until every worker has seen it
    begun = time.monotonic()
    for _turn in range(20):
        assert server.get("/simple/", user=RIGHT)[0] == 200
        assert time.monotonic() - begun < 4
    assert server.get("/simple/", user=WRONG)[0] == 403


def test_upload_is_listed_at_once_and_served_as_it_was_sent(index):
    server = index()
    for name, content in (wheel(padding=300_000), sdist(version="1.1", padding=300_000)):
        assert server.upload(name, content)[0] == 200
        assert server.links("demo")[name] == hashlib.sha256(content).hexdigest()
        assert server.get(f"/packages/{name}")[0] == 200
        assert (server.packages / name).read_bytes() == content


def test_an_existing_file_is_never_replaced(index):
    server = index()
    name, first = wheel(padding=10)
    assert server.upload(name, first)[0] == 200
    assert server.upload(name, wheel(padding=20)[1])[0] == 409
    assert server.upload(name, wheel(padding=20)[1], agent="twine/7.0.0 requests/2.32")[0] == 400
    assert (server.packages / name).read_bytes() == first
    server = index(overwrite=True)
    for padding in range(3):
        content = wheel(padding=padding)[1]
        assert server.upload(name, content)[0] == 200
        assert server.links("demo") == {name: hashlib.sha256(content).hexdigest()}


def test_of_two_uploads_of_one_file_at_once_exactly_one_wins(index):
    server = index()
    with ThreadPoolExecutor(2) as pool:
        for turn in range(20):
            name = wheel(version=f"1.{turn}")[0]
            contents = [wheel(version=f"1.{turn}", padding=100_000)[1] for _turn in range(2)]
            barrier = threading.Barrier(2)

            def send(content, name=name, barrier=barrier):
                barrier.wait()
                return server.upload(name, content)[0]

            answers = list(pool.map(send, contents))
            assert sorted(answers) == [200, 409]
            assert (server.packages / name).read_bytes() == contents[answers.index(200)]
    assert len(server.files()) == 20


def test_an_upload_that_is_killed_leaves_nothing_that_is_listed(index):
    """20 times kill -9 at some moment of an upload: what was acknowledged is there, what is there is whole."""
    server = index()
    sent, acknowledged, interrupted = {}, set(), 0
    longest = 0.1
    for turn in range(20):
        name, content = wheel(version=f"1.{turn}", padding=1_000_000)
        sent[name] = content
        answers = []

        def send(name, content, answers):
            try:
                answers.append(server.upload(name, content)[0])
            except OSError:
                answers.append(None)

        sender = threading.Thread(target=send, args=(name, content, answers))
        begun = time.monotonic()
        sender.start()
        if turn:
            time.sleep(random.uniform(0, longest))
        else:
            sender.join()
            longest = time.monotonic() - begun
        server.kill()
        sender.join()
        if answers == [200]:
            acknowledged.add(name)
        files = server.files()
        listed = [file for file in files if not file.startswith(".")]
        assert acknowledged <= set(listed)
        assert {file: (server.packages / file).read_bytes() for file in listed} == {file: sent[file] for file in listed}
        interrupted += len(files) - len(listed)
        server.start()
        assert server.files() == listed
        assert set(server.links("demo")) == set(listed)
    assert interrupted, "no kill came while a file was written"


def test_start_leaves_an_upload_alone_that_is_going_on(index):
    server = index()
    stale, held, foreign = (
        server.packages / name for name in (".wheelhouse-upload-a", ".wheelhouse-upload-b", ".other")
    )
    for path in (stale, held, foreign):
        path.write_bytes(b"half")
    server.kill()
    with subprocess.Popen(["flock", "--exclusive", held, "cat"], stdin=subprocess.PIPE) as holder:
        poll(lambda: subprocess.run(["flock", "--nonblock", held, "true"], check=False).returncode, 5)
        server.start()
        assert server.files() == sorted([held.name, foreign.name])
        holder.stdin.close()


def test_a_body_that_ends_early_changes_nothing(index):
    server = index()
    name, content = wheel(padding=100_000)
    body, kind = form(**{":action": "file_upload", "content": (name, content)})
    removal, removal_kind = form(**{":action": "remove_pkg"}, name="kept", version="1.0")
    (server.packages / "kept-1.0.tar.gz").write_bytes(sdist("kept")[1])
    for sent, whole, form_kind in [
        *((body[: len(body) * part // 10], body, kind) for part in range(1, 10)),
        (body[:-4], body, kind),
        (removal[:-4], removal, removal_kind),
    ]:
        connection = server.connect()
        connection.putrequest("POST", "/")
        connection.putheader("Content-Type", form_kind)
        connection.putheader("Content-Length", str(len(whole)))
        connection.endheaders(sent)
        connection.sock.shutdown(1)  # no more comes, and the answer is awaited
        answer = connection.getresponse()
        assert (answer.status, "ended before" in answer.read().decode()) == (400, True)
        connection.close()
    assert server.files() == ["kept-1.0.tar.gz"]


def damaged(content):
    """A content with one byte changed in the middle of what is compressed."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


REFUSED = {
    "a wheel that is none": ("demo-1.0-py3-none-any.whl", b"16 garbage bytes", "damaged or cut off"),
    "an empty wheel": ("demo-1.0-py3-none-any.whl", b"", "damaged or cut off"),
    "a truncated wheel": ("demo-1.0-py3-none-any.whl", wheel(padding=5000)[1][:4000], "damaged or cut off"),
    "a damaged wheel": ("demo-1.0-py3-none-any.whl", damaged(wheel(padding=5000)[1]), "is damaged"),
    "a wheel of another project": (*wheel(inside=("other", "1.0")), "names &#039;other&#039;"),
    "a wheel of another version": (*wheel(inside=("demo", "1.1")), "has &#039;1.1&#039;"),
    "a wheel without a version": (*wheel(inside=("demo", "")), "PEP 440"),
    "a wheel of a version that is none": (*wheel(inside=("demo", "one")), "PEP 440"),
    "a wheel without metadata": (
        "demo-1.0-py3-none-any.whl",
        b"PK\5\6" + bytes(18),
        r"exactly one \*.dist-info/METADATA",
    ),
    "a wheel with a name that is none": ("demo-1.0-any.whl", wheel()[1], "ad filename"),
    "a wheel with a version that is none": ("demo-1x-py3-none-any.whl", wheel()[1], "PEP 427"),
    "a wheel named as a sdist": ("demo-1.0.tar.gz", wheel()[1], "damaged or cut off"),
    "a truncated sdist": ("demo-1.0.tar.gz", sdist(padding=5000)[1][:4000], "damaged or cut off"),
    "a sdist without its checksum": ("demo-1.0.tar.gz", sdist()[1][:-8], "damaged or cut off"),
    "a damaged sdist": ("demo-1.0.tar.gz", damaged(sdist(padding=5000)[1]), "damaged or cut off"),
    "a sdist of another project": (*sdist(inside=("other", "1.0")), "names &#039;other&#039;"),
    "a sdist of another version": (*sdist(inside=("demo", "1.0.post1")), "has &#039;1.0.post1&#039;"),
    "a sdist that would be listed as another project": (
        "demo-2go-1.0.tar.gz",
        sdist("demo-2go")[1],
        "after the project &#039;demo&#039;",
    ),
    "a zip without metadata": ("demo-1.0.zip", wheel()[1], r"exactly one \*/PKG-INFO"),
    "an installer": ("demo-1.0-py3.8-win.exe", b"MZ", "no file that pip installs"),
    "an egg": ("demo-1.0-py3.11.egg", wheel()[1], "no file that pip installs"),
    "a signature that is none": ("demo-1.0.tar.gz.asc", b"x", "no signature"),
    "a hidden name": (".demo-1.0.tar.gz", sdist()[1], "no name for a release file"),
    "a name with a line end": ("demo-1.0.tar.gz\n", sdist()[1], "ad filename|no name"),
    "a name with a NUL": ("demo\0-1.0.tar.gz", sdist()[1], "ad filename|control characters"),
    "a name with an escape": ("demo\x1b-1.0.tar.gz", sdist()[1], "ad filename|control characters"),
    "a path": ("../demo-1.0.tar.gz", sdist()[1], "ad filename|control characters"),
    "a name too long": (f"{'d' * 300}-1.0.tar.gz", sdist()[1], "no name for a release file"),
    "no name": ("", sdist()[1], "."),
}


def test_what_is_no_release_is_refused_in_a_sentence(index):
    server = index()
    for what, (name, content, sentence) in REFUSED.items():
        status, text = server.upload(name, content)
        assert (status, bool(re.search(sentence, text))) == (400, True), f"{what}: {status} {text}"
    for field in ("sha256_digest", "md5_digest", "blake2_256_digest"):
        status, text = server.upload(*wheel(), **{field: "0" * 64})
        assert (status, "arrived damaged" in text) == (400, True), field
    assert server.files() == []
    assert "Traceback" not in server.log.read_text()


def test_what_is_a_release_is_taken(index):
    server = index()
    first = wheel("Demo.Project")[1]
    digests = {
        "md5_digest": hashlib.md5(first, usedforsecurity=False).hexdigest(),
        "sha256_digest": hashlib.sha256(first).hexdigest().upper(),
        "blake2_256_digest": hashlib.blake2b(first, digest_size=32).hexdigest(),
    }
    for name, content, fields in [
        ("Demo.Project-1.0-py3-none-any.whl", first, digests),
        ("demo_project-1.0.0-2-py3-none-any.whl", wheel("demo_project", "1.0.0")[1], {"sha256_digest": ""}),
        ("demo-project-1.0.tar.gz", sdist("demo-project")[1], {}),
        ("demo_project-2.0+local.1.tar.gz", sdist("demo_project", "2.0+local.1")[1], {}),
        ("demo_project-2.0.tar.gz", sdist("demo_project", "v2.0")[1], {}),
        ("demo_project-2.0.tar.gz.asc", b"-----BEGIN PGP SIGNATURE-----\n", {}),
    ]:
        status, text = server.upload(name, content, **fields)
        assert status == 200, f"{name}: {text}"
    assert len(server.links("demo-project")) == 6


def test_nonsense_is_the_clients_fault(index):
    """No answer of 500 or more, whatever comes."""
    server = index()
    server.upload(*wheel())
    multipart = "multipart/form-data; boundary=x"
    bodies = [
        (b"", multipart),
        (b"", "multipart/form-data"),
        (b"", "multipart/form-data; boundary="),
        (b"", 'multipart/form-data; boundary="\xe9"'),
        (b"--x\r\n\r\n\r\n--x--", multipart),
        (b'--x\r\nContent-Disposition: form-data; name="content"\r\n\r\nno file\r\n--x--', multipart),
        (b"x" * 200_000, "application/x-www-form-urlencoded"),
        (b":action=file_upload&content=x", "application/x-www-form-urlencoded"),
        (b":action=remove_pkg&name=demo", "application/x-www-form-urlencoded"),
        (b":action=remove_pkg&name=%00&version=%ff", "application/x-www-form-urlencoded"),
        (b":action=submit", "application/x-www-form-urlencoded"),
        (b":action=none", "application/x-www-form-urlencoded"),
        (form(**{":action": "doc_upload", "content": ("a.zip", b"x")})),
        (form(**{":action": "file_upload", "content": wheel(version="3.0"), "gpg_signature": ("other.asc", b"x")})),
        (os.urandom(1000), "application/octet-stream"),
    ]
    answers = {}
    for body, kind in bodies:
        answers[body[:60], kind] = server.ask("POST", "/", body, **{"Content-Type": kind.encode("latin1")})[0]
    for body in (b"", b"<x/>", b"<methodCall><methodName/></methodCall>", b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'):
        answers["RPC2", body] = server.ask("POST", "/RPC2", body, **{"Content-Type": "text/xml"})[0]
    for path in (
        *("/", "/x", "/x/", "/favicon.ico", "/simple", "/simple/", "/simple/demo", "/simple/none/", "/simple/%00/"),
        *("/simple/a%0d%0ab/", "/simple/a%0d%0ab", "/simple/%ff/", "/simple/..%2f..%2f/", "/packages", "/packages/"),
        *("/packages/%00", "/packages/../../etc/passwd", "/packages/%2e%2e/x", "/demo/json", "/none/json", "/%0a/json"),
        *("//x", "/?", "/%0d%0ax", "/" + "x" * 4000, "/simple/" + "%c3%a9" * 100 + "/"),
    ):
        for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
            answers[method, path] = server.ask(method, path)[0]
        answers["Host", path] = server.get(path, Host='"><x y="')[0]
    assert not {what: status for what, status in answers.items() if status >= 500}
    assert server.files() == [wheel()[0]]


def test_unknown_projects_are_not_looked_for_elsewhere_unless_asked(index):
    assert index().get("/simple/none/")[0] == 404
    connection = index(fallback_url="http://elsewhere.example/simple/").connect()
    connection.request("GET", "/simple/none/")
    answer = connection.getresponse()
    connection.close()
    assert (answer.status, answer.headers["Location"]) == (303, "http://elsewhere.example/simple/none/")


def test_release_is_removed_whatever_the_spelling(index):
    server = index()
    for name, content in (wheel("demo_project"), sdist("Demo.Project", "1.0.0"), wheel("demo_project", "1.0.post1")):
        assert server.upload(name, content)[0] == 200
    content = wheel("demo_project")[1]
    assert server.upload("demo_project-1.0-1-py3-none-any.whl", content)[0] == 200
    assert server.remove("demo-project", "1.1")[0] == 404
    assert server.remove("demo-project", "one")[0] == 404
    assert server.remove("DEMO-project", "1")[0] == 200
    assert server.files() == ["demo_project-1.0.post1-py3-none-any.whl"]
    assert server.remove("demo.project", "1.0-1")[0] == 200
    assert server.files() == []


def test_read_only_index_serves_and_refuses(index, tmp_path):
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    name, content = wheel()
    (shelf / name).write_bytes(content)
    (shelf / ".wheelhouse-upload-x").write_bytes(b"")
    before = shelf.stat().st_mtime_ns
    server = index(packages=str(shelf), read_only=True, users=ALICE, authenticate=["update"])
    assert set(server.links("demo")) == {name}
    for user in (None, WRONG, RIGHT):
        for status, text in (server.upload(*wheel(version="2.0"), user=user), server.remove("demo", "1.0", user=user)):
            assert (status, "read-only" in text) == (403, True)
    assert (shelf.stat().st_mtime_ns, len(os.listdir(shelf))) == (before, 2)


def test_changes_by_hand_are_seen_by_every_worker_at_once(index):
    """Written, then read from every worker, 300 times: no answer is of before the write."""
    server = index(workers=2, threads=2)
    connections = [server.connect() for _turn in range(8)]  # kept open, so that each stays with its worker
    pages = {}
    stale = []

    def read(connection, path):
        connection.request("GET", path)
        return connection.getresponse().read().decode()

    def compare(turn):
        for connection in connections:
            for path, expected in pages.items():
                found = dict(re.findall(r'href="[^"]*?/?([^"/#]+)(?:#sha256=(\w+)|/)"', read(connection, path)))
                if found != expected:
                    stale.append((turn, path))

    files = {}
    for turn in range(300):
        project = f"demo{turn % 3}"
        path = server.packages / random.choice(["", "below"]) / f"{project}-1.{turn % 7}.tar.gz"
        content = os.urandom(8)  # of one size always: neither size nor name tells that it is another
        path.parent.mkdir(exist_ok=True)
        action = random.choice(["write", "rename", "remove"])
        if action == "rename":
            (server.data / "new").write_bytes(content)
            (server.data / "new").rename(path)
        elif action == "write":
            path.write_bytes(content)
        if action == "remove":
            path.unlink(missing_ok=True)
            files.pop(path, None)
        else:
            os.utime(path, (1, 1))  # as archivers and rsync do
            files[path] = hashlib.sha256(content).hexdigest()
        os.utime(path.parent, (1, 1))
        names = {}
        for file, digest in files.items():
            names.setdefault(file.name.split("-")[0], {}).setdefault(file.name, set()).add(digest)
        pages = {"/simple/": dict.fromkeys(names, "")}
        for name, found in names.items():
            if all(len(digests) == 1 for digests in found.values()):  # a name in both directories has two links
                pages[f"/simple/{name}/"] = {file: digests.copy().pop() for file, digests in found.items()}
        compare(turn)
    assert not stale
    workers = {line for line in server.log.read_text().splitlines() if "Booting worker" in line}
    assert len(workers) == 2
    for connection in connections:
        connection.close()


def test_changes_within_a_tick_of_the_clock_are_seen(index):
    """A directory or a file changes, is read and changes again, all within the same few milliseconds.

    In memory, where the kernel stamps files by its ticks; newer ones stamp those on some disks more finely.
    """
    shelf = tempfile.TemporaryDirectory(dir="/dev/shm")
    server = index(workers=1, packages=shelf.name)
    server.packages = Path(shelf.name)
    connection = server.connect()

    def read():
        connection.request("GET", "/simple/demo/")
        return dict(re.findall(r'href="[^"]*/([^"/#]+)#sha256=(\w+)"', connection.getresponse().read().decode()))

    files = [server.packages / f"demo-1.{number}.tar.gz" for number in range(2)]
    files[0].write_bytes(b"........")
    for turn in range(300):
        content = f"{turn:08}".encode()
        with files[0].open("r+b") as file:  # so that the directory does not change
            file.write(content)
        assert read() == {files[0].name: hashlib.sha256(content).hexdigest()}
    for turn in range(300):
        files[turn % 2].unlink()
        files[1 - turn % 2].touch()
        assert list(read()) == [files[1 - turn % 2].name]
    connection.close()
    shelf.cleanup()


def test_uploads_and_reads_in_turn_are_never_stale(index):
    server = index()
    for turn in range(100):
        name, content = wheel(version=f"1.{turn}")
        assert server.upload(name, content)[0] == 200
        assert server.links("demo")[name] == hashlib.sha256(content).hexdigest()
        assert server.upload(name, content)[0] == 409
        assert server.remove("demo", f"1.{turn}")[0] == 200
        assert server.links("demo") == {}


def test_files_that_cannot_be_read_break_no_page(index):
    server = index()
    server.upload(*wheel())
    (server.packages / "gone-1.0.tar.gz").symlink_to("nowhere")
    (server.packages / "demo-2.0.tar.gz").mkdir()
    (server.packages / ".hidden-1.0.tar.gz").write_bytes(b"")
    (server.packages / "README").write_text("no release")
    assert server.get("/simple/gone/")[0] == 404
    assert list(server.links("demo")) == [wheel()[0]]
    assert server.get("/packages/")[1].count("href") == 1
    assert server.upload(*sdist(version="2.0"))[0] == 409


@pytest.mark.parametrize("busy", [False, True])
def test_server_stops_within_two_seconds(index, busy):
    server = index()
    connections = []
    for body in [b"", b"--x\r\n"] if busy else []:
        connection = server.connect()
        if body:  # an upload that is on its way and never arrives
            connection.putrequest("POST", "/")
            connection.putheader("Content-Type", "multipart/form-data; boundary=x")
            connection.putheader("Content-Length", "1000000")
            connection.endheaders(body)
        else:  # a connection that the proxy keeps
            connection.request("GET", "/simple/")
            connection.getresponse().read()
        connections.append(connection)
    children = processes(server)[1:]
    server.process.send_signal(signal.SIGTERM)
    assert wait_for_exit(server, 10) <= 2
    assert server.process.returncode == 0
    assert not server.socket.exists()
    assert not [child for child in children if runs(child)]
    for connection in connections:
        connection.close()


def runs(process):
    """Whether a process is there and does more than wait for somebody to take note of its end."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_an_upload_in_flight_gets_a_moment_to_finish(index):
    server = index()
    name, content = wheel(padding=100_000)
    body, kind = form(**{":action": "file_upload", "content": (name, content)})
    connection = server.connect()
    connection.putrequest("POST", "/")
    connection.putheader("Content-Type", kind)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:50_000])
    poll(lambda: "Booting" in server.log.read_text(), 5)
    server.process.send_signal(signal.SIGTERM)
    poll(lambda: not server.socket.exists(), 5)
    connection.send(body[50_000:])
    assert connection.getresponse().status == 200
    connection.close()
    assert wait_for_exit(server, 10) <= 2
    assert (server.packages / name).read_bytes() == content


def test_a_worker_that_dies_is_replaced(index):
    server = index(workers=1)
    (worker,) = processes(server)[1:]
    os.kill(worker, signal.SIGKILL)
    poll(lambda: processes(server)[1:] not in ([], [worker]) and server.healthy(), 10)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"options": {"unknown": 1}}, "options may name"),
        ({"options": {"overwrite": True}}, "options may name"),
        ({"authenticate": ["upload"]}, "authenticate may have download, list, update"),
        ({"packages": "relative"}, "absolute path"),
        ({"packages": "/dev/null"}, "/dev/null"),
        ({"packages": "/proc/missing", "read_only": True}, "/proc/missing"),
    ],
)
def test_settings_that_cannot_be_meant_end_the_server_in_a_sentence(tmp_path, settings, sentence):
    server = LivePypiserver(tmp_path, **settings)
    ended = subprocess.run(
        [server.bin / "index-server"], env=server.environ, capture_output=True, text=True, timeout=20, check=False
    )
    assert ended.returncode == 1
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr


def test_options_reach_pypiserver(index):
    server = index(
        options={
            "health_endpoint": "/healthz",
            "hash_algo": "md5",
            "welcome_msg": "Hello {{NUMPKGS}}",
            "cache_control": 60,
        }
    )
    name, content = wheel()
    server.upload(name, content)
    assert server.healthy()
    assert server.get("/")[1].strip() == "Hello 1"
    assert hashlib.md5(content, usedforsecurity=False).hexdigest() in server.get("/simple/demo/")[1]
    assert json.loads(server.get("/demo/json")[1])["info"]["version"] == "1.0"
