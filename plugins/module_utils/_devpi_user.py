# Copyright: The wheelhouse.pypi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it can change in any release. From outside, use the modules.
"""What the modules do for a user of a devpi server."""

from __future__ import annotations

from ansible_collections.wheelhouse.pypi.plugins.module_utils._devpi import (
    DevpiError,
    Part,
    check_name,
    refuse_unless_unused,
)

OPTIONS = ("email", "title", "description", "custom_data")
ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "password": {"type": "str", "no_log": True},
    "update_password": {
        "type": "str",
        "choices": ["on_create", "always"],
        "default": "on_create",
        "no_log": False,
    },
    "email": {"type": "str"},
    "title": {"type": "str"},
    "description": {"type": "str"},
    "custom_data": {"type": "raw"},
    "force": {"type": "bool", "default": False},
}


def ensure(part: Part) -> None:
    """Have the user as its options say, or not at all."""
    name = check_name("name", part.params["name"], "user")
    {"present": present, "absent": absent}[part.params["state"]](part, name)


def present(part: Part, name: str) -> None:
    before = part.client.get_user(name)
    given = {option: part.params[option] for option in OPTIONS if part.params[option] is not None}
    # An empty string removes; the server answers null with an internal error.
    changes = {option: value or "" for option, value in given.items() if (value or None) != before.get(option)}
    after = {k: v for k, v in {"name": name, "indexes": [], **before, **changes}.items() if v != ""}
    part.result["user"] = after

    if password_is_due(part, name, exists=bool(before)):
        changes["password"] = part.params["password"]
        before = before and {**before, "password": "another"}
        after = {**after, "password": "as given"}
    if part.announce(before, after) and not part.check_mode:
        write = part.client.change_user if before else part.client.create_user
        part.result["user"] = write(name, changes)


def password_is_due(part: Part, name: str, exists: bool) -> bool:
    """Whether to send the password. The one that is set cannot be read, so logging in with the wanted one tells."""
    password = part.params["password"]
    if password == "" or (password is None and not exists):
        raise DevpiError(f"Expected a password for user {name}, got none or an empty one. Set password.")
    if not exists:
        return True
    always = part.params["update_password"] == "always"
    return always and password is not None and not part.client.accepts(name, password)


def absent(part: Part, name: str) -> None:
    if name == "root":
        raise DevpiError("Expected a user that can be deleted, got root: devpi-server never deletes root.")
    before = part.client.get_user(name)
    indexes = part.client.everything()[1] if before.get("indexes") else {}
    doomed = [index for index in indexes if index.startswith(f"{name}/")]
    lasting = [index for index in doomed if not indexes[index]["volatile"]]
    if lasting and not part.params["force"]:
        raise DevpiError(
            f"Expected user {name} to have only volatile indexes, got {', '.join(lasting)} that are not. "
            "Delete them first with devpi_index, or set force: true to delete them with everything in them."
        )
    refuse_unless_unused(part, doomed, indexes)

    part.result["user"] = {}
    if part.announce(before, {}) and not part.check_mode:
        for index in lasting:
            part.client.delete_index(index, volatile=False)
        part.client.delete_user(name)
