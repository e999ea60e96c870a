# Copyright: The wheelhouse.pypi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks the engine whether the container is as told, and starts the module docker_container only where it is not.

What cannot change while a container lives is not read back: Podman gives it in other words than it was told (it spells
out what it drops, adds options of its own to mounts, is silent about logs), so whoever compares would make the
container anew each time. A label of the container says what it was told. What can change is asked for. Whatever
differs, the container is made anew: an engine refuses to give one that runs more than twice its memory.
"""

from __future__ import annotations

import hashlib
import json
from shlex import quote

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.text.converters import to_text
from ansible.module_utils.common.text.formatters import human_to_bytes
from ansible.plugins.action import ActionBase
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils._shell import Questions

OPTIONS = {
    "name": {"type": "str", "required": True},
    "image": {"type": "str", "required": True},
    "instance": {"type": "str", "required": True},
    "network": {"type": "str", "required": True},
    "memory": {"type": "str", "required": True},
    "pids_limit": {"type": "int", "required": True},
    "tmp_size": {"type": "str", "required": True},
    "mounts": {"type": "list", "elements": "dict", "default": []},
    "env": {"type": "dict", "default": {}},
    "groups": {"type": "list", "elements": "str", "default": []},
    "published_ports": {"type": "list", "elements": "str", "default": []},
}
TOLD = "wheelhouse.pypi.told"
RESTARTS = "unless-stopped"
# What is asked of a container, in words that both engines understand.
ASKED = {
    "status": "{{ .State.Status }}",
    "image": "{{ .Image }}",
    "memory": "{{ .HostConfig.Memory }}",
    "pids_limit": "{{ .HostConfig.PidsLimit }}",
    "restarts": "{{ .HostConfig.RestartPolicy.Name }}",
    "networks": "{{ range $name, $_ := .NetworkSettings.Networks }}{{ $name }} {{ end }}",
    "told": f'{{{{ index .Config.Labels "{TOLD}" }}}}',
    "health": "{{ with .State.Health }}{{ .Status }}{{ end }}",  # nothing without a health check
}
FORMAT = "|".join(ASKED.values())


class ActionModule(ActionBase):
    """A container that is as told is left alone; all else is the module's, errors too."""

    _supports_check_mode = True
    _supports_diff = True
    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, wanted = self.validate_argument_spec(argument_spec=OPTIONS)
        lasting = told(wanted)
        mark = hashlib.sha256(json.dumps(lasting, sort_keys=True).encode()).hexdigest()
        found, image, network_missing = self._ask(wanted)
        as_told = found.items() >= expected(wanted, mark, image).items()
        if as_told and found["status"] == "running":
            return result | {"changed": False, "health": found["health"]}

        planned = self._task.check_mode
        if network_missing and not planned:
            self._make_network(wanted["network"])
        args = lasting | {
            "name": wanted["name"],
            "image": wanted["image"],
            "pull": "missing" if planned else "never",  # check mode may come before the image does
            "labels": lasting["labels"] | {TOLD: mark},
            "memory": wanted["memory"],
            "pids_limit": wanted["pids_limit"],
            "restart_policy": RESTARTS,
            "paused": False,
            "recreate": not as_told,
            "comparisons": {"*": "ignore"},
        }
        if not (planned and network_missing):  # one that would only be made cannot be looked up
            args["networks"] = [{"name": wanted["network"]}]
        made = self._execute_module("community.docker.docker_container", module_args=args, task_vars=task_vars)
        state = (made.get("container") or {}).get("State", {})
        changed = network_missing or made.get("changed", False)
        return result | made | {"changed": changed, "health": (state.get("Health") or {}).get("Status", "")}

    def _ask(self, wanted):
        """What there is of the container, by the names of ASKED; the image's id; and whether the network is missing."""
        questions = Questions()
        container = questions.run("docker", "container", "inspect", "--format", FORMAT, wanted["name"])
        image = questions.run("docker", "image", "inspect", "--format", "{{ .Id }}", wanted["image"])
        network = questions.run("docker", "network", "inspect", wanted["network"])
        questions.put(self)
        missing, answer = questions.ran(container)
        found = {} if missing else dict(zip(ASKED, to_text(answer).strip("\n").split("|"), strict=True))
        return found, to_text(questions.ran(image)[1]).strip(), questions.ran(network)[0] != 0

    def _make_network(self, name):
        words = [self._compute_environment_string(), "docker network create", quote(name)]
        made = self._low_level_execute_command(" ".join(filter(None, words)))
        if made["rc"]:
            raise AnsibleActionFail(f"The network {name} could not be made: {made['stderr'].strip()}")


def expected(wanted, mark, image):
    """What there is of a container that is as told, by the names of ASKED."""
    return {
        "image": image,
        "memory": str(human_to_bytes(wanted["memory"].upper())),
        "pids_limit": str(wanted["pids_limit"]),
        "restarts": RESTARTS,
        "networks": wanted["network"] + " ",
        "told": mark,
    }


def told(wanted):
    """What an engine is told of a container that cannot change while it lives, as options of docker_container."""
    return {
        "labels": {"wheelhouse.pypi.instance": wanted["instance"]},
        "networks_cli_compatible": True,
        "read_only": True,
        "init": True,
        "cap_drop": ["ALL"],
        "security_opts": ["no-new-privileges"],
        "log_driver": "json-file",
        "log_options": {"max-size": "10m", "max-file": "3"},
        "tmpfs": [f"/tmp:size={wanted['tmp_size']},mode=1777,nosuid,nodev,noexec"],  # noqa: S108 - inside the container
        "mounts": wanted["mounts"],
        "env": {name: str(value) for name, value in wanted["env"].items()},
        "groups": wanted["groups"],
        "published_ports": wanted["published_ports"],
    }
