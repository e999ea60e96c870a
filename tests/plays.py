# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a playbook of this project and read what it did, host by host."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field

from commands import BIN
from tree import ROOT

# Of up_pypi.yml: those that change nothing.
FIRST_PLAYS = {"Refuse an inventory without index hosts", "Refuse bad input before the first change"}


@dataclass
class Run:
    """What a run said: per host the messages of its failures, the plays it came to and its figures."""

    output: str
    returncode: int
    messages: dict = field(default_factory=dict)
    plays: dict = field(default_factory=dict)
    stats: dict = field(default_factory=dict)


def play(playbook, inventory, *arguments):
    """Run a playbook of the checkout with an inventory."""
    done = subprocess.run(
        [BIN / "ansible-playbook", playbook, "-i", inventory, *arguments],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.jsonl"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    run = Run(done.stdout + done.stderr, done.returncode)
    current = None
    for event in map(json.loads, done.stdout.splitlines()):
        if event["_event"] == "v2_playbook_on_play_start":
            current = event["play"]["name"]
        elif event["_event"] == "v2_playbook_on_stats":
            run.stats = event["stats"]
        for host, result in event.get("hosts", {}).items():
            run.plays.setdefault(host, set()).add(current)
            if event["_event"] == "v2_runner_on_failed":
                failed = [item for item in result.get("results", [result]) if item.get("failed")]
                run.messages[host] = "\n".join(item["msg"] for item in failed)
    assert run.stats, run.output
    return run
