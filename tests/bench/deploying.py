# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long what people wait for takes, beside the floor: the same containers started by bare docker commands.

Images are built before. The index has a name, a port and data of its own and is gone afterwards.
"""

from __future__ import annotations

import json
import shutil
import socket
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import requests
import yaml
from commands import BIN, docker, local_inventory, run
from table import say

INSTANCE, PORT = "wheelhouse-bench", 18070
EIGHT = {f"{INSTANCE}-{number}": 18081 + number for number in range(8)}
INDEX, PROXY, DATA = f"{INSTANCE}-index", f"{INSTANCE}-proxy", f"{INSTANCE}-data"
URL = f"http://localhost:{PORT}"
CONFIGURATION = Path("/etc/wheelhouse", INSTANCE)
CONFINED = ["--init", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--tmpfs", "/tmp"]  # noqa: S108 - inside the container
JSON = {"Accept": "application/json"}
TARGETS = 20, 12, 20, 1.5  # seconds: up, again, verify, start of the index


def measure(table):
    """Fill the table. The first issue gave the targets in seconds, of a machine whose floor was 1.5."""
    with tempfile.TemporaryDirectory() as place:
        play = player(local_inventory(Path(place), INSTANCE, PORT))
        say("Building the images, unmeasured.")
        play("up_pypi.yml", "--tags", "container_engine,container_image")
        try:
            measure_one(table, play, Path(place))
            measure_eight(table, Path(place))
        finally:
            play("playbooks/destroy.yml", "--extra-vars", '{"pypi_server_purge": true}')


def player(inventory):
    """Runs a playbook against an inventory, and ends the bench where one fails."""

    def play(name, *arguments):
        result = run(BIN / "ansible-playbook", "--inventory", inventory, name, *arguments)
        if result.returncode:
            sys.exit(str(result))
        return result

    return play


def measure_one(table, play, place):
    skip = ("--skip-tags", "pypi_verify")
    seconds = {}

    say("From nothing to users and indexes.")
    with clock(seconds, "up: nothing → users and indexes"):
        play("up_pypi.yml", *skip)
    say("Again, unchanged.")
    with clock(seconds, "up again, unchanged"):
        result = play("up_pypi.yml", *skip)
    if result.changed:
        sys.exit(f"The second run changed something:\n{result}")
    say("Verification.")
    with clock(seconds, "verify"):
        play("playbooks/verify.yml")

    say("Start of the index.")
    docker("stop", INDEX)
    with clock(seconds, "index: start → first answer"):
        docker("start", INDEX)
        wait_for_index()
    memory = peak_memory(INDEX)
    images = [docker("inspect", "--format", "{{.Config.Image}}", name) for name in (INDEX, PROXY)]

    say("The floor: the same containers by bare docker commands.")
    shutil.copytree(CONFIGURATION, place / "configuration", symlinks=True)
    for path in (CONFIGURATION / "index").rglob("*"):
        shutil.chown(place / "configuration/index" / path.name, path.stat().st_uid, path.stat().st_gid)
    shutil.chown(place / "configuration/index", group=(CONFIGURATION / "index").stat().st_gid)
    place.chmod(0o755)
    play("playbooks/destroy.yml")
    docker("volume", "rm", DATA)
    with clock(seconds, "floor"):
        floor(place / "configuration", *images)
    docker("rm", "--force", INDEX, PROXY)
    docker("network", "rm", INSTANCE)
    docker("volume", "rm", f"{INSTANCE}-proxy-cache")

    bare = seconds.pop("floor")
    for (name, took), target in zip(seconds.items(), TARGETS, strict=True):
        table.add(f"{name}, s", took, "as it is", None, f"<= {target}")
        table.add(f"{name}, s", took, "bare docker commands", bare, "")
    table.add("index: peak memory, MB", memory, "as it is", None, "<= 150")
    table.add("image of the index, MB", size(images[0]), "as it is", None, "<= 180")
    table.add("image of the proxy, MB", size(images[1]), "as it is", None, "<= 90")


def measure_eight(table, place):
    """Eight hosts at once, which here are this machine eight times, with an index each; and one of them alone."""
    inventory = place / "eight.yml"
    common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_pipelining": False}
    hosts = {
        name: {
            "pypi_server_instance": name,
            "nginx_proxy_port": port,
            "nginx_proxy_server_name": "localhost",
            "pypi_client_directory": str(place / name),
        }
        for name, port in EIGHT.items()
    }
    inventory.write_text(yaml.safe_dump({"pypi": {"hosts": hosts, "vars": common}}))
    play = player(inventory)
    one, command = next(iter(EIGHT)), ("up_pypi.yml", "--skip-tags", "pypi_verify")
    seconds = {}
    try:
        for count, limit in ("one", ("--limit", one)), ("eight", ()):
            say(f"{count.capitalize()} of eight hosts, from nothing and again.")
            for what in ("up", "again"):
                with clock(seconds, (count, what)):
                    play(*command, *limit)
            if count == "one":
                play("playbooks/destroy.yml", *limit)
                docker("volume", "rm", f"{one}-data")
    finally:
        play("playbooks/destroy.yml", "--extra-vars", '{"pypi_server_purge": true}')
    for what, target in zip(("up", "again"), TARGETS, strict=False):
        eight = seconds["eight", what]
        table.add(f"eight hosts: {what}, s", eight, "one of them alone", seconds["one", what], "<= 2.5")
        table.add(f"eight hosts: {what}, s", eight, "what one may take", target, "<= 2.5")


def floor(configuration, index_image, proxy_image):
    """What no deployment of these images can be faster than."""
    docker("network", "create", INSTANCE)
    docker(
        *("run", "--detach", "--name", INDEX, "--network", INSTANCE, *CONFINED, "--volume", f"{DATA}:/data"),
        *("--volume", f"{configuration}/index:/etc/index:ro", index_image),
    )
    docker(
        *("run", "--detach", "--name", PROXY, "--network", INSTANCE, *CONFINED, "--group-add", "8141"),
        *("--publish", f"127.0.0.1:{PORT}:8080", "--volume", f"{configuration}/proxy:/etc/nginx/wheelhouse:ro"),
        *(
            "--volume",
            f"{DATA}:/srv/{INSTANCE}:ro",
            "--volume",
            f"{INSTANCE}-proxy-cache:/var/cache/nginx",
            proxy_image,
        ),
    )
    wait_for_index()
    passwords = json.loads((configuration / "secrets/secrets.json").read_text())["passwords"]
    login = requests.post(
        f"{URL}/+login", json={"user": "root", "password": passwords["root"]}, headers=JSON, timeout=10
    )
    root = ("root", login.json()["result"]["password"])
    for path, body in {
        "pypi": {"password": passwords["pypi"]},
        "pypi/stable": {"bases": "root/pypi", "volatile": False},
    }.items():
        requests.put(f"{URL}/{path}", json=body, auth=root, headers=JSON, timeout=10).raise_for_status()


def wait_for_index():
    path = Path(docker("volume", "inspect", "--format", "{{.Mountpoint}}", DATA), "run/index.sock")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.connect(str(path))
                connection.sendall(b"GET /+api HTTP/1.0\r\nAccept: application/json\r\n\r\n")
                if b" 200 " in connection.recv(64):
                    return
        except OSError:
            time.sleep(0.01)
    sys.exit("The index does not answer.")


def peak_memory(index):
    """In MB, of the server in the container of an index."""
    processes = docker("top", index, "-eo", "pid,args").splitlines()[1:]
    pid = next(process.split()[0] for process in processes if "serve_index.py" in process)
    status = Path("/proc", pid, "status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1000


def size(image):
    return int(docker("inspect", "--format", "{{.Size}}", image)) / 1e6


@contextmanager
def clock(seconds, name):
    begun = time.monotonic()
    yield
    seconds[name] = time.monotonic() - begun
