# Copyright: The wheelhouse.pypi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks the host's shell whether anything differs, and starts the module M(wheelhouse.pypi.files) only then."""

from __future__ import annotations

import hashlib
import re

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.text.converters import to_bytes
from ansible.plugins.action import ActionBase
from ansible_collections.wheelhouse.pypi.plugins.modules.files import FILE, PLACE
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils._shell import Questions


class ActionModule(ActionBase):
    """What is plainly wanted and as it should be is left alone; all else is the module's, errors too."""

    _supports_check_mode = True
    _supports_diff = True
    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        if self._as_wanted(self._task.args):
            return result | {"changed": False, "paths": [], "diff": []}
        return result | self._execute_module("wheelhouse.pypi.files", module_args=self._task.args, task_vars=task_vars)

    def _as_wanted(self, args):
        directories, files = args.get("directories", []), args.get("files", [])
        if args.keys() - {"directories", "files"} or not isinstance(directories, list) or not isinstance(files, list):
            return False
        if not all(is_plain(wanted, PLACE) for wanted in directories) or not all(
            is_plain(wanted, FILE) for wanted in files
        ):
            return False
        questions = Questions()
        asked = [(questions.attributes(wanted["path"]), wanted) for wanted in [*directories, *files]]
        try:
            questions.put(self)
        except AnsibleActionFail:
            return False
        return all(fits(questions.has(number), wanted) for number, wanted in asked)


def is_plain(wanted, options):
    """Whether it can be compared without the module: a path that needs no expansion, a mode in digits, one content."""
    return (
        isinstance(wanted, dict)
        and not wanted.keys() - options
        and str(wanted.get("path", "")).startswith("/")
        and "$" not in wanted["path"]
        and re.fullmatch("0?[0-7]{3,4}", wanted["mode"] if isinstance(wanted.get("mode"), str) else "") is not None
        and [isinstance(text, str) for text in contents(wanted)] == [True] * ("secret" in options)
    )


def contents(wanted):
    """What a file is to hold, which is one thing where it is well described, and nothing for a directory."""
    return [wanted[option] for option in ("content", "secret") if wanted.get(option) is not None]


def fits(found, wanted):
    """Whether what is there is what is wanted."""
    holds = hashlib.sha256(to_bytes(contents(wanted)[0])).hexdigest() if contents(wanted) else "directory"
    return (
        found is not None
        and found["holds"] == holds
        and found["mode"] == int(wanted["mode"], 8)
        and all(str(wanted[who]) in found[who] for who in ("owner", "group") if wanted.get(who) is not None)
    )
