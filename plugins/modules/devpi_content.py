#!/usr/bin/python
# Copyright: The wheelhouse.pypi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: devpi_content
short_description: Manage all users and indexes of a devpi index server in one step
version_added: "1.0.0"
description:
  - Does for lists of users and indexes what M(wheelhouse.pypi.devpi_user) and M(wheelhouse.pypi.devpi_index) do for
    one, in the order of the lists, users first. One start of Python and one login serve all of them.
  - An option that does not exist, or is of another type, is refused before anything is written. What is refused later
    ends the run there; what came before it stays, and the next run goes on.
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
  users:
    description:
      - Users, each a dictionary of the options of M(wheelhouse.pypi.devpi_user) but C(password).
    type: list
    elements: dict
    default: []
  passwords:
    description:
      - The passwords of users, by their names. Those of users that O(users) does not have are left alone.
    type: dict
    default: {}
  indexes:
    description:
      - Indexes, each a dictionary of the options of M(wheelhouse.pypi.devpi_index). A base comes before what builds on
        it.
    type: list
    elements: dict
    default: []
notes:
  - Unlike the modules for one it always logs in, so a wrong O(login_password) is told even where nothing changes.
seealso:
  - module: wheelhouse.pypi.devpi_user
  - module: wheelhouse.pypi.devpi_index
"""

EXAMPLES = r"""
- name: Have the users and indexes of the team
  wheelhouse.pypi.devpi_content:
    url: https://pypi.example.com/
    login_password: "{{ vault_devpi_root_password }}"
    users:
      - name: pypi
        email: pypi@example.com
      - name: alice
        state: absent
    passwords: "{{ vault_devpi_passwords }}"
    indexes:
      - name: pypi/upstream
        type: mirror
        mirror_url: https://mirror.example.com/simple/
      - name: pypi/stable
        bases: [pypi/upstream]
        volatile: false
"""

RETURN = r"""
users:
  description: The users as M(wheelhouse.pypi.devpi_user) returns each, by name.
  returned: success
  type: dict
  sample: {pypi: {name: pypi, indexes: [pypi/stable]}, alice: {}}
indexes:
  description: The indexes as M(wheelhouse.pypi.devpi_index) returns each, by name.
  returned: success
  type: dict
  sample: {pypi/stable: {name: pypi/stable, type: stage, volatile: false, bases: [root/pypi]}}
"""

from typing import Any  # noqa: E402  (documentation first)

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator  # noqa: E402  (documentation first)
from ansible_collections.wheelhouse.pypi.plugins.module_utils import (  # noqa: E402  (documentation first)
    _devpi_index,
    _devpi_user,
)
from ansible_collections.wheelhouse.pypi.plugins.module_utils._devpi import (  # noqa: E402  (documentation first)
    DevpiError,
    DevpiModule,
    PartOf,
)

KINDS = {"users": ("user", _devpi_user), "indexes": ("index", _devpi_index)}


def main() -> None:
    with DevpiModule(
        {
            "users": {"type": "list", "elements": "dict", "default": []},
            "passwords": {"type": "dict", "default": {}, "no_log": True},
            "indexes": {"type": "list", "elements": "dict", "default": []},
        }
    ) as module:
        parts = [(option, part(module, option, given)) for option in KINDS for given in module.params[option]]
        module.client.login()
        module.result.update(users={}, indexes={}, diff=[])
        for option, one in parts:
            have(module.result, option, one)


def part(module: DevpiModule, option: str, given: dict[str, Any]) -> PartOf:
    """What is wanted of one, with defaults; refused where the module for one would refuse it."""
    name = given.get("name", "without a name")
    if "password" in given:
        raise DevpiError(
            f"{option}, {name}: Expected no password here, got one. Set it in passwords, by the user's name."
        )
    if option == "users" and name in module.params["passwords"]:
        given = {**given, "password": module.params["passwords"][name]}
    validated = ArgumentSpecValidator(KINDS[option][1].ARGUMENTS).validate(given)
    if validated.error_messages:
        raise DevpiError(f"{option}, {name}: {'. '.join(validated.error_messages)}.")
    return PartOf(module, validated.validated_parameters)


def have(result: dict[str, Any], option: str, one: PartOf) -> None:
    """Have one as it is wanted, and add to the result what came of it."""
    name = one.params["name"]
    kind, logic = KINDS[option]
    try:
        logic.ensure(one)
    except DevpiError as error:
        raise DevpiError(f"{kind} {name}: {error}") from error
    result[option][name] = one.result[kind]
    if one.check_mode:
        one.client.foresee(kind, name, one.result[kind])
    if one.result["changed"]:
        result["changed"] = True
        result["diff"].append({"before_header": name, "after_header": name, **one.result["diff"]})


if __name__ == "__main__":
    main()
