# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long what people wait for takes, beside the floor: the same containers started by bare docker commands.

Everything is measured in one run on one machine, with images built before, so that the ratios mean something even where
the seconds do not. The index has a name, a port and data of its own and is gone afterwards. Needs root, like Docker.
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

INSTANCE, PORT = "wheelhouse-bench", 18070
EIGHT = {f"{INSTANCE}-{number}": 18081 + number for number in range(8)}
INDEX, PROXY, DATA = f"{INSTANCE}-index", f"{INSTANCE}-proxy", f"{INSTANCE}-data"
URL = f"http://localhost:{PORT}"
CONFIGURATION = Path("/etc/wheelhouse", INSTANCE)
CONFINED = ["--init", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--tmpfs", "/tmp"]  # noqa: S108 - inside the container
JSON = {"Accept": "application/json"}


def main():
    with tempfile.TemporaryDirectory() as place:
        play = player(local_inventory(Path(place), INSTANCE, PORT))
        say("Building the images, unmeasured.")
        play("up_pypi.yml", "--tags", "container_engine,container_image")
        try:
            rows, values = measure(play, Path(place))
            values |= measure_eight(rows, Path(place))
        finally:
            play("playbooks/destroy.yml", "--extra-vars", '{"pypi_server_purge": true}')
    print_table(rows, values)


def player(inventory):
    """Runs a playbook against an inventory, and ends the bench where one fails."""

    def play(name, *arguments):
        result = run(BIN / "ansible-playbook", "--inventory", inventory, name, *arguments)
        if result.returncode:
            sys.exit(str(result))
        return result

    return play


def measure(play, place):
    rows = {}
    skip = ("--skip-tags", "pypi_verify")

    say("From nothing to users and indexes.")
    with clock(rows, "up: nothing → users and indexes", 20):
        play("up_pypi.yml", *skip)
    say("Again, unchanged.")
    with clock(rows, "up again, unchanged", 12):
        result = play("up_pypi.yml", *skip)
    if result.changed:
        sys.exit(f"The second run changed something:\n{result}")
    say("Verification.")
    with clock(rows, "verify", 20):
        play("playbooks/verify.yml")

    say("Start of the index.")
    docker("stop", INDEX)
    with clock(rows, "index: start → first answer", 1.5):
        docker("start", INDEX)
        wait_for_index()
    sizes = {
        "index: peak memory, MB": (peak_memory(), 150),
        "image of the index, MB": (size(docker("inspect", "--format", "{{.Config.Image}}", INDEX)), 180),
        "image of the proxy, MB": (size(docker("inspect", "--format", "{{.Config.Image}}", PROXY)), 90),
    }

    say("The floor: the same containers by bare docker commands.")
    images = [docker("inspect", "--format", "{{.Config.Image}}", name) for name in (INDEX, PROXY)]
    shutil.copytree(CONFIGURATION, place / "configuration", symlinks=True)
    for path in (CONFIGURATION / "index").rglob("*"):
        shutil.chown(place / "configuration/index" / path.name, path.stat().st_uid, path.stat().st_gid)
    shutil.chown(place / "configuration/index", group=(CONFIGURATION / "index").stat().st_gid)
    place.chmod(0o755)
    play("playbooks/destroy.yml")
    docker("volume", "rm", DATA)
    with clock(rows, "floor: bare docker commands", None):
        floor(place / "configuration", *images)
    docker("rm", "--force", INDEX, PROXY)
    docker("network", "rm", INSTANCE)
    docker("volume", "rm", f"{INSTANCE}-proxy-cache")
    return rows, sizes


def measure_eight(rows, place):
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
    one, up = next(iter(EIGHT)), ("up_pypi.yml", "--skip-tags", "pypi_verify")
    try:
        for count, limit in ("one", ("--limit", one)), ("eight", ()):
            say(f"{count.capitalize()} of eight hosts, from nothing and again.")
            with clock(rows, f"{count} of eight hosts: up", None):
                play(*up, *limit)
            with clock(rows, f"{count} of eight hosts: again", None):
                play(*up, *limit)
            if count == "one":
                play("playbooks/destroy.yml", *limit)
                docker("volume", "rm", f"{one}-data")
    finally:
        play("playbooks/destroy.yml", "--extra-vars", '{"pypi_server_purge": true}')
    return {
        f"eight hosts, x one: {what}": (
            rows[f"eight of eight hosts: {what}"][0] / rows[f"one of eight hosts: {what}"][0],
            2.5,
        )
        for what in ("up", "again")
    }


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


def peak_memory():
    processes = docker("top", INDEX, "-eo", "pid,args").splitlines()[1:]
    pid = next(process.split()[0] for process in processes if "serve_index.py" in process)
    status = Path("/proc", pid, "status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1000


def size(image):
    return int(docker("inspect", "--format", "{{.Size}}", image)) / 1e6


@contextmanager
def clock(rows, name, target):
    begun = time.monotonic()
    yield
    rows[name] = (time.monotonic() - begun, target)


def say(what):
    print(what, file=sys.stderr, flush=True)


def print_table(rows, values):
    floor_seconds = rows["floor: bare docker commands"][0]
    print(f"\n{'':34}{'seconds':>9}{'x floor':>9}{'target':>9}")
    for name, (seconds, target) in rows.items():
        print(f"{name:34}{seconds:9.1f}{seconds / floor_seconds:9.1f}{verdict(seconds, target):>16}")
    print(f"\n{'':34}{'value':>9}{'':9}{'target':>9}")
    for name, (value, target) in values.items():
        print(f"{name:34}{value:9.3g}{'':9}{verdict(value, target):>16}")


def verdict(value, target):
    return "" if target is None else f"≤ {target:g} {'met' if value <= target else 'missed'}"


if __name__ == "__main__":
    main()
