# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every release moves between real servers, there and back, byte by byte; and what must not move stays where it is."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import yaml
from authority import Authority
from commands import BIN, checkout, poll, run
from environments import installed
from live_devpi import LiveDevpi, free_port
from pages import typed
from releases import releases, sdist, wheel
from tree import ROOT

USER, PASSWORD = "mover", "moverpw-never-shown"
MODULE = "ansible_collections.wheelhouse.pypi.plugins.modules.index_copy"


def ask(method, url, body=None, user=None, password=PASSWORD, accept="application/json"):
    """Status and body of one request."""
    headers = {"Accept": accept}
    if user:
        headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    data = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(Request(url, data, headers, method=method), timeout=30) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


def send(url, action, filename, content, **fields):
    """Upload a file as a form; twine would refuse some of what is sent here."""
    mark = "----wheelhouse"
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in {":action": action, **fields}.items()
    ]
    parts.append(f'--{mark}\r\nContent-Disposition: form-data; name="content"; filename="{filename}"\r\n\r\n')
    login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    headers = {"Content-Type": f"multipart/form-data; boundary={mark}", "Authorization": f"Basic {login}"}
    body = "".join(parts).encode() + content + f"\r\n--{mark}--\r\n".encode()
    with urlopen(Request(url, body, headers, method="POST"), timeout=30) as answer:
        assert answer.status == 200


@pytest.fixture(scope="session")
def pypiserver_environment():
    return installed("pypiserver")


class Pypiserver:
    """A real pypiserver that serves a directory."""

    def __init__(self, venv, place, files=()):
        self.place, self.files = place, place / "packages"
        self.files.mkdir(parents=True)
        for name, content in dict(files).items():
            (self.files / name).write_bytes(content)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/"
        self.side = {"kind": "pypiserver", "url": self.url, "username": USER, "password": PASSWORD}
        hashed = "import sys; from passlib.hash import sha512_crypt as h; print(h.using(rounds=1000).hash(sys.argv[1]))"
        line = subprocess.run([venv / "bin/python", "-c", hashed, PASSWORD], check=True, capture_output=True, text=True)
        (place / "htpasswd").write_text(f"{USER}:{line.stdout}")
        command = [venv / "bin/pypi-server", "run", "-i", "127.0.0.1", "-p", str(port), "--disable-fallback"]
        command += ["-a", "update,list,download", "-P", place / "htpasswd", self.files]
        with (place / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            poll(self._answers, seconds=20)
        except BaseException:
            self.stop()
            raise

    def _answers(self):
        assert self._process.poll() is None, (self.place / "log").read_text()
        try:
            return ask("GET", f"{self.url}simple/", user=USER)[0] == 200
        except OSError:
            return False

    def stop(self):
        self._process.terminate()
        self._process.wait(30)

    @property
    def count(self):
        return len(list(self.files.iterdir()))

    @property
    def holds(self):
        return {path.name: path.read_bytes() for path in self.files.rglob("*") if path.is_file()}


@pytest.fixture
def pypiserver(pypiserver_environment, tmp_path):
    """Start a pypiserver with those files; as many as a test wants."""
    started = []

    def start(files=()):
        started.append(Pypiserver(pypiserver_environment, tmp_path / f"pypiserver-{len(started)}", files))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def devpi():
    with LiveDevpi() as server:
        root = {"user": "root", "password": server.password}
        assert ask("PUT", f"{server.url}{USER}", {"password": PASSWORD}, **root)[0] == 201
        yield server


class DevpiIndex:
    def __init__(self, server, name, bases=(), **config):
        self.name, self.server, self.url = f"{USER}/{name}", server, f"{server.url}{USER}/{name}/"
        self.side = {"kind": "devpi", "url": server.url, "index": self.name, "username": USER, "password": PASSWORD}
        config = {"volatile": False, "bases": list(bases), **config}
        assert ask("PUT", self.url[:-1], config, "root", server.password)[0] == 200

    def links(self):
        projects = json.loads(ask("GET", self.url[:-1])[1])["result"]["projects"]
        for project in projects:
            for data in json.loads(ask("GET", f"{self.url}{project}?ignore_bases=")[1])["result"].values():
                yield from data.get("+links", [])

    @property
    def count(self):
        return len(list(self.links()))

    @property
    def holds(self):
        return {
            link["href"].rpartition("/")[2]: ask("GET", link["href"], accept="*/*")[1]
            for link in self.links()
            if link["rel"] == "releasefile"
        }


@pytest.fixture
def index(devpi, request):
    """Make an index on the devpi server; as many as a test wants."""
    count = iter(range(100))
    stem = request.node.name.split("[")[0].removeprefix("test_").replace("_", "-")[:40]
    return lambda **config: DevpiIndex(devpi, f"{stem}-{os.urandom(3).hex()}-{next(count)}", **config)


def start(tmp_path, source, destination, check=False):
    """Start the module as Ansible would, in a process of its own."""
    arguments = {"source": source, "destination": destination, "_ansible_check_mode": check}
    file = tmp_path / f"arguments-{os.urandom(4).hex()}.json"
    file.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_remote_tmp": str(tmp_path)}}))
    return subprocess.Popen(
        [sys.executable, "-m", MODULE, file],
        env={**os.environ, "PYTHONPATH": str(ROOT / "collections")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def move(tmp_path):
    def move(source, destination, check=False):
        output, _nothing = start(tmp_path, source.side, destination.side, check).communicate(timeout=120)
        assert PASSWORD not in output
        return json.loads(output)

    return move


def reasons(result, by_nature):
    return {left["filename"]: left["reason"] for left in result["left"] if left["by_nature"] == by_nature}


def test_there_and_back_without_a_byte_that_differs(pypiserver, index, move):
    everything = releases()
    others = {
        "simple-1.0.tar.gz.asc": b"a signature",
        **sdist("simple", "3.0", suffix=".tar.xz"),
        "nameless.zip": next(iter(sdist("nameless", "1.0", suffix=".zip").values())),
    }
    old, base, devpi, back = pypiserver({**everything, **others}), index(), index(bases=[]), pypiserver()
    (old.files / "deeper").mkdir()
    (old.files / "simple-1.3.tar.gz").rename(old.files / "deeper/simple-1.3.tar.gz")

    predicted = move(old, devpi, check=True)
    assert predicted["changed"]
    assert predicted["copied"] == sorted(everything)
    assert not devpi.holds

    there = move(old, devpi)
    assert "failed" not in there, there["msg"]
    assert there["copied"] == predicted["copied"]
    assert there["compared"] == len(everything)
    assert reasons(there, by_nature=True).keys() == others.keys()
    assert there["left"] == predicted["left"]
    assert devpi.holds == everything
    for project, wanted in {"python-bound": ">=3.9,<4", "old-metadata": ">=2.7"}.items():
        page = ask("GET", f"{devpi.url}+simple/{project}/", accept="application/vnd.pypi.simple.v1+json")[1]
        assert [file["requires-python"] for file in json.loads(page)["files"]] == [wanted, wanted]

    again = move(old, devpi)
    assert (again["changed"], again["copied"], again["compared"]) == (False, [], len(everything))
    assert again["present"] == sorted(everything)

    # What the index inherits, and what is with a release and is none, does not come along.
    ((inherited, content),) = sdist("inherited", "1.0").items()
    send(base.url, "file_upload", inherited, content, name="inherited", version="1.0")
    ask("PATCH", devpi.url[:-1], {"bases": [base.name]}, "root", devpi.server.password)
    send(devpi.url, "doc_upload", "simple.zip", content, name="simple", version="1.0")
    wheel_url = next(link["href"] for link in devpi.links() if link["href"].endswith("simple-1.0-py3-none-any.whl"))
    assert ask("POST", wheel_url, {"testenvs": {}})[0] == 200

    home = move(devpi, back)
    assert "failed" not in home, home["msg"]
    assert home["compared"] == len(everything)
    assert back.holds == everything
    said = sorted(reasons(home, by_nature=True).values())
    assert said == ["It is a test result, not a release.", "It is documentation, not a release."]


def test_between_two_of_a_kind(pypiserver, index, move):
    files = wheel("one", "1.0") | sdist("one", "1.0") | sdist("one", "2.0", suffix=".tar.xz")
    signed = {**files, "one-1.0.tar.gz.asc": b"a signature"}
    first, second = pypiserver(signed), pypiserver()
    assert move(first, second)["compared"] == len(signed)
    assert second.holds == signed

    one, two = index(), index()
    assert move(first, one)["compared"] == 2
    assert move(one, two)["compared"] == 2
    assert two.holds == one.holds

    assert "Expected two indexes" in move(one, one)["msg"]


def quiet(destination):
    before = destination.count
    time.sleep(0.3)
    return destination.count == before


@pytest.mark.parametrize("kind", ["devpi", "pypiserver"])
def test_interrupted_and_gone_on_with(kind, pypiserver, index, move, tmp_path):
    everything = releases()
    source, destination = pypiserver(everything), index() if kind == "devpi" else pypiserver()
    process = start(tmp_path, source.side, destination.side)
    poll(lambda: destination.count >= 5, seconds=30)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    poll(lambda: quiet(destination), seconds=10)  # what was on its way may still arrive
    before = destination.count
    assert 5 <= before < len(everything)

    result = move(source, destination)
    assert "failed" not in result, result["msg"]
    assert len(result["present"]) == before
    assert len(result["copied"]) == len(everything) - before
    assert result["compared"] == len(everything)
    assert destination.holds == everything


@pytest.mark.parametrize("kind", ["devpi", "pypiserver"])
def test_other_content_is_never_overwritten(kind, pypiserver, index, move):
    files = wheel("one", "1.0") | wheel("two", "1.0")
    ((name, other),) = wheel("one", "1.0", seed=1).items()
    source = pypiserver(files)
    if kind == "devpi":
        destination = index(volatile=True)  # which would take it
        send(destination.url, "file_upload", name, other, name="one", version="1.0")
    else:
        destination = pypiserver({name: other})
    for check in (True, False):
        result = move(source, destination, check=check)
        assert result["failed"]
        assert "other content" in reasons(result, by_nature=False)[name]
        assert result["copied"] == ["two-1.0-py3-none-any.whl"]
    assert result["compared"] == 1
    assert destination.holds == {**files, name: other}


def test_what_is_broken_at_the_source_is_told_and_left(pypiserver, index, move):
    whole = wheel("one", "1.0") | sdist("one", "1.0")
    cut = wheel("two", "1.0") | sdist("two", "1.0") | sdist("two", "2.0", suffix=".zip")
    cut |= sdist("two", "3.0", suffix=".tar.bz2") | sdist("two", "4.0")
    source = pypiserver(whole | {name: content[:-20] for name, content in cut.items()})
    (source.files / "two-4.0.tar.gz").write_bytes(b"")
    destination = index()
    result = move(source, destination)
    assert result["failed"]
    assert reasons(result, by_nature=False).keys() == cut.keys()
    assert all("broken at the source" in reason for reason in reasons(result, by_nature=False).values())
    assert all(name in result["msg"] for name in cut)
    assert destination.holds == whole

    for name, content in cut.items():
        (source.files / name).write_bytes(content)
    assert "failed" not in move(source, destination)
    assert destination.holds == whole | cut


@pytest.mark.parametrize("kind", ["devpi", "pypiserver"])
def test_a_wrong_password_is_told_before_anything_is_sent(kind, pypiserver, index, tmp_path):
    source, destination = pypiserver(wheel("one", "1.0")), index() if kind == "devpi" else pypiserver()
    for wrong_side in ("source", "destination"):
        sides = {"source": source.side, "destination": destination.side}
        sides[wrong_side] = {**sides[wrong_side], "password": "wrong-never-shown"}
        output, _nothing = start(tmp_path, **sides).communicate(timeout=60)
        assert "wrong-never-shown" not in output
        assert "Check username and password" in json.loads(output)["msg"]
    assert not destination.holds


def test_who_may_not_upload_is_told_once(pypiserver, index, move):
    destination = index(acl_upload=["somebody"])
    result = move(pypiserver(releases()), destination)
    assert result["failed"]
    assert "no permission to submit" in result["msg"]
    assert len(result["msg"]) < 500
    assert not destination.holds


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"index": "mover/nowhere"}, "Expected an index mover/nowhere at"),
        ({"url": "http://127.0.0.1:9/"}, "Connection refused"),
    ],
)
def test_a_destination_that_is_none(change, said, pypiserver, index, tmp_path):
    source = pypiserver(wheel("one", "1.0"))
    output, _nothing = start(tmp_path, source.side, {**index().side, **change}).communicate(timeout=60)
    result = json.loads(output)
    assert result["failed"]
    assert said in result["msg"]


def test_a_server_of_the_other_kind(pypiserver, index, tmp_path):
    old, new = pypiserver(wheel("one", "1.0")).side, index().side
    swapped = {**old, "kind": "devpi", "index": "a/b"}, {**new, "kind": "pypiserver", "index": None}
    for source, destination in ((swapped[0], new), (old, swapped[1])):
        output, _nothing = start(tmp_path, source, destination).communicate(timeout=60)
        assert "Check url and kind" in json.loads(output)["msg"]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments):
        """Say nothing."""


@pytest.fixture
def site_with_tls(tmp_path):
    """An index of files alone, as a web server has it, with a certificate that no public CA signed."""
    authority = Authority(tmp_path)
    ca = authority.issue_ca("/CN=Company")
    pair = authority.issue("/CN=localhost", ca, "DNS:localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.path, pair.key)
    (tmp_path / "site").mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", free_port()), partial(Quiet, directory=tmp_path / "site"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield tmp_path / "site", f"https://localhost:{server.server_port}/", ca.path.read_text()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_source_with_a_certificate_of_its_own_ca(site_with_tls, index, tmp_path):
    site, url, ca = site_with_tls
    files = wheel("one", "1.0")
    for name, content in files.items():
        (site / "packages").mkdir()
        (site / "packages" / name).write_bytes(content)
        (site / "simple/one").mkdir(parents=True)
        (site / "simple/index.html").write_text('<a href="one/">one</a>')
        (site / "simple/one/index.html").write_text(f'<a href="../../packages/{name}">{name}</a>')
    destination = index()
    for trusted in ("", ca):
        source = {"kind": "pypiserver", "url": url, "ca_content": trusted}
        output, _nothing = start(tmp_path, source, destination.side).communicate(timeout=60)
        result = json.loads(output)
        assert ("failed" in result) == (not trusted), output
        assert trusted or "Name the CA in ca_content" in result["msg"]
    assert destination.holds == files


@pytest.fixture
def playbook(devpi, tmp_path):
    """Run the playbook with two hosts, old and new, on which devpi looks as if this collection had brought it up."""
    instance = f"move-{os.urandom(3).hex()}"
    secrets = Path("/etc/wheelhouse", instance, "secrets")
    secrets.mkdir(mode=0o700, parents=True)
    kept = {"passwords": {"root": devpi.password, USER: PASSWORD}, "token_secret": ""}
    (secrets / "secrets.json").write_text(json.dumps(kept))
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    index = {"pypi_server_instance": instance, "pypi_client_username": USER, "nginx_proxy_port": devpi.port}
    inventory = tmp_path / "inventory.yml"
    hosts = {"old": {}, "new": {}, "untouched": {"pypi_server_instance": f"{instance}-none"}}
    inventory.write_text(yaml.safe_dump({"pypi": {"hosts": hosts, "vars": {**here, **index}}}))

    place = checkout(tmp_path / "checkout", instance, devpi.port)

    def play(*arguments, line=None, **variables):
        """By the program, or by a line of a page, to which the environment says what it leaves open."""
        (place / "old-index.yml").write_text(json.dumps(variables))
        told = ["-e", "@old-index.yml"]
        command = ["bash", "-c", line] if line else [BIN / "ansible-playbook", "playbooks/migrate.yml", *told]
        chosen = {"ANSIBLE_INVENTORY": str(inventory), "INVENTORY": str(inventory), "ARGS": " ".join(told)}
        result = run(*command, *arguments, cwd=place, **chosen)
        assert PASSWORD not in result.output
        return result

    yield play
    shutil.rmtree(secrets.parent)


def test_the_playbook(playbook, pypiserver, index):
    files, ((cut, content),) = wheel("one", "1.0") | sdist("one", "1.0"), wheel("two", "1.0").items()
    old, first, second = pypiserver({**files, cut: content[:-9], "one-1.0.tar.gz.asc": b"x"}), index(), index()
    foreign = {f"migrate_source_{key}": old.side[key] for key in ("url", "username", "password")}
    foreign |= {"migrate_to": "new", "migrate_index": first.name}

    predicted = playbook("--check", **foreign)
    assert predicted.returncode == 0, str(predicted)
    assert predicted.says(f"Would copy 3 files from {old.url} to {first.name} at http://localhost:"), str(predicted)
    assert not first.holds

    failed = playbook(**foreign)
    assert failed.returncode == 2
    assert failed.says(f"{cut} should have been moved: It is broken at the source"), str(failed)
    assert failed.says("one-1.0.tar.gz.asc stays where it is: A devpi index does not take this kind of file.")
    (old.files / cut).unlink()

    done = playbook(line=typed("make migrate TO=new ARGS='-e @old-index.yml'"), **foreign)
    assert done.returncode == 0, str(done)
    assert done.says("where 2 were already. - 'Read back from both sides: 2 files with the same bytes.'"), str(done)
    assert done.changed == 0

    line = typed("make migrate FROM=old TO=new")
    on = playbook(line=line, migrate_source_index=first.name, migrate_index=second.name)
    assert on.returncode == 0, str(on)
    assert on.changed == 1
    assert second.holds == first.holds == files


BETWEEN = {"migrate_from": "old", "migrate_to": "new"}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "got none of them"),
        ({"migrate_to": "new"}, "got migrate_to."),
        ({**BETWEEN, "migrate_source_url": "http://x/"}, "got migrate_to and migrate_from and migrate_source_url."),
        ({**BETWEEN, "migrate_from": "new"}, 'got "new" twice, allowed are two hosts.'),
        ({**BETWEEN, "migrate_from": "odl"}, 'migrate_from: got "odl", allowed is a host of the inventory (new, old'),
        ({**BETWEEN, "migrate_to": "all"}, 'migrate_to: got "all", allowed is a host of the inventory (new, old'),
        ({**BETWEEN, "migrate_form": "old"}, "Got migrate_form, allowed with what else is given: migrate_to,"),
        ({**BETWEEN, "migrate_source_kind": "devpi"}, "Got migrate_source_kind, allowed"),
        ({**BETWEEN, "migrate_to": "untouched"}, "untouched keeps no password of mover for an index move-"),
        ({"migrate_to": "new", "migrate_source_url": "http://127.0.0.1:9/"}, "got none: "),
    ],
)
def test_the_playbook_refuses_bad_input(variables, said, playbook):
    result = playbook(**variables)
    assert result.returncode != 0
    assert result.says(said), str(result)
    assert result.changed == 0


def test_the_playbook_does_not_move_nothing_without_a_word(playbook):
    """What runs on the controller is left out by a limit that names the hosts alone."""
    result = playbook("--limit", "old,new", **BETWEEN)
    assert result.returncode != 0
    assert result.says("--limit left out. Run it again without"), str(result)
