# Copyright: The wheelhouse.pypi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole of M(wheelhouse.pypi.look), which no module on the host takes part in."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.text.converters import to_text
from ansible.plugins.action import ActionBase
from ansible_collections.wheelhouse.pypi.plugins.plugin_utils._shell import Questions


class ActionModule(ActionBase):
    """Asks the host, and changes nothing."""

    _supports_check_mode = True
    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, wanted = self.validate_argument_spec(
            argument_spec={
                "files": {"type": "list", "elements": "str", "default": []},
                "paths": {"type": "list", "elements": "str", "default": []},
                "commands": {"type": "dict", "default": {}},
            }
        )
        for name, argv in wanted["commands"].items():
            if not isinstance(argv, list) or not argv:
                raise AnsibleActionFail(
                    f"Expected commands.{name} to be a list of words, got {argv!r}. Write [id, -u]."
                )
        questions = Questions()
        files = {path: questions.read(path) for path in wanted["files"]}
        paths = {path: questions.there(path) for path in wanted["paths"]}
        commands = {name: questions.run(*map(str, argv)) for name, argv in wanted["commands"].items()}
        questions.put(self)
        return result | {
            "changed": False,
            "files": {
                path: to_text(questions.content(asked)) for path, asked in files.items() if asked in questions.answers
            },
            "paths": [path for path, asked in paths.items() if asked in questions.answers],
            "commands": {name: self._told(*questions.ran(asked)) for name, asked in commands.items()},
        }

    @staticmethod
    def _told(code, text):
        stdout = to_text(text, errors="surrogate_or_replace").rstrip("\r\n")
        return {"rc": code, "stdout": stdout, "stdout_lines": stdout.splitlines()}
