# Copyright: The wheelhouse.pypi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several questions to a host in one command of its shell, without a start of Python there.

A script asks them, and each answer is one line of its output: a mark, the number of the question, what came out in
base64. So an answer may hold anything, and what else a host or the way there writes is told from answers.
"""

from __future__ import annotations

import base64
from shlex import quote

from ansible.errors import AnsibleActionFail

MARK = "wheelhouse-answer"
# Each takes the number of its question first. What a command says comes before its return code, which is of digits.
FUNCTIONS = f"""
answer() {{ printf '{MARK} %s %s\\n' "$1" "$(base64 | tr -d '\\n')"; }}
read_file() {{ if test -e "$2"; then if cat "$2" > /dev/null; then answer "$1" < "$2"; else exit 3; fi; fi; }}
is_there() {{ if test -e "$2" || test -L "$2"; then answer "$1" < /dev/null; fi; }}
attributes() {{ if test -e "$2"; then {{ stat -L -c '%a|%u|%U|%g|%G' "$2"; holds "$2"; }} | answer "$1"; fi; }}
holds() {{ if test -d "$1"; then echo directory; elif test -f "$1" && ! test -L "$1"; then sha256sum < "$1"; fi; }}
run() {{ number=$1; shift; {{ "$@" < /dev/null; printf '\\n%s' "$?"; }} | answer "$number"; }}
"""


class Questions:
    """What to ask, and how to read what came back."""

    def __init__(self):
        self.lines = []
        self.answers = {}

    def _ask(self, function, *words):
        number = len(self.lines)
        self.lines.append(" ".join([function, str(number), *map(quote, words)]))
        return number

    def read(self, path):
        return self._ask("read_file", path)

    def there(self, path):
        return self._ask("is_there", path)

    def run(self, *argv):
        return self._ask("run", *argv)

    def attributes(self, path):
        return self._ask("attributes", path)

    def put(self, action):
        """Ask the host of a task, as the task's user and with its environment."""
        script = FUNCTIONS + "\n".join(self.lines)
        command = " ".join(filter(None, [action._compute_environment_string(), "/bin/sh -c", quote(script)]))
        result = action._low_level_execute_command(command)
        others = []
        for line in result["stdout"].splitlines():
            mark, _space, answer = line.partition(" ")
            if mark == MARK:
                number, _space, text = answer.partition(" ")
                self.answers[int(number)] = base64.b64decode(text)
            elif line.strip():
                others.append(line)
        if result["rc"]:
            words = "\n".join([*others, result["stderr"].strip()]).strip()
            raise AnsibleActionFail(
                f"The host could not be asked: {words or 'the shell ended with ' + str(result['rc'])}"
            )

    def content(self, number):
        """What a file holds, or nothing where there is none."""
        return self.answers.get(number)

    def ran(self, number):
        """How a command ended and what it said."""
        text, _break, code = self.answers[number].rpartition(b"\n")
        return int(code), text

    def has(self, number):
        """What a path has: mode, name and number of owner and group, and "directory" or the SHA-256 of its content."""
        lines = self.answers.get(number, b"").decode().splitlines()
        if len(lines) != 2:
            return None
        mode, uid, owner, gid, group = lines[0].split("|")
        return {"mode": int(mode, 8), "owner": {uid, owner}, "group": {gid, group}, "holds": lines[1].split(" ")[0]}
