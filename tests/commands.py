# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run this project's own commands, and Docker's, the way a person types them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import yaml
from tree import ROOT

BIN = Path(sys.executable).parent
LONG = bool(os.environ.get("WHEELHOUSE_LONG"))  # all that `make test` has no time for


@dataclass
class Result:
    """How a command of this project ended."""

    returncode: int
    output: str

    @property
    def changed(self):
        """How many tasks changed something, on all hosts."""
        counts = re.findall(r"changed=(\d+)", self.output)
        assert counts, self.output
        return sum(map(int, counts))

    def says(self, sentence):
        """Whether the output has the sentence, wherever its lines are broken."""
        return sentence in " ".join(self.output.split())

    def __str__(self):
        blocks = re.split(r"\n(?=\S)", self.output)
        errors = [block[:2000] for block in blocks if block.startswith(("[ERROR]", "fatal:"))]
        return "\n".join([*errors, "...", self.output[-4000:]])


def run(*command, cwd=ROOT, **environment):
    """Run a command from the checkout, or a copy of it, as a person would from a shell of their own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=clean | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"} | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Result(done.returncode, done.stdout)


def docker(*arguments):
    """What a docker command prints."""
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def poll(condition, seconds):
    """Wait until the condition holds, and fail when it does not within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {seconds} s"
        time.sleep(0.1)


def checkout(place, instance, port):
    """A copy of this checkout, by links, whose local inventory is for an index with a name and a port of its own."""
    place.mkdir(exist_ok=True)
    for path in ROOT.iterdir():
        if path.name not in (".git", "build", "docs", "inventories"):
            (place / path.name).symlink_to(path)
    shutil.copytree(ROOT / "docs", place / "docs")
    shutil.copytree(ROOT / "inventories", place / "inventories")
    variables = place / "inventories/local/host_vars/localhost.yml"
    variables.parent.mkdir()
    variables.write_text(yaml.safe_dump({"pypi_server_instance": instance, "nginx_proxy_port": port}))
    return place


def local_inventory(place, instance, port):
    """The shipped local inventory, for an index with a name, a port and client files of its own."""
    inventory = place / "inventory"
    shutil.copytree(ROOT / "inventories/local", inventory)
    (inventory / "host_vars").mkdir()
    settings = {
        "pypi_server_instance": instance,
        "nginx_proxy_port": port,
        "pypi_client_directory": str(place / "clients"),
    }
    (inventory / "host_vars/localhost.yml").write_text(yaml.safe_dump(settings))
    return inventory
