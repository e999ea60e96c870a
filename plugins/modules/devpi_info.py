#!/usr/bin/python
# Copyright: The wheelhouse.pypi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: devpi_info
short_description: Read users and indexes of a devpi index server
version_added: "0.1.0"
description:
  - Read the version, the users and the indexes of devpi-server over its REST API.
author:
  - The wheelhouse.pypi contributors (!UNKNOWN)
extends_documentation_fragment:
  - wheelhouse.pypi._devpi
attributes:
  check_mode:
    description: Changes nothing, ever.
    support: full
  diff_mode:
    description: Changes nothing, so there is nothing to show.
    support: N/A
  idempotent:
    description: Changes nothing.
    support: full
options:
  login_password:
    description:
      - The password of O(login_user). If it is given, the module logs in before it reads.
      - devpi-server shows users and indexes to everybody, unless a plugin of it forbids that.
    type: str
    required: false
  name:
    description:
      - Read only this user, as C(user), with all indexes of the user, or only this index, as C(user/index).
      - What does not exist is no error, but missing from the result.
    type: str
seealso:
  - module: wheelhouse.pypi.devpi_user
  - module: wheelhouse.pypi.devpi_index
"""

EXAMPLES = r"""
- name: Read everything
  wheelhouse.pypi.devpi_info:
    url: https://pypi.example.com/
  register: devpi

- name: Show indexes that everybody may upload to
  ansible.builtin.debug:
    msg: "{{ devpi.indexes | dict2items | selectattr('value.acl_upload', 'defined')
      | selectattr('value.acl_upload', 'contains', ':ANONYMOUS:') | map(attribute='key') }}"

- name: Read one index
  wheelhouse.pypi.devpi_info:
    url: https://pypi.example.com/
    name: pypi/stable
"""

RETURN = r"""
version:
  description: Version of devpi-server. Null if a proxy takes it out of the answer.
  returned: success
  type: str
  sample: 6.20.3
authenticated:
  description: Whether the module logged in, which it does if O(login_password) is given.
  returned: success
  type: bool
users:
  description:
    - The users by name, each as M(wheelhouse.pypi.devpi_user) returns it.
    - Empty if O(name) is the name of an index.
  returned: success
  type: dict
  sample:
    pypi:
      name: pypi
      email: pypi@example.com
      created: "2026-07-01T10:00:00Z"
      indexes: [pypi/stable]
indexes:
  description: The indexes by full name, each as M(wheelhouse.pypi.devpi_index) returns it.
  returned: success
  type: dict
  sample:
    pypi/stable:
      name: pypi/stable
      type: stage
      volatile: false
      bases: [root/upstream]
      acl_upload: [pypi]
      acl_toxresult_upload: [":ANONYMOUS:"]
      mirror_whitelist: []
      mirror_whitelist_inheritance: intersection
"""

from ansible_collections.wheelhouse.pypi.plugins.module_utils._devpi import (  # noqa: E402  (documentation first)
    DevpiModule,
    check_name,
)


def main() -> None:
    with DevpiModule({"name": {"type": "str"}}, writes=False) as module:
        name = module.params["name"]
        if name is not None:
            check_name("name", name, "user/index" if "/" in name else "user")
        module.result["authenticated"] = module.params["login_password"] is not None
        if module.result["authenticated"]:
            module.client.login()

        users, indexes = module.client.everything()
        if name is not None:
            users = {key: user for key, user in users.items() if key == name}
            indexes = {key: index for key, index in indexes.items() if name in (key, key.split("/")[0])}
        module.result.update(version=module.client.version, users=users, indexes=indexes)


if __name__ == "__main__":
    main()
