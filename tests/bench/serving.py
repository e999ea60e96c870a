# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast pages and files are beside plain nginx, the servers alone and the usual 5-minute cache; and none is stale.

Clients that come from another machine are in a network namespace, and nothing leaves this one.
"""

from __future__ import annotations

import http.client
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import requests
import yaml
from commands import BIN, docker, poll
from deploying import peak_memory, player
from listing import default_server
from live_devpi import LiveDevpi
from live_pypiserver import UnixConnection, wheel
from staleness import hammer_many, upload
from table import say

SECONDS, TURNS, CONNECTIONS = 1, 10, 16
DEVPI, PYPISERVER, FLOOR, USUAL = (f"wheelhouse-speed-{name}" for name in ("devpi", "pypiserver", "floor", "usual"))
PORTS = {DEVPI: 18071, PYPISERVER: 18072, FLOOR: 18073, USUAL: 18074}
NAMESPACE, ADDRESS, ELSEWHERE = "wheelhouse-bench", "10.213.9.1", "10.213.9.2"
PASSWORD = "bench"
JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}
API = {"Accept": "application/json"}
PIP = {"User-Agent": "pip/26.0"}
PAGE, LONG_PAGE = "/pypi/stable/+simple/short/", "/pypi/stable/+simple/long/"
FILES = {"100 kB": 100_000, "20 MB": 20_000_000}

# What people write who know nginx and want a fast file server.
PLAIN = """
worker_processes auto; pid /tmp/nginx.pid; error_log stderr warn;
events { worker_connections 1024; }
http {
    access_log /dev/stdout combined buffer=4k flush=100ms; sendfile on; tcp_nopush on;
    client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f;
    uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
    server { listen 127.0.0.1:8081; return 204; }
    SITES
}
"""
STATIC = "server { listen 8080; root /srv/www; open_file_cache max=1000; default_type text/html; }"
# And what devpi's own generator and many posts have: pages for five minutes.
FIVE_MINUTES = """
    proxy_cache_path /tmp/cache keys_zone=pages:1m;
    upstream index { server unix:/srv/data/run/index.sock; }
    server {
        listen 8080;
        location / {
            proxy_pass http://index;
            proxy_cache pages;
            proxy_cache_valid 200 5m;
            proxy_ignore_headers Vary Cache-Control Expires;
            proxy_set_header X-Outside-Url http://$host;
        }
    }
"""


def measure(table):
    with tempfile.TemporaryDirectory(prefix="bench-") as directory, ExitStack() as stack:
        place = Path(directory)
        place.chmod(0o755)
        stack.enter_context(another_machine())
        stack.enter_context(deployed(place))
        ours = Devpi(f"http://{ADDRESS}:{PORTS[DEVPI]}")
        alone = Devpi(stack.enter_context(live_devpi()))
        for index in (ours, alone):
            index.fill()
        www = ours.copy(place / "www")
        floor = stack.enter_context(nginx(place, FLOOR, STATIC, {str(www): "/srv/www"}))
        usual = stack.enter_context(nginx(place, USUAL, FIVE_MINUTES, {f"{DEVPI}-data": "/srv/data"}, "8141"))
        measure_pages(table, ours, alone, floor, usual)
        measure_pypiserver(table, place)
        measure_files(table, ours, floor)
        measure_passwords(table, ours)
        measure_uploads(table, ours, floor)
        measure_staleness(table, ours)
        measure_install(table, ours, place, floor)
        measure_start(table)


@contextmanager
def another_machine():
    """A network of its own, with one way in: to an address of this machine."""
    end = f"{NAMESPACE[:10]}-b"

    def ip(*words):
        subprocess.run(["ip", *words], check=True)

    ip("netns", "add", NAMESPACE)
    try:
        ip("link", "add", end, "type", "veth", "peer", "name", "uplink", "netns", NAMESPACE)
        ip("address", "add", f"{ADDRESS}/30", "dev", end)
        ip("link", "set", end, "up")
        ip("-n", NAMESPACE, "address", "add", f"{ELSEWHERE}/30", "dev", "uplink")
        ip("-n", NAMESPACE, "link", "set", "uplink", "up")
        ip("-n", NAMESPACE, "route", "add", "default", "via", ADDRESS)  # to containers' own addresses
        yield
    finally:
        ip("netns", "delete", NAMESPACE)  # and both ends with it


@contextmanager
def deployed(place):
    """Both indexes, as the product brings them up."""
    common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_pipelining": False}
    hosts = {
        name: common
        | {
            "pypi_server_instance": name,
            "nginx_proxy_listen_address": ADDRESS,
            "nginx_proxy_server_name": ADDRESS,
            "nginx_proxy_port": PORTS[name],
            "pypi_server_backend": name.removeprefix("wheelhouse-speed-"),
            "pypi_client_directory": str(place / name),
            "pypi_server_users": [{"name": "pypi", "password": PASSWORD}],
        }
        for name in (DEVPI, PYPISERVER)
    }
    hosts[DEVPI]["pypi_server_indexes"] = [
        {"name": "pypi/stable", "bases": [], "volatile": True},
        {"name": "pypi/heir", "bases": ["pypi/stable"], "volatile": True},
    ]
    inventory = place / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"pypi": {"hosts": hosts}}))
    play = player(inventory)
    say("Bringing up both indexes, unmeasured.")
    try:
        play("up_pypi.yml", "--skip-tags", "pypi_verify")
        yield
    finally:
        play("playbooks/destroy.yml", "--extra-vars", '{"pypi_server_purge": true}')


@contextmanager
def live_devpi():
    with LiveDevpi() as live:
        url = live.url.rstrip("/")
        token = login(url, "root", live.password)
        for path, body in {"/pypi": {"password": PASSWORD}, "/pypi/stable": {"bases": [], "volatile": True}}.items():
            answer = requests.put(url + path, json=body, auth=("root", token), headers=API, timeout=10)
            answer.raise_for_status()
        yield url


def login(url, user, password):
    answer = requests.post(f"{url}/+login", json={"user": user, "password": password}, headers=API, timeout=30)
    return answer.json()["result"]["password"]


class Devpi:
    def __init__(self, url):
        self.url = url
        self._session = requests.Session()
        self._auth = "pypi", login(url, "pypi", PASSWORD)

    def upload(self, project, number, padding=0):
        upload(f"{self.url}/pypi/stable/", self._auth, project, number, padding, self._session).raise_for_status()

    def fill(self):
        """A project of two files, one of 500, and files of two sizes."""
        say(f"Filling {self.url}.")
        for number in range(2):
            self.upload("short", number)
        for number in range(500):
            self.upload("long", number)
        for name, size in FILES.items():
            self.upload(f"file-{name.split()[0]}".replace("-", "_"), 0, size // 2)

    def file(self, project):
        """The address of a project's only file."""
        page = requests.get(f"{self.url}/pypi/stable/+simple/{project}/", headers=JSON | PIP, timeout=20).json()
        return requests.compat.urljoin(f"{self.url}/pypi/stable/+simple/{project}/", page["files"][0]["url"])

    def copy(self, www):
        """Pages and files as a plain file server has them."""
        www.mkdir()
        for form, headers in ("html", PIP), ("json", PIP | JSON):
            answer = requests.get(f"{self.url}{PAGE}", headers=headers, timeout=20)
            (www / f"short.{form}").write_text(answer.text)
        for name in FILES:
            project = f"file-{name.split()[0]}"
            (www / project).write_bytes(requests.get(self.file(project), timeout=60).content)
        return www


@contextmanager
def nginx(place, name, sites, volumes, *groups):
    """An nginx of the same image with a configuration of its own."""
    configuration = place / name
    configuration.mkdir()
    (configuration / "nginx.conf").write_text(PLAIN.replace("SITES", sites))
    mounts = {str(configuration): "/etc/nginx/wheelhouse"} | volumes
    docker(
        *("run", "--detach", "--name", name, "--network", DEVPI, "--init", "--read-only", "--tmpfs", "/tmp:mode=1777"),  # noqa: S108 - inside the container
        *("--publish", f"127.0.0.1:{PORTS[name]}:8080", "--publish", f"{ADDRESS}:{PORTS[name]}:8080"),
        *(word for group in groups for word in ("--group-add", group)),
        *(word for source, target in mounts.items() for word in ("--volume", f"{source}:{target}:ro")),
        docker("inspect", "--format", "{{.Config.Image}}", f"{DEVPI}-proxy"),
    )
    try:
        poll(lambda: answers(f"http://localhost:{PORTS[name]}/"), 20)
        yield name
    finally:
        docker("rm", "--force", name)


def answers(url):
    try:
        return requests.get(url, timeout=5).status_code < 500
    except requests.ConnectionError:
        return False


def own(container, path=""):
    """An address without the engine's port in between."""
    address = docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container)
    return f"http://{address}:8080{path}"


def wrk(url, seconds=SECONDS, elsewhere=False, **headers):
    """Requests per second that were answered as they should be, and the 99th percentile of their milliseconds."""
    headers = {"Host": ADDRESS} | headers
    told = [word for name, value in headers.items() for word in ("--header", f"{name}: {value}")]
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", "--latency", *told, url]
    if elsewhere:
        command = ["ip", "netns", "exec", NAMESPACE, *command]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in said, f"{url}\n{said}"
    value, unit = re.search(r"99% +([\d.]+)(us|ms|s)", said).groups()
    return float(re.search(r"Requests/sec: +([\d.]+)", said)[1]), float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def rates_of(*asked):
    """The rates of several addresses with what wrk is told of each: medians of turns in which each has its own.

    So whatever else goes on meanwhile meets all of them alike. Each turn begins with the next one: whoever follows a
    faster one would always meet what that has left to do, the engine its log above all.
    """
    rates = [[] for _address in asked]
    for turn in range(TURNS):
        for place in range(len(asked)):
            which = (turn + place) % len(asked)
            url, options = asked[which]
            rates[which].append(wrk(url, **options)[0])
    return [statistics.median(turns) for turns in rates]


def measure_pages(table, ours, alone, floor, usual):
    proxy = f"{DEVPI}-proxy"
    static, page, static_data, data, slow, cached = rates_of(
        (own(floor, "/short.html"), PIP),
        (own(proxy, PAGE), PIP),
        (own(floor, "/short.json"), PIP | JSON),
        (own(proxy, PAGE), PIP | JSON),
        (alone.url + PAGE, PIP),
        (own(usual, PAGE), PIP),
    )
    table.rates |= {
        "plain nginx, a file": static,
        "devpi alone": slow,
        "devpi behind a 5-minute cache": cached,
        "devpi here, HTML": page,
        "devpi here, JSON": data,
    }
    table.add("hot page, HTML, /s", page, "the same as a file of plain nginx", static, ">= 0.85")
    table.add("hot page, JSON, /s", data, "the same as a file of plain nginx", static_data, ">= 0.85")
    table.add("hot page, HTML, /s", page, "5-minute cache", cached, "")
    table.add("hot page, HTML, /s", page, "devpi alone", slow, ">= 40")
    long, long_alone = rates_of((own(proxy, LONG_PAGE), PIP), (alone.url + LONG_PAGE, PIP))
    table.rates |= {"devpi here, 500 files": long, "devpi alone, 500 files": long_alone}
    table.add("page of a project with 500 files, /s", long, "devpi alone", long_alone, ">= 100")
    far, near, looped, direct = rates_of(
        (ours.url + PAGE, PIP | {"elsewhere": True}),
        (own(proxy, PAGE), PIP | {"elsewhere": True}),
        (f"http://localhost:{PORTS[FLOOR]}/short.html", {}),
        (own(floor, "/short.html"), {}),
    )
    table.add("hot page from another machine, /s", far, "the container's own address, from there", near, ">= 0.95")
    table.add("file by a port published on loopback, /s", looped, "the container's own address", direct, "")


def measure_pypiserver(table, place):
    """With two files, and with a thousand: its own server looks at all of them for each request."""
    packages = place / "packages"
    packages.mkdir()
    url = f"http://{ADDRESS}:{PORTS[PYPISERVER]}/"
    for number in range(2):
        name, content = wheel("short", f"1.{number}")
        (packages / name).write_bytes(content)
        upload(url, ("pypi", PASSWORD), "short", number).raise_for_status()
    volume = Path(docker("volume", "inspect", "--format", "{{.Mountpoint}}", f"{PYPISERVER}-data"), "packages")
    with default_server(packages) as alone:
        asked = (own(f"{PYPISERVER}-proxy", "/simple/short/"), {}), (f"{alone}/simple/short/", {})
        page, slow = rates_of(*asked)
        for number in range(998):
            name, content = wheel(f"other{number}", "1.0")
            for directory in packages, volume:
                (directory / name).write_bytes(content)
        page_of_many, slow_of_many = rates_of(*asked)
    table.rates |= {"pypiserver here": page, "pypiserver alone": slow}
    table.add("hot page of pypiserver, /s", page, "pypiserver alone", slow, "")
    table.add("hot page of pypiserver with 1,000 files, /s", page_of_many, "pypiserver alone", slow_of_many, ">= 40")


def measure_files(table, ours, floor):
    for name in FILES:
        project = f"file-{name.split()[0]}"
        path = ours.file(project).removeprefix(ours.url)
        here, plain = rates_of((own(f"{DEVPI}-proxy", path), {}), (own(floor, f"/{project}"), {}))
        table.add(f"file of {name}, /s", here, "plain nginx", plain, ">= 0.95")


def measure_passwords(table, ours):
    header = requests.Request("GET", ours.url, auth=("pypi", PASSWORD)).prepare().headers
    with_password = {"Authorization": header["Authorization"]}
    api = own(f"{DEVPI}-proxy", "/+api")
    page, known, unknown = rates_of(
        (own(f"{DEVPI}-proxy", PAGE), PIP | with_password), (api, API | with_password), (api, API)
    )
    table.add("page with a Basic password, /s", page, "as it is", None, ">= 1000")
    table.add("what devpi answers, with a Basic password, /s", known, "without one", unknown, ">= 0.5")
    table.add("peak memory of devpi, MB", peak_memory(f"{DEVPI}-index"), "as it is", None, "<= 200")


def measure_uploads(table, ours, floor):
    """The 99th percentile of a hot page while something else is uploaded five times a second, and while nothing is."""
    end = threading.Event()
    page, file = own(f"{DEVPI}-proxy", PAGE), own(floor, "/short.html")

    def late():
        """Of the page and of the file, in turns."""
        turns = [(wrk(page, **PIP)[1], wrk(file)[1]) for _turn in range(TURNS)]
        return [statistics.median(times) for times in zip(*turns, strict=True)]

    def keep_uploading():
        number = 0
        while not end.wait(0.2):
            ours.upload("meanwhile", number)
            number += 1

    calm, calm_plain = late()
    thread = threading.Thread(target=keep_uploading)
    thread.start()
    try:
        busy, busy_plain = late()
    finally:
        end.set()
        thread.join()
    table.add("p99 of a hot page, ms", calm, "a file of plain nginx", calm_plain, "")
    table.add("p99 of a hot page during uploads at 5/s, ms", busy, "a file of plain nginx", busy_plain, "")
    table.add("p99 of a hot page during uploads at 5/s, ms", busy, "as it is", None, "<= 5")


def measure_staleness(table, ours):
    """For two minutes. tests/engine/test_page_cache.py does it 10,000 times."""
    say("Uploads, each read at once by four kinds of client on two indexes, beside 8 readers.")
    end = time.monotonic() + 120

    def pages(project):
        return [f"{ours.url}/pypi/{index}/+simple/{project}/" for index in ("stable", "heir")]

    outcome = hammer_many(ours.upload, pages, 10_000, deadline=lambda: time.monotonic() > end)
    wrong = len(outcome.stale) + len(outcome.failed)
    table.add(f"stale of {outcome.pages} pages in {outcome.cycles} cycles", wrong, "as it is", None, "<= 0")


def measure_install(table, ours, place, floor):
    """uv takes 100 packages from the index, and the same files from plain nginx."""
    names = [f"part{number}" for number in range(100)]
    www = place / "www"
    for name in names:
        ours.upload(name, 0)
        page = requests.get(f"{ours.url}/pypi/stable/+simple/{name}/", headers=PIP, timeout=20).text
        (www / "simple" / name).mkdir(parents=True)
        file = ours.file(name)
        (www / "simple" / name / Path(file).name).write_bytes(requests.get(file, timeout=20).content)
        (www / "simple" / name / "index.html").write_text(re.sub(r'href="[^"]*/([^"/]+)"', r'href="\1"', page))
    environment = place / "venv"
    subprocess.run([BIN / "uv", "venv", "--quiet", environment], check=True)

    def install(index):
        begun = time.monotonic()
        command = [BIN / "uv", "pip", "install", "--quiet", "--no-cache", "--reinstall", "--default-index", index]
        subprocess.run([*command, "--python", environment / "bin/python", *names], check=True)
        return time.monotonic() - begun

    indexes = f"{ours.url}/pypi/stable/+simple/", f"http://{ADDRESS}:{PORTS[FLOOR]}/simple/"
    here, plain = (min(seconds) for seconds in zip(*(map(install, indexes) for _turn in range(TURNS)), strict=True))
    table.add("uv installs 100 packages, s", here, "from plain nginx", plain, "<= 1.1")


def measure_start(table):
    volume = docker("volume", "inspect", "--format", "{{.Mountpoint}}", f"{DEVPI}-data")
    docker("stop", f"{DEVPI}-index")
    begun = time.monotonic()
    docker("start", f"{DEVPI}-index")
    poll(lambda: devpi_answers(Path(volume, "run/index.sock")), 60)
    table.add("first answer of devpi after its start, s", time.monotonic() - begun, "as it is", None, "<= 1.5")


def devpi_answers(path):
    with (
        closing(UnixConnection(path)) as connection,
        suppress(OSError, http.client.HTTPException),
    ):
        connection.request("GET", "/+api")
        return connection.getresponse().status == 200
    return False
