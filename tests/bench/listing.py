# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast pypiserver lists 1,000 files, behind nginx as this product runs it, beside its own default server."""

from __future__ import annotations

import re
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import requests
from commands import poll
from live_devpi import free_port
from live_pypiserver import LivePypiserver, environment, sdist

SECONDS, CONNECTIONS = 5, 16
# 1,000 files as one project each, and as ten projects of 100 files.
SHELVES = {
    "1,000 projects": [(f"project{number}", "1.0") for number in range(1000)],
    "10 projects of 100 files": [(f"project{number % 10}", f"1.{number // 10}") for number in range(1000)],
}
PAGES = ["/simple/", "/simple/project7/"]
NGINX = """
daemon off; pid {place}/nginx.pid; error_log {place}/error.log; worker_processes auto;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {place}/b; proxy_temp_path {place}/p; fastcgi_temp_path {place}/f;
    uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;
    upstream index {{ server unix:{socket}; keepalive 16; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://index;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
        }}
    }}
}}
"""


def measure(table):
    for shelf, releases in SHELVES.items():
        with tempfile.TemporaryDirectory(prefix="listing-") as place:
            directory = Path(place, "packages")
            directory.mkdir()
            for name, version in releases:
                file, content = sdist(name, version)
                (directory / file).write_bytes(content)
            with default_server(directory) as url:
                floor = {page: rate(url + page) for page in PAGES}
            with ours(Path(place), directory) as url:
                for page in PAGES:
                    name = f"pypiserver with {shelf}: {page}, /s"
                    table.add(name, rate(url + page), "pypiserver's default server", floor[page], ">= 20")


@contextmanager
def default_server(directory):
    """`pypi-server run` and nothing else."""
    port = free_port()
    arguments = ["run", "--interface", "127.0.0.1", "--port", str(port), "-a", ".", "-P", ".", directory]
    with running([environment() / "pypi-server", *arguments]):
        yield answering(f"http://127.0.0.1:{port}")


@contextmanager
def ours(place, directory):
    port = free_port()
    with LivePypiserver(place, packages=str(directory)) as server:
        (place / "nginx.conf").write_text(NGINX.format(place=place, socket=server.socket, port=port))
        with running(["nginx", "-c", place / "nginx.conf", "-e", place / "error.log", "-g", "user root;"]):
            yield answering(f"http://127.0.0.1:{port}")


@contextmanager
def running(command):
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        yield
        process.terminate()


def answering(url):
    def answers():
        try:
            return requests.get(f"{url}/simple/", timeout=10).ok
        except requests.ConnectionError:
            return False

    poll(answers, 20)
    return url


def rate(url):
    """Requests per second that were answered as they should be."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--timeout", "30s", url]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in said, said
    return float(re.search(r"Requests/sec: +([\d.]+)", said)[1])
