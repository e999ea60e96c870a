#!/usr/bin/python
# Copyright: The wheelhouse.pypi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: look
short_description: Read files, see what is there and ask commands, all in one step
version_added: "1.0.0"
description:
  - Asks a host several things in one command of its shell, and changes nothing.
  - M(ansible.builtin.slurp), M(ansible.builtin.stat) and M(ansible.builtin.command) do that one by one, and each costs
    a start of Python on the host, which takes ten times as long as the question. This takes none; the host needs C(sh)
    and C(base64).
author:
  - The wheelhouse.pypi contributors (!UNKNOWN)
attributes:
  action:
    description: All of it is done from the controller, through the connection of the task.
    support: full
  check_mode:
    description: Looks in check mode too.
    support: full
  diff_mode:
    description: There is nothing to show, for nothing changes.
    support: none
options:
  files:
    description: Paths of files of UTF-8 text to read. One that is not there is no error, one that cannot be read is.
    type: list
    elements: str
    default: []
  paths:
    description: Paths of which to tell whether something is there. A link is something, wherever it leads.
    type: list
    elements: str
    default: []
  commands:
    description:
      - Commands to ask, by names of your choice. Each is a list of words, and is run without input, with the
        environment and as the user of the task.
      - How one ends is no error here; C(rc) of what is returned tells it. They must not change anything.
    type: dict
    default: {}
seealso:
  - module: ansible.builtin.slurp
  - module: ansible.builtin.stat
  - module: ansible.builtin.command
"""

EXAMPLES = r"""
- name: Look what there is
  wheelhouse.pypi.look:
    files: [/etc/example/kind.json]
    paths: [/usr/sbin/nginx]
    commands:
      user: [getent, passwd, example]
  register: example_look

- name: Refuse another kind
  ansible.builtin.assert:
    that: example_look.files['/etc/example/kind.json'] | from_json == example_kind
  when: "'/etc/example/kind.json' in example_look.files"
"""

RETURN = r"""
files:
  description: What is in the files that are there, by path.
  returned: success
  type: dict
  sample: {/etc/example/kind.json: '{"backend": "devpi"}'}
paths:
  description: Those of the paths where something is.
  returned: success
  type: list
  elements: str
  sample: [/usr/sbin/nginx]
commands:
  description:
    - How each command ended, by name, as C(rc) (127 where there is no such command), C(stdout) and C(stdout_lines).
      What it writes as errors is not kept.
  returned: success
  type: dict
  sample: {user: {rc: 2, stdout: "", stdout_lines: []}}
"""
