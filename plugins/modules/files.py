#!/usr/bin/python
# Copyright: The wheelhouse.pypi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: files
short_description: Have directories and small files, all in one step
version_added: "1.0.0"
description:
  - Makes directories and writes files of given content, with owner, group and mode, and changes only what differs.
  - M(ansible.builtin.file) and M(ansible.builtin.copy) do that one by one, and each costs a start of Python on the host
    (a copy two), which is most of what a task takes. A directory, a configuration and two secrets are one step here.
  - Where nothing differs the host's shell says so, and Python is not started there at all.
  - All files or none are written. Each is complete, with owner and mode, before it takes the place of an old one.
author:
  - The wheelhouse.pypi contributors (!UNKNOWN)
attributes:
  action:
    description: The comparison comes from the controller, the changes from the module on the host.
    support: full
  check_mode:
    description: Says what it would change, and changes nothing. O(files[].validate) is not run.
    support: full
  diff_mode:
    description: Shows the content of each file that changes, but for O(files[].secret).
    support: full
  idempotent:
    description: What is as it should be is left alone.
    support: full
options:
  directories:
    description: Directories to have. A parent that is missing is made too, with the usual mode.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: An absolute path. A link to a directory is followed.
        type: path
        required: true
      owner:
        description: User who owns it, by name or number. Without it, whoever the module runs as makes it.
        type: str
      group:
        description: Group that owns it, by name or number. Without it, the group of whoever the module runs as.
        type: str
      mode:
        description: Its permissions, as M(ansible.builtin.file) takes them.
        type: raw
        required: true
  files:
    description: Files to have, after the directories.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: An absolute path. A link that is there is replaced, and what it leads to is left alone.
        type: path
        required: true
      content:
        description: What is in it, as text. Either this or O(files[].secret) is required.
        type: str
      secret:
        description: The same for what nobody may see, so it is not shown by any verbosity or difference.
        type: str
      owner:
        description: User who owns it, by name or number. Without it, whoever the module runs as writes it.
        type: str
      group:
        description: Group that owns it, by name or number. Without it, the group of whoever the module runs as.
        type: str
      mode:
        description: Its permissions, as M(ansible.builtin.file) takes them.
        type: raw
        required: true
      validate:
        description:
          - A command that has to succeed before anything is written, with C(%s) for the path of the new file.
          - It is run without a shell, and only if the content is another than what is there.
        type: str
seealso:
  - module: ansible.builtin.copy
  - module: ansible.builtin.file
"""

EXAMPLES = r"""
- name: Have the configuration
  wheelhouse.pypi.files:
    directories:
      - {path: /etc/example, mode: "0755"}
      - {path: /etc/example/secrets, group: example, mode: "0750"}
    files:
      - path: /etc/example/example.conf
        content: "{{ lookup('ansible.builtin.template', 'example.conf.j2') }}"
        mode: "0644"
        validate: example --check %s
      - path: /etc/example/secrets/token
        secret: "{{ example_token }}"
        group: example
        mode: "0640"
  notify: Reload example
"""

RETURN = r"""
paths:
  description: What was made, written, or given another owner or mode. In check mode, what would be.
  returned: success
  type: list
  elements: str
  sample: [/etc/example/example.conf]
stdout:
  description: What the command wrote that refused a file.
  returned: when a file was refused
  type: str
stderr:
  description: What the command wrote as errors that refused a file.
  returned: when a file was refused
  type: str
"""

import os  # noqa: E402  (documentation first)
import tempfile  # noqa: E402  (documentation first)

from ansible.module_utils.basic import AnsibleModule  # noqa: E402  (documentation first)
from ansible.module_utils.common.text.converters import to_bytes, to_text  # noqa: E402  (documentation first)

PLACE = {
    "path": {"type": "path", "required": True},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "raw", "required": True},
}
FILE = {
    **PLACE,
    "content": {"type": "str"},
    "secret": {"type": "str", "no_log": True},
    "validate": {"type": "str"},
}


class Files:
    """Directories and files on this host, and what of them had to change."""

    def __init__(self, module):
        self.module = module
        self.paths = []
        self.diff = []
        self.staged = {}  # the new files by path, each beside the one whose place it takes

    def directory(self, wanted):
        path = wanted["path"]
        if os.path.isdir(path):
            self.have_attributes(wanted | {"path": os.path.realpath(path)})
            return
        if os.path.lexists(path):
            self.refuse(path, "something that is no directory")
        self.paths.append(path)
        if not self.module.check_mode:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.mkdir(path, 0o700)
            self.set_attributes(path, wanted)

    def file(self, wanted):
        path = wanted["path"]
        if os.path.isdir(path) and not os.path.islink(path):
            self.refuse(path, "a directory")
        content = to_bytes(wanted["content"] if wanted["secret"] is None else wanted["secret"])
        before = self.read(path)
        if content == before:
            self.have_attributes(wanted)
            return
        self.paths.append(path)
        if wanted["secret"] is None:
            before = to_text(before or b"", errors="surrogate_or_replace")
            self.diff.append(
                {"before": before, "before_header": path, "after": wanted["content"], "after_header": path}
            )
        if not self.module.check_mode:
            self.stage(path, content, wanted)

    def stage(self, path, content, wanted):
        handle, new = tempfile.mkstemp(dir=os.path.dirname(path), prefix=f".{os.path.basename(path)}.")
        self.staged[path] = new
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        if wanted["validate"] is not None:
            code, out, err = self.module.run_command(wanted["validate"].replace("%s", new))
            if code:
                self.module.fail_json(
                    f"{path}: the new content was refused, so nothing was written. {(err or out).strip()}",
                    stdout=out,
                    stderr=err,
                )
        self.set_attributes(new, wanted)

    def commit(self):
        for path in list(self.staged):
            os.replace(self.staged[path], path)
            del self.staged[path]

    def clean(self):
        for new in self.staged.values():
            os.unlink(new)

    def have_attributes(self, wanted):
        if self.set_attributes(wanted["path"], wanted):
            self.paths.append(wanted["path"])

    def set_attributes(self, path, wanted):
        attributes = self.module.load_file_common_arguments(wanted, path=path)
        return self.module.set_fs_attributes_if_different(attributes, changed=False)

    def read(self, path):
        """What is in a file, or nothing where none is, or a link in its place."""
        if os.path.islink(path) or not os.path.exists(path):
            return None
        with open(path, "rb") as file:
            return file.read()

    def refuse(self, path, what):
        self.module.fail_json(f"{path}: got {what} in its place. Move it away and run again.")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "directories": {"type": "list", "elements": "dict", "default": [], "options": PLACE},
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": FILE,
                "mutually_exclusive": [("content", "secret")],
                "required_one_of": [("content", "secret")],
            },
        },
        supports_check_mode=True,
    )
    files = Files(module)
    try:
        for wanted in module.params["directories"]:
            files.directory(wanted)
        for wanted in module.params["files"]:
            files.file(wanted)
        files.commit()
    except OSError as error:
        module.fail_json(f"{error.filename}: {error.strerror}.")
    finally:
        files.clean()
    module.exit_json(changed=bool(files.paths), paths=files.paths, diff=files.diff)


if __name__ == "__main__":
    main()
