#!/usr/bin/python
# Copyright: The wheelhouse.pypi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: devpi_user
short_description: Manage users of a devpi index server
version_added: "0.1.0"
description:
  - Create, change and delete users of devpi-server over its REST API.
  - What is not given is left alone. What is given empty is removed.
author:
  - The wheelhouse.pypi contributors (!UNKNOWN)
extends_documentation_fragment:
  - wheelhouse.pypi._devpi
attributes:
  check_mode:
    description: Runs without changing anything, and predicts the same difference.
    support: full
  diff_mode:
    description: Shows what changes. Of a password it shows only that it changes.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
options:
  name:
    description:
      - Name of the user.
      - 1 to 64 of the characters C(a-z 0-9 . _ -), with a letter or digit at both ends and no C(..) inside.
        devpi-server itself allows more.
    type: str
    required: true
  state:
    description:
      - V(present) creates or changes the user.
      - V(absent) deletes the user, with all of the user's indexes and everything in them.
        The user V(root) cannot be deleted.
    type: str
    choices: [present, absent]
    default: present
  password:
    description:
      - The user's own password. Needed to create the user, and never empty.
      - Tokens from before a change stay valid until they expire, 10 hours after they were given out.
    type: str
  update_password:
    description:
      - V(on_create) uses O(password) only for a user that is new.
      - V(always) also changes the password of an existing user, unless logging in with it shows that it is
        already set.
    type: str
    choices: [on_create, always]
    default: on_create
  email:
    description:
      - E-mail address. Everybody can read it.
    type: str
  title:
    description:
      - Short text shown with the user.
    type: str
  description:
    description:
      - Longer text shown with the user.
    type: str
  custom_data:
    description:
      - Any value of your own that JSON can hold. Everybody can read it.
    type: raw
  force:
    description:
      - With O(state=absent), also delete indexes that are not volatile, and those that indexes of other users
        have as a base. Those others keep the dangling entry in their C(bases).
    type: bool
    default: false
seealso:
  - module: wheelhouse.pypi.devpi_index
  - module: wheelhouse.pypi.devpi_info
"""

EXAMPLES = r"""
- name: Make the users of the index
  hosts: index
  module_defaults:
    group/wheelhouse.pypi.devpi:
      url: https://pypi.example.com/
      login_password: "{{ vault_devpi_root_password }}"
  tasks:
    - name: Create the user pypi
      wheelhouse.pypi.devpi_user:
        name: pypi
        password: "{{ vault_devpi_pypi_password }}"
        email: pypi@example.com

    - name: Change the password of pypi where it is another
      wheelhouse.pypi.devpi_user:
        name: pypi
        password: "{{ vault_devpi_pypi_password }}"
        update_password: always

    - name: Remove the e-mail address of pypi
      wheelhouse.pypi.devpi_user:
        name: pypi
        email: ""

    - name: Delete the user alice, and her indexes if all are volatile
      wheelhouse.pypi.devpi_user:
        name: alice
        state: absent
"""

RETURN = r"""
user:
  description:
    - The user as the server knows it, in check mode as it would be. Empty when there is none.
    - What is not set is left out.
  returned: success
  type: dict
  contains:
    name:
      description: Name of the user.
      type: str
    email:
      description: E-mail address.
      type: str
    title:
      description: Short text.
      type: str
    description:
      description: Longer text.
      type: str
    custom_data:
      description: The value given as O(custom_data).
      type: raw
    created:
      description: When the server created the user, in UTC.
      type: str
    modified:
      description: When the server last changed the user, in UTC.
      type: str
    indexes:
      description: Full names of the user's indexes, sorted.
      type: list
      elements: str
  sample:
    name: pypi
    email: pypi@example.com
    created: "2026-07-01T10:00:00Z"
    indexes: [pypi/stable]
"""

from ansible_collections.wheelhouse.pypi.plugins.module_utils._devpi import (  # noqa: E402  (documentation first)
    DevpiModule,
)
from ansible_collections.wheelhouse.pypi.plugins.module_utils._devpi_user import (  # noqa: E402  (as above)
    ARGUMENTS,
    ensure,
)


def main() -> None:
    with DevpiModule(ARGUMENTS) as module:
        ensure(module)


if __name__ == "__main__":
    main()
