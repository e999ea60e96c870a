# Copyright: The wheelhouse.pypi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it can change in any release. From outside, use the modules.
"""What the modules do for an index of a devpi server."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.wheelhouse.pypi.plugins.module_utils._devpi import (
    CONSTRAINED_FIELDS,
    INDEX_FIELDS,
    MIRROR_FIELDS,
    STAGE_FIELDS,
    DevpiError,
    Part,
    check_name,
    refuse_unless_unused,
)

PROJECT = r"\*|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
VERSIONS = r" *(===|==|~=|!=|<=|>=|<|>) *[A-Za-z0-9.*+!_-]+"
CONSTRAINT = rf"({PROJECT})((?<!\*){VERSIONS}( *,{VERSIONS})*)?"
SETS = ("acl_upload", "acl_toxresult_upload", "mirror_whitelist", "constraints")
STRINGS = {"type": "list", "elements": "str"}
ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "type": {"type": "str", "choices": ["stage", "mirror", "constrained"]},
    "volatile": {"type": "bool"},
    "bases": STRINGS,
    "acl_upload": STRINGS,
    "acl_toxresult_upload": STRINGS,
    "mirror_whitelist": STRINGS,
    "mirror_whitelist_inheritance": {"type": "str", "choices": ["intersection", "union"]},
    "mirror_url": {"type": "str"},
    "mirror_web_url_fmt": {"type": "str"},
    "mirror_cache_expiry": {"type": "int"},
    "mirror_no_project_list": {"type": "bool"},
    "mirror_use_external_urls": {"type": "bool"},
    "mirror_ignore_serial_header": {"type": "bool"},
    "mirror_provides_core_metadata": {"type": "bool"},
    "constraints": STRINGS,
    "title": {"type": "str"},
    "description": {"type": "str"},
    "custom_data": {"type": "raw"},
    "force": {"type": "bool", "default": False},
}


def ensure(part: Part) -> None:
    """Have the index as its options say, or not at all."""
    name = check_name("name", part.params["name"], "user/index")
    {"present": present, "absent": absent}[part.params["state"]](part, name)


def present(part: Part, name: str) -> None:
    given = {o: as_stored(o, part.params[o]) for o in INDEX_FIELDS if part.params[o] is not None}
    before = part.client.get_index(name)
    kind = before.get("type") or part.params["type"] or "stage"
    check_fit(name, kind, part.params["type"] or kind, given, exists=bool(before))

    changes = {option: value for option, value in given.items() if not same(option, value, before.get(option, ""))}
    removed = [option for option, value in changes.items() if value == ""]
    after = {k: v for k, v in {"name": name, "type": kind, **before, **changes}.items() if k not in removed}
    if not before or "bases" in changes:
        check_surroundings(part, name, changes.get("bases", []))

    part.result["index"] = after
    if part.announce(before, after) and not part.check_mode:
        kept = {option: value for option, value in changes.items() if option not in removed}
        if before:
            part.result["index"] = part.client.change_index(name, kept, removed)
        else:
            part.result["index"] = part.client.create_index(name, {"type": kind, **kept})


def as_stored(option: str, value: Any) -> Any:
    """The value as devpi-server stores it, so that it can be compared. What it would store as nonsense is refused."""
    if option == "mirror_url" and not re.fullmatch(r"https?://[!-~]+", value):
        raise DevpiError("Expected mirror_url to be a URL, http:// or https://; without one the server cannot run.")
    if option == "mirror_cache_expiry" and value < 0:
        raise DevpiError(f"Expected mirror_cache_expiry in seconds, 0 or more, got {value}.")
    if not isinstance(value, list) or option == "custom_data":
        return value
    if option == "constraints":
        return constraints_as_stored(value)
    for entry in value:
        if not re.fullmatch(PROJECT if option == "mirror_whitelist" else r"(?! )[ -~]+(?<! )", entry):
            raise DevpiError(f"Expected {option} to be a list of names, got {entry!a} in it. Correct or remove it.")
    if option == "mirror_whitelist":
        value = [normalised(entry) for entry in value]
    if option in ("acl_upload", "acl_toxresult_upload"):
        value = [entry.upper() if entry.upper() in (":ANONYMOUS:", ":AUTHENTICATED:") else entry for entry in value]
    return list(dict.fromkeys(value))


def constraints_as_stored(constraints: list[str]) -> list[str]:
    """Constraints in one spelling: devpi-constrained heeds only those whose project is in its normalised one."""
    found: dict[str, str] = {}
    for constraint in constraints:
        match = re.fullmatch(CONSTRAINT, constraint)
        if not match:
            raise DevpiError(
                "Expected constraints to be a list of a project and its versions each, such as 'django>=4.2,<6', or "
                f"'*', got {constraint!a} in it. Correct or remove it."
            )
        project = normalised(match[1])
        versions = constraint[match.end(1) :].replace(" ", "").split(",")
        stored = project + ",".join(sorted(versions))
        if found.setdefault(project, stored) != stored:
            raise DevpiError(f"Expected one constraint for each project, got two for {project}. Join them by a comma.")
    return list(found.values())


def normalised(project: str) -> str:
    return re.sub(r"[^a-z0-9*]+", "-", project.lower())


def same(option: str, wanted: Any, current: Any) -> bool:
    return wanted == current or (option in SETS and current != "" and set(wanted) == set(current))


def check_fit(name: str, kind: str, wanted_kind: str, given: dict[str, Any], exists: bool) -> None:
    if wanted_kind != kind:
        raise DevpiError(
            f"Expected {name} to be a {wanted_kind}, got a {kind}, and no index can change its type. "
            f"Take another name, or delete {name} first."
        )
    others = STAGE_FIELDS if kind == "mirror" else MIRROR_FIELDS
    if kind != "constrained":
        others = others | CONSTRAINED_FIELDS
    foreign = sorted(given.keys() & others.keys())
    if foreign:
        raise DevpiError(f"Expected only options of a {kind} for {name}, got {', '.join(foreign)}. Remove them.")
    if kind == "mirror" and not exists and "mirror_url" not in given:
        raise DevpiError(f"Expected mirror_url for the new mirror {name}, got none; without one the server cannot run.")


def check_surroundings(part: Part, name: str, bases: list[str]) -> None:
    """Refuse an index without its user, and bases that are not there or lead back to the index."""
    users, indexes = part.client.everything()
    owner = name.split("/")[0]
    if owner not in users:
        part.complain(
            f"Expected user {owner} of {name} to exist, got only {', '.join(sorted(users))}. "
            "Create it first with devpi_user."
        )
    missing = [base for base in bases if base not in indexes and base != name]
    if missing:
        part.complain(f"Expected bases that exist, got {', '.join(missing)}. There are: {', '.join(sorted(indexes))}.")
    seen: set[str] = set()
    trails = [[name, base] for base in bases]
    while trails:
        trail = trails.pop()
        if trail[-1] == name:
            raise DevpiError(f"Expected bases that do not lead back to {name}, got {' -> '.join(trail)}.")
        if trail[-1] not in seen:
            seen.add(trail[-1])
            trails += [[*trail, base] for base in indexes.get(trail[-1], {}).get("bases", [])]


def absent(part: Part, name: str) -> None:
    before = part.client.get_index(name)
    part.result["index"] = {}
    if before and not before["volatile"] and not part.params["force"]:
        raise DevpiError(
            f"Expected {name} to be volatile, got one that is not, which protects its releases. "
            "Set force: true to delete it with everything in it."
        )
    if before:
        refuse_unless_unused(part, [name], part.client.everything()[1])
    if part.announce(before, {}) and not part.check_mode:
        part.client.delete_index(name, before["volatile"])
