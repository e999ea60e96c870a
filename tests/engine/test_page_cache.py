# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pages come from nginx's memory, and are never older than a write that the index has acknowledged.

Two indexes on one host, brought up by one run, that share nothing but images: a devpi, and a pypiserver that asks
readers for a password. Whether a page came from memory is counted in nginx's log, which names the index's time for what
the index answered. The last two tests are the end of both.
"""

from __future__ import annotations

import contextlib
import gzip
import re
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import requests
import yaml
from commands import docker, poll, run
from live_pypiserver import UnixConnection, form
from pages import quoted, typed
from staleness import BROWSER, CLIENTS, OLD_PIP, PIP, fetches, hammer, hammer_many, numbers, release, settled, upload

DEVPI, PRIVATE = "wheelhouse-pages", "wheelhouse-private"
PORTS = {DEVPI: 18150, PRIVATE: 18160}
MAX_AGE = 8  # seconds, for what passes nginx by
ODD = "p%s #;$(id)'\"\\{}&<>:/@"  # every character that some layer in between might take for its own
PASSWORDS = {"pypi": ODD, "reader": "reader's", "root": f"root {ODD}"}
JSON = {"Accept": "application/json"}
INDEXES = ("pypi/stable", "pypi/heir")


@pytest.fixture(scope="module")
def make(tmp_path_factory, engine):
    place = tmp_path_factory.mktemp("pages")
    hosts = {
        name: {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "ansible_pipelining": False,
            "pypi_server_instance": name,
            "nginx_proxy_port": port,
            "nginx_proxy_page_cache": "1m",
            "pypi_client_directory": str(place / name),
        }
        for name, port in PORTS.items()
    }
    hosts[DEVPI] |= {
        "pypi_page_max_age": MAX_AGE,
        "pypi_server_options": {"enable-core-metadata": True},
        "pypi_server_root_password": PASSWORDS["root"],
        "pypi_server_users": [{"name": "pypi", "password": PASSWORDS["pypi"]}],
        "pypi_server_indexes": [
            {"name": "pypi/stable", "bases": [], "volatile": True},
            {"name": "pypi/heir", "bases": ["pypi/stable"], "volatile": True},
        ],
    }
    hosts[PRIVATE] |= {
        "pypi_page_max_age": 600,  # so that nothing is seen because of its age
        "pypi_server_backend": "pypiserver",
        "pypi_server_authenticate": ["update", "download", "list"],
        "pypi_server_users": [
            {"name": name, "password": PASSWORDS[name], "upload": name == "pypi"} for name in ("pypi", "reader")
        ],
    }
    (place / "hosts.yml").write_text(yaml.safe_dump({"pypi": {"hosts": hosts}}))
    yield lambda *words: run("make", *words, f"INVENTORY={place}/hosts.yml")
    run("make", "destroy", "PURGE=yes", f"INVENTORY={place}/hosts.yml")


class Index:
    """One of the two, as its clients see it."""

    def __init__(self, name):
        self.name, self.url = name, f"http://localhost:{PORTS[name]}"
        self.proxy, self.container = f"{name}-proxy", f"{name}-index"

    def fetched(self, path):
        """How often nginx has asked the index for a page."""
        return fetches(lambda: docker("logs", self.proxy), path)

    @property
    def socket(self):
        return Path(docker("volume", "inspect", "--format", "{{.Mountpoint}}", f"{self.name}-data"), "run/index.sock")


def authorization(user, password):
    return requests.Request("GET", "http://localhost", auth=(user, password)).prepare().headers["Authorization"]


class Devpi(Index):
    def __init__(self):
        super().__init__(DEVPI)
        self.auth, self.root = self._login("pypi"), self._login("root")

    def _login(self, user):
        login = {"user": user, "password": PASSWORDS[user]}
        answer = requests.post(f"{self.url}/+login", json=login, headers=JSON, timeout=20)
        return user, answer.json()["result"]["password"]

    def path(self, project, index="pypi/stable"):
        return f"/{index}/+simple/{project}/"

    def page(self, project, client=None, index="pypi/stable", **headers):
        """The page as a client gets it, pip by default."""
        return requests.get(self.url + self.path(project, index), headers=(client or PIP) | headers, timeout=20)

    def fresh(self, project, client=None, index="pypi/stable"):
        """The page straight from devpi, past nginx."""
        with contextlib.closing(UnixConnection(self.socket)) as connection:
            connection.request("GET", self.path(project, index), headers=(client or PIP) | {"X-Outside-Url": self.url})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def send(self, project, number, auth=None):
        return upload(f"{self.url}/pypi/stable/", auth or self.auth, project, number)

    def upload(self, project, number):
        answer = self.send(project, number)
        assert answer.status_code == 200, answer.text

    def change(self, method, path, **body):
        answer = requests.request(method, self.url + path, json=body or None, auth=self.root, headers=JSON, timeout=20)
        assert answer.status_code in (200, 201), answer.text


class Private(Index):
    def __init__(self):
        super().__init__(PRIVATE)

    def page(self, project, user=None, **headers):
        auth = (user, PASSWORDS[user]) if user in PASSWORDS else user
        return requests.get(f"{self.url}/simple/{project}/", headers=headers, auth=auth, timeout=20)

    def upload(self, project, number):
        answer = upload(f"{self.url}/", ("pypi", PASSWORDS["pypi"]), project, number)
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def devpi(make):
    result = make("pypi", "ARGS=--skip-tags=pypi_verify")
    assert result.returncode == 0, str(result)
    return Devpi()


@pytest.fixture(scope="module")
def private(devpi):
    return Private()


def test_pages_are_asked_for_once_and_answered_from_memory(devpi):
    devpi.upload("often", 0)
    for _turn in range(5):
        for client in CLIENTS.values():
            answer = devpi.page("often", client)
            assert (answer.status_code, numbers(answer.text)) == (200, {0})
            kind = "vnd.pypi.simple.v1+json" if "json" in client["Accept"] else "text/html"
            assert kind in answer.headers["Content-Type"]
    assert devpi.fetched(devpi.path("often")) == 3  # JSON for pip and uv, HTML for installers, HTML for people


def test_what_comes_from_memory_is_what_the_index_says(devpi):
    devpi.upload("same", 0)
    for client in CLIENTS.values():
        status, body = devpi.fresh("same", client)
        first, second = devpi.page("same", client), devpi.page("same", client)
        assert (status, body, body) == (200, first.text, second.text)
        plain = devpi.page("same", client, **{"Accept-Encoding": "identity"})
        assert (plain.text, plain.headers.get("Content-Encoding")) == (body, None)
        for answer in (first, second, plain):
            varies = {name.strip() for name in answer.headers["Vary"].split(",")}
            assert varies == {"Accept", "User-Agent", "Accept-Encoding"}
            assert answer.headers["Cache-Control"] == "no-cache"
            assert "X-Wheelhouse-Project" not in answer.headers
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_pages_are_compressed_once_and_revalidated_by_their_etag(devpi):
    devpi.upload("tagged", 0)
    devpi.page("tagged")
    answer = devpi.page("tagged")
    assert answer.headers["Content-Encoding"] == "gzip"
    tag = {"If-None-Match": answer.headers["ETag"]}
    unchanged = devpi.page("tagged", **tag)
    assert (unchanged.status_code, unchanged.content, unchanged.headers["ETag"]) == (304, b"", answer.headers["ETag"])
    devpi.upload("another", 0)  # a write that is none of this page's business
    devpi.page("tagged")
    assert devpi.page("tagged", **tag).status_code == 304
    devpi.upload("tagged", 1)
    devpi.page("tagged")
    assert devpi.page("tagged", **tag).status_code == 200
    head = requests.head(devpi.url + devpi.path("tagged"), headers=PIP, timeout=10)
    assert (head.status_code, head.headers["ETag"]) == (200, devpi.page("tagged").headers["ETag"])


def test_gzip_is_what_it_says(devpi):
    devpi.upload("packed", 0)
    devpi.page("packed")
    with requests.get(devpi.url + devpi.path("packed"), headers=PIP, stream=True, timeout=10) as answer:
        packed = answer.raw.read(decode_content=False)
    assert answer.headers["Content-Length"] == str(len(packed))
    assert gzip.decompress(packed).decode() == devpi.fresh("packed")[1]


def test_metadata_of_wheels_comes_from_memory(devpi):
    devpi.upload("Meta_Data", 0)
    (file,) = devpi.page("meta-data").json()["files"]
    assert file["core-metadata"]
    url = requests.compat.urljoin(devpi.url + devpi.path("meta-data"), file["url"]) + ".metadata"
    for _turn in range(5):
        for client in CLIENTS.values():
            answer = requests.get(url, headers=client, timeout=20)
            assert answer.status_code == 200
            assert answer.content.startswith(b"Metadata-Version: ")
            assert b"\nName: Meta_Data\n" in answer.content
            assert answer.headers["Cache-Control"] == "max-age=31536000, immutable, public"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Vary"] == "Accept-Encoding"
    assert devpi.fetched(url.removeprefix(devpi.url)) == 1
    devpi.upload("meta.data", 1)
    assert requests.get(url, headers=PIP, timeout=20).status_code == 200
    devpi.change("DELETE", "/pypi/stable/meta-data/1.0?force")
    assert requests.get(url, headers=PIP, timeout=20).status_code in (404, 410)


@pytest.mark.parametrize("client", CLIENTS)
def test_every_write_is_seen_at_once(devpi, client):
    client = CLIENTS[client]

    def seen(index="pypi/heir"):
        answer = devpi.page("written", client, index)
        return numbers(answer.text) if answer.status_code == 200 else answer.status_code

    devpi.upload("written", 1)
    devpi.upload("written", 2)
    assert seen() == seen("pypi/stable") == {1, 2}
    devpi.change("DELETE", "/pypi/stable/written/1.1?force")
    assert seen() == seen("pypi/stable") == {2}
    devpi.change("PATCH", "/pypi/heir", bases=[])
    assert seen() == 404
    devpi.change("PATCH", "/pypi/heir", bases=["pypi/stable"])
    assert seen() == {2}
    devpi.change("DELETE", "/pypi/stable/written?force")
    assert seen() == seen("pypi/stable") == 404


def test_an_upload_outdates_the_pages_of_its_project_alone(devpi):
    for number, spelling in enumerate(["quiet", "loud-one", "Loud_One", "loud.one", "loud"]):
        devpi.upload("quiet", 0)
        devpi.upload("loud-one", 0)
        before = [numbers(devpi.page(project).text) for project in ("quiet", "loud-one")]
        fetched = devpi.fetched(devpi.path("quiet"))
        devpi.upload(spelling, number + 1)
        after = [numbers(devpi.page(project).text) for project in ("quiet", "loud-one")]
        changed = {"quiet": 0, "loud": None}.get(spelling, 1)
        assert [old == new for old, new in zip(before, after, strict=True)] == [changed != 0, changed != 1]
        assert devpi.fetched(devpi.path("quiet")) - fetched == (changed == 0)
    before = devpi.fetched(devpi.path("quiet"))
    devpi.change("PATCH", "/pypi/heir", bases=["pypi/stable"])  # that may change any
    devpi.page("quiet")
    assert devpi.fetched(devpi.path("quiet")) == before + 1


def pages_of(devpi, project):
    """Where a project is seen: on its index, and on one that inherits from it."""
    return [devpi.url + devpi.path(project, index) for index in INDEXES]


def test_nobody_reads_what_is_older_than_an_acknowledged_upload(devpi):
    outcome = hammer(partial(devpi.upload, "hammered"), pages_of(devpi, "hammered"), 60)
    assert (outcome.cycles, outcome.stale, outcome.failed) == (60, [], [])
    fetched = sum(devpi.fetched(devpi.path("hammered", index)) for index in INDEXES)
    assert fetched < outcome.pages / 2, "there was no memory to be stale"


def test_reload_keeps_pages_and_what_they_go_by(devpi):
    def reload():
        docker("exec", devpi.proxy, "nginx", "-c", "/etc/nginx/wheelhouse/nginx.conf", "-e", "stderr", "-s", "reload")

    pages = [devpi.url + devpi.path("reloaded")]
    devpi.upload("steady", 0)
    devpi.page("steady")
    before = devpi.fetched(devpi.path("steady"))
    reload()
    devpi.page("steady")
    assert devpi.fetched(devpi.path("steady")) == before

    def add(number):
        if number % 5 == 2:
            reload()
        devpi.upload("reloaded", number)

    outcome = hammer(add, pages, 20, readers=4, reloads=True)
    assert (outcome.cycles, outcome.stale, outcome.failed) == (20, [], [])


def test_one_fetch_for_a_crowd(devpi):
    devpi.upload("crowded", 0)
    with ThreadPoolExecutor(40) as crowd:
        answers = list(crowd.map(lambda _number: devpi.page("crowded"), range(40)))
    assert [numbers(answer.text) for answer in answers] == [{0}] * 40
    assert devpi.fetched(devpi.path("crowded")) == 1


STRANGE = {
    "another host": {"Host": "evil.example.com"},
    "forwarded": {"X-Forwarded-Host": "evil.example.com", "X-Forwarded-Proto": "https", "Forwarded": "host=evil"},
    "outside url": {"X-Outside-Url": "http://evil.example.com"},
    "absolute urls": {"X-Devpi-Absolute-Urls": "1"},
    "json or nothing": {"Accept": "application/json"},
    "html last": {"Accept": "text/html;q=0.1,application/vnd.pypi.simple.v1+json"},
    "no html": {"Accept": "text/html;q=0, */*"},
    "nothing known": {"Accept": "image/png"},
    "broken": {"Accept": "\x7f;;q=,"},
    "installer in the middle": {"User-Agent": "Mozilla pip/1"},
    "range": {"Range": "bytes=0-10"},
    "packed": {"Accept-Encoding": "br, zstd"},
    "condition": {"If-None-Match": "*", "If-Modified-Since": "Sat, 28 Nov 2026 00:00:00 GMT"},
    "cookie": {"Cookie": "auth_tkt=1", "Authorization": "Basic cm9vdDp4"},
}
SPELLINGS = [
    "/pypi/stable/%2Bsimple/{}/",
    "/pypi/stable/+simple/{}/?evil=1",
    "/pypi/stable/+simple/{}/?",
    "/pypi//stable/+simple/{}/",
    "/pypi/./stable/+simple/{}/",
    "/x/../pypi/stable/+simple/{}/",
    "/pypi/stable/+simple/%7B%7D/../{}/",
    "/pypi/stable/+simple/{}",
    "/pypi/stable/+simple/{}/#x",
    "/%70ypi/stable/+simple/{}/",
]


@pytest.mark.parametrize("odd", STRANGE)
def test_odd_headers_do_not_reach_the_next_client(devpi, odd):
    project = "odd-" + odd.replace(" ", "-")
    for number, client in enumerate(CLIENTS.values()):
        devpi.upload(project, number)  # nothing is kept, so the odd request is the one that could leave something
        requests.get(devpi.url + devpi.path(project), headers=client | STRANGE[odd], timeout=20)
        for other in CLIENTS.values():
            assert devpi.page(project, other).text == devpi.fresh(project, other)[1]


def test_odd_spellings_of_an_address_do_not_reach_the_next_client(devpi):
    for number, spelling in enumerate(SPELLINGS):
        devpi.upload("spelt", number)
        with socket.create_connection(("localhost", PORTS[DEVPI]), timeout=20) as raw:  # no library tidies it
            raw.sendall(
                f"GET {spelling.format('spelt')} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                f"Accept: {PIP['Accept']}\r\nUser-Agent: pip/26.0\r\n\r\n".encode()
            )
            while raw.recv(65536):
                pass
        for client in CLIENTS.values():
            assert devpi.page("spelt", client).text == devpi.fresh("spelt", client)[1], spelling


def test_memory_that_is_full_makes_room_and_no_mistake(devpi):
    """1 MB, and three times as much to keep."""
    names = [f"pypi/heir{number}" for number in range(12)]
    for name in names:
        devpi.change("PUT", f"/{name}", bases=["pypi/stable"], volatile=True)
    for number in range(60):
        devpi.upload("wide", number)
    devpi.upload("after", 0)
    for _turn in range(3):
        for name in names:
            for client in CLIENTS.values():
                answer = devpi.page("wide", client, name)
                assert (answer.status_code, len(numbers(answer.text))) == (200, 60)
                assert answer.text == devpi.fresh("wide", client, name)[1]
    for name in names:
        devpi.change("DELETE", f"/{name}")
    devpi.upload("wide", 60)
    assert 60 in numbers(devpi.page("wide").text)


def raw_upload(project, number, credentials):
    """Head and body of the request that uploads a release."""
    body, kind = form(**release(project, number))
    head = f"Host: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nAuthorization: {credentials}"
    return f"POST /pypi/stable/ HTTP/1.1\r\n{head}\r\n\r\n".encode(), body


def test_two_uploads_of_one_version_at_once(devpi):
    with ThreadPoolExecutor(2) as both:
        for number in range(5):
            answers = list(both.map(devpi.send, ["twice"] * 2, [number] * 2))
            assert 200 in [answer.status_code for answer in answers]
            for client in CLIENTS.values():
                assert number in numbers(devpi.page("twice", client).text)
                assert devpi.page("twice", client).text == devpi.fresh("twice", client)[1]


def test_refused_and_broken_uploads_leave_the_pages_in_memory(devpi):
    devpi.upload("calm", 0)
    devpi.page("calm")
    before = devpi.fetched(devpi.path("calm"))
    assert devpi.send("calm", 1, auth=("pypi", "wrong")).status_code == 401
    assert devpi.send("calm", 1, auth=("nobody", "")).status_code in (401, 403)
    request, body = raw_upload("calm", 1, authorization(*devpi.auth))
    with socket.create_connection(("localhost", PORTS[DEVPI]), timeout=20) as cut:
        cut.sendall(request + body[: len(body) // 2])
    assert numbers(devpi.page("calm").text) == {0}
    assert devpi.fetched(devpi.path("calm")) == before


def test_an_upload_whose_client_did_not_wait_is_seen(devpi):
    devpi.upload("hasty", 0)
    for number in range(1, 6):
        assert number - 1 in numbers(devpi.page("hasty").text)  # kept now, and not old for a while
        with socket.create_connection(("localhost", PORTS[DEVPI]), timeout=20) as gone:
            gone.sendall(b"".join(raw_upload("hasty", number, authorization(*devpi.auth))))
        poll(lambda n=number: n in numbers(devpi.page("hasty").text), seconds=MAX_AGE / 2)


def test_what_passes_nginx_by_is_seen_within_the_bound(devpi):
    devpi.upload("behind", 0)
    assert numbers(devpi.page("behind").text) == {0}
    body, kind = form(**release("behind", 1))
    connection = UnixConnection(devpi.socket)
    told = {"Content-Type": kind, "Authorization": authorization(*devpi.auth)}
    connection.request("POST", "/pypi/stable/", body, told)
    with contextlib.closing(connection):
        assert connection.getresponse().status == 200
    assert numbers(devpi.page("behind").text) == {0}
    poll(lambda: numbers(devpi.page("behind").text) == {0, 1}, seconds=MAX_AGE + 1)


def test_index_that_is_down_leaves_what_no_write_has_outdated(devpi):
    devpi.upload("lasting", 0)
    page = devpi.page("lasting")
    docker("stop", devpi.container)
    try:
        assert devpi.page("unknown").status_code == 502
        assert devpi.send("lasting", 1).status_code == 502  # it never reached the index
        end = time.monotonic() + MAX_AGE + 1
        poll(lambda: time.monotonic() > end, seconds=MAX_AGE + 2)  # so old that the index would be asked
        answer = devpi.page("lasting")
        assert (answer.status_code, answer.text) == (200, page.text)
        assert devpi.page("lasting", BROWSER).status_code == 502  # nobody had asked for that one
    finally:
        docker("start", devpi.container)
    poll(lambda: devpi.page("lasting", OLD_PIP).status_code == 200, seconds=30)
    devpi.upload("lasting", 1)
    assert numbers(devpi.page("lasting").text) == {0, 1}


def test_proxy_that_was_killed_begins_with_nothing(devpi):
    devpi.upload("reborn", 0)
    devpi.page("reborn")
    docker("restart", "--time", "0", devpi.proxy)

    def answers():
        try:
            return devpi.page("reborn").status_code == 200
        except requests.ConnectionError:
            return False

    poll(answers, seconds=20)
    devpi.upload("reborn", 1)
    assert numbers(devpi.page("reborn").text) == {0, 1}


def test_private_pages_are_for_those_who_may_read_them(private):
    private.upload("secret", 0)
    for _turn in range(20):
        assert numbers(private.page("secret", "reader").text) == {0}
    assert private.fetched("/simple/secret/") <= 2
    assert private.page("secret").status_code == 401
    assert private.page("secret", ("reader", "wrong")).status_code == 403
    assert private.page("secret", ("nobody", PASSWORDS["reader"])).status_code == 403
    assert private.page("secret", Authorization="Bearer x").status_code in (401, 403)
    assert numbers(private.page("secret", "pypi").text) == {0}


def test_private_pages_are_never_stale_either(private):
    url = f"{private.url.replace('://', '://reader:' + PASSWORDS['reader'] + '@')}/simple/hammered/"
    outcome = hammer(lambda number: private.upload("hammered", number), [url], 60, readers=4)
    assert (outcome.cycles, outcome.stale, outcome.failed) == (60, [], [])


def test_what_a_client_calls_its_file_does_not_decide_whose_page_it_outdates(private):
    def seen(project):
        answer = private.page(project, "reader")
        return numbers(answer.text) if answer.status_code == 200 else answer.status_code

    def send(**fields):
        content = {name: fields.pop(name) for name in ("content", "gpg_signature") if name in fields}
        auth = ("pypi", PASSWORDS["pypi"])
        return requests.post(f"{private.url}/", data=fields, files=content or None, auth=auth, timeout=20).status_code

    private.upload("called", 0)
    private.upload("Mis_Called", 0)
    assert (seen("called"), seen("mis-called"), seen("called"), seen("mis-called")) == ({0}, {0}, {0}, {0})
    before = [private.fetched(f"/simple/{project}/") for project in ("called", "mis-called")]
    assert send(**release("mis.called", 1) | {"name": "called"}) == 200
    assert (seen("called"), seen("mis-called")) == ({0}, {0, 1})
    signed = release("mis_called", 2)
    bad = {"gpg_signature": (f"{signed['content'][0]}.asc", b"no signature")}
    assert send(**signed | bad) == 400  # it has the wheel nevertheless
    assert (seen("called"), seen("mis-called")) == ({0}, {0, 1, 2})
    assert send(**{":action": "remove_pkg", "name": "MIS-called", "version": "1.0"}) == 200
    assert (seen("called"), seen("mis-called")) == ({0}, {1, 2})
    after = [private.fetched(f"/simple/{project}/") for project in ("called", "mis-called")]
    assert [new - old for old, new in zip(before, after, strict=True)] == [0, 3]


def test_user_who_is_gone_reads_no_more(private):
    """Within the seconds that a password is remembered."""
    private.upload("secret", 1)
    assert private.page("secret", "reader").status_code == 200
    users = Path("/etc/wheelhouse", PRIVATE, "index/htpasswd")
    before = users.read_text()
    users.write_text("".join(line for line in before.splitlines(True) if not line.startswith("reader:")))
    try:
        poll(lambda: private.page("secret", "reader").status_code == 403, seconds=6)
        assert private.page("secret", "pypi").status_code == 200
    finally:
        users.write_text(before)
    poll(lambda: private.page("secret", "reader").status_code == 200, seconds=6)


def test_changed_password_of_devpi_counts_at_once(devpi):
    """devpi makes the hash of a right password once; a changed one has another hash."""
    address = f"{devpi.url}/pypi"

    def knows(password):
        answer = requests.get(f"{devpi.url}/+api", auth=("pypi", password), headers=JSON, timeout=10)
        return answer.json()["result"]["authstatus"][0] == "ok"

    assert knows(PASSWORDS["pypi"])
    for old, new in [(PASSWORDS["pypi"], "changed"), ("changed", PASSWORDS["pypi"])]:
        answer = requests.patch(address, json={"password": new}, auth=("pypi", old), headers=JSON, timeout=10)
        assert answer.status_code == 200, answer.text
        assert (knows(old), knows(new)) == (False, True)


def elsewhere(name, path, user, password):
    """The status that a client with another address gets."""
    address = docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", f"{name}-proxy")
    program = (
        "import base64, sys, urllib.error, urllib.request as r; url, who = sys.argv[1:]\n"
        "asked = r.Request(url, headers={'Host': 'localhost', 'Accept': 'application/json',"
        " 'Authorization': 'Basic ' + base64.b64encode(who.encode()).decode()})\n"
        "try: print(r.urlopen(asked).status)\n"
        "except urllib.error.HTTPError as error: print(error.code)"
    )
    asked = f"http://{address}:8080{path}", f"{user}:{password}"
    return int(docker("exec", f"{name}-index", "python3", "-c", program, *asked))


def test_who_guesses_is_slowed_down_and_nobody_else_is(devpi, private):
    """Late, since this machine has guessed then."""
    right = ("pypi", PASSWORDS["pypi"])

    def login(password):
        return requests.post(f"{devpi.url}/+login", json={"user": "pypi", "password": password}, timeout=20)

    def api(password):
        return requests.get(f"{devpi.url}/+api", auth=("pypi", password), headers=JSON, timeout=20)

    assert api(right[1]).status_code == 200
    for ways in ((login, api), (api,)):
        answers = [ways[number % len(ways)](f"guess {number}") for number in range(50)]
        assert sum(answer.status_code == 429 for answer in answers) >= 40
        assert answers[-1].headers["Retry-After"]
        quoted("Too many wrong passwords", answers[-1].text)
    logs = typed("docker logs pypi-proxy").replace("pypi-proxy", devpi.proxy)
    log = settled(lambda: run("bash", "-c", logs).output)
    assert re.search(r'^\S+ pypi \[.*\] "GET /\+api HTTP/1.1" 429 ', log, re.MULTILINE)
    assert login(right[1]).status_code == 429  # this might be a guess
    assert api(right[1]).status_code == 200  # this was right before
    assert devpi.send("guessed", 0).status_code == 200
    assert numbers(devpi.page("guessed").text) == {0}
    assert elsewhere(DEVPI, "/+api", *right) == 200

    assert private.page("secret", "reader").status_code == 200
    answers = [private.page("secret", ("reader", f"guess {number}")).status_code for number in range(50)]
    assert set(answers) == {403, 429}
    assert answers.count(429) >= 40
    assert private.page("secret", "reader").status_code == 200
    assert private.page("secret").status_code == 401
    assert elsewhere(PRIVATE, "/simple/secret/", "reader", PASSWORDS["reader"]) == 200


def test_ten_thousand_uploads_are_each_seen_at_once(devpi):
    """An hour on a slow machine; what comes before it does not depend on what it leaves."""
    outcome = hammer_many(devpi.upload, partial(pages_of, devpi), 10_000)
    assert (outcome.cycles, outcome.stale, outcome.failed) == (10_000, [], [])


def test_destroying_one_leaves_the_other(make, devpi, private):
    secrets = [run("cat", f"/etc/wheelhouse/{name}/secrets/secrets.json").output for name in PORTS]
    assert secrets[0] != secrets[1]
    state = "{{.Id}} {{.State.StartedAt}}"
    before = docker("inspect", "--format", state, private.container, private.proxy)
    result = make("destroy", "PURGE=yes", f"ARGS=--limit={DEVPI}")
    assert result.returncode == 0, str(result)
    assert docker("inspect", "--format", state, private.container, private.proxy) == before
    assert private.page("secret", "reader").status_code == 200
    assert f"{DEVPI}-data" not in docker("volume", "ls", "--quiet").splitlines()
