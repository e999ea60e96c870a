#!/usr/bin/python
# Copyright: The wheelhouse.pypi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: devpi_index
short_description: Manage indexes of a devpi index server
version_added: "0.1.0"
description:
  - Create, change and delete indexes of devpi-server over its REST API.
  - What is not given is left alone, a text that is given empty is removed, and a list that is given empty is emptied.
  - An index is a stage, that packages are uploaded to, a mirror of another index, or constrained, which hands through
    from its bases only what its constraints allow. Options of one type are refused for another.
author:
  - The wheelhouse.pypi contributors (!UNKNOWN)
extends_documentation_fragment:
  - wheelhouse.pypi._devpi
attributes:
  check_mode:
    description:
      - Runs without changing anything, and predicts the same difference.
      - A missing user or base, and a base that others still need, are only warnings in check mode,
        because an earlier task may be about to make or delete them.
    support: full
  diff_mode:
    description: Shows what changes. What the server adds by default to a new index is not predicted.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
options:
  name:
    description:
      - Name of the index, as C(user/index). The user has to exist.
      - Each part is 1 to 64 of the characters C(a-z 0-9 . _ -), with a letter or digit at both ends and no C(..)
        inside. devpi-server itself allows more.
    type: str
    required: true
  state:
    description:
      - V(present) creates or changes the index.
      - V(absent) deletes the index and everything in it. See O(force).
    type: str
    choices: [present, absent]
    default: present
  type:
    description:
      - What the index is. An index keeps the type it was created with.
      - By default a new index is a V(stage), and an existing one is what it is.
      - V(constrained) takes no uploads, and otherwise what a stage takes. It needs the plugin devpi-constrained in the
        server, which the images of this collection have.
    type: str
    choices: [stage, mirror, constrained]
  volatile:
    description:
      - Whether releases can be overwritten and the index deleted.
      - V(false) does not stop a user who may upload from deleting a release with C(?force).
      - The server's default is V(true).
    type: bool
  bases:
    description:
      - Full names of the indexes that this one inherits from, in the order they are asked. Not for a mirror.
      - They have to exist, and must not lead back to this index.
    type: list
    elements: str
  acl_upload:
    description:
      - Who may upload. User names, groups as C(:group), V(:ANONYMOUS:) or V(:AUTHENTICATED:). Not for a mirror.
      - The order does not matter. The server's default is the user who owns the index.
    type: list
    elements: str
  acl_toxresult_upload:
    description:
      - Who may upload test results, written as in O(acl_upload). Not for a mirror.
      - The server's default is V(:ANONYMOUS:), which is everybody.
    type: list
    elements: str
  mirror_whitelist:
    description:
      - Projects that may come from a mirror although the stage has a project of that name, or V(*) for all.
        Not for a mirror.
      - Names are normalised and the order does not matter. The server's default is none, which keeps a stranger
        from slipping in a newer release of a private project.
    type: list
    elements: str
  mirror_whitelist_inheritance:
    description:
      - How the whitelists of this index and its bases are joined. Not for a mirror.
      - The server's default is V(intersection).
    type: str
    choices: [intersection, union]
  mirror_url:
    description:
      - URL of the index to mirror, with its C(/simple/) part. Only for a mirror, and needed to create one.
      - Everybody can read it from the server, and so a user name and password in it, too.
        The output of this module hides them.
    type: str
  mirror_web_url_fmt:
    description:
      - Web page of a project at the mirrored index, with C({name}) for its name. Only for a mirror.
    type: str
  mirror_cache_expiry:
    description:
      - Seconds until the server asks the mirrored index again. Only for a mirror.
      - By default what devpi-server was started with.
    type: int
  mirror_no_project_list:
    description:
      - Whether to do without the list of all projects of the mirrored index. Only for a mirror.
    type: bool
  mirror_use_external_urls:
    description:
      - Whether to send clients to the mirrored index for files that are not cached. Only for a mirror.
    type: bool
  mirror_ignore_serial_header:
    description:
      - Whether to ignore serial numbers of the mirrored index, as is needed after O(mirror_url) was pointed
        at another server. Only for a mirror.
    type: bool
  mirror_provides_core_metadata:
    description:
      - Whether the mirrored index has metadata files beside its packages. Only for a mirror.
    type: bool
  constraints:
    description:
      - Requirements such as V(django>=4.2,<6), one for each project; releases outside them are hidden. Only for a
        constrained index.
      - A project that is not named comes through as it is, unless V(*) is in the list, which hides all that are not
        named. The server's default is none, which hides nothing.
      - Only a name and version specifiers, no extras, markers or URLs, which devpi-constrained would ignore.
      - Names are normalised, because devpi-constrained heeds no others, and the order does not matter.
    type: list
    elements: str
  title:
    description:
      - Short text shown with the index.
    type: str
  description:
    description:
      - Longer text shown with the index.
    type: str
  custom_data:
    description:
      - Any value of your own that JSON can hold. Everybody can read it.
    type: raw
  force:
    description:
      - With O(state=absent), also delete an index that is not volatile, or that others have as a base.
        Those others keep the dangling entry in their O(bases).
    type: bool
    default: false
seealso:
  - module: wheelhouse.pypi.devpi_user
  - module: wheelhouse.pypi.devpi_info
"""

EXAMPLES = r"""
- name: Make the indexes
  hosts: index
  module_defaults:
    group/wheelhouse.pypi.devpi:
      url: https://pypi.example.com/
      login_password: "{{ vault_devpi_root_password }}"
  tasks:
    - name: Create a mirror
      wheelhouse.pypi.devpi_index:
        name: root/upstream
        type: mirror
        mirror_url: https://mirror.example.com/simple/
        mirror_cache_expiry: 1800
        volatile: false

    - name: Create an index for releases on top of it
      wheelhouse.pypi.devpi_index:
        name: pypi/stable
        bases: [root/upstream]
        acl_upload: [pypi]
        volatile: false

    - name: Create an index that hands through two projects of the mirror and nothing else
      wheelhouse.pypi.devpi_index:
        name: pypi/approved
        type: constrained
        bases: [root/upstream]
        constraints: ["*", "requests>=2.32", "urllib3>=2,<3"]

    - name: Cut it off from the mirror, and remove its title
      wheelhouse.pypi.devpi_index:
        name: pypi/stable
        bases: []
        title: ""

    - name: Delete an index that is not volatile, with all its releases
      wheelhouse.pypi.devpi_index:
        name: pypi/old
        state: absent
        force: true
"""

RETURN = r"""
index:
  description:
    - The index as the server knows it, in check mode as it would be. Empty when there is none.
    - Options that are not set are left out. Those of other plugins have the names that the server gives them.
  returned: success
  type: dict
  contains:
    name:
      description: Full name of the index.
      type: str
    type:
      description: What the index is, V(stage), V(mirror), V(constrained) or the type of another plugin.
      type: str
    volatile:
      description: Whether releases can be overwritten and the index deleted.
      type: bool
    bases:
      description: Full names of the indexes that it inherits from.
      type: list
      elements: str
    acl_upload:
      description: Who may upload to a stage.
      type: list
      elements: str
    acl_toxresult_upload:
      description: Who may upload test results to a stage.
      type: list
      elements: str
    mirror_whitelist:
      description: Projects of a stage that may come from a mirror, too.
      type: list
      elements: str
    mirror_whitelist_inheritance:
      description: How whitelists are joined.
      type: str
    mirror_url:
      description: URL of the mirrored index, with hidden user name and password.
      type: str
    mirror_web_url_fmt:
      description: Web page of a project at the mirrored index.
      type: str
    mirror_cache_expiry:
      description: Seconds until the mirrored index is asked again.
      type: int
    mirror_no_project_list:
      description: Whether the list of all projects is not used.
      type: bool
    mirror_use_external_urls:
      description: Whether clients are sent to the mirrored index for files.
      type: bool
    mirror_ignore_serial_header:
      description: Whether serial numbers of the mirrored index are ignored.
      type: bool
    mirror_provides_core_metadata:
      description: Whether the mirrored index has metadata files.
      type: bool
    constraints:
      description: What a constrained index hands through.
      type: list
      elements: str
    title:
      description: Short text.
      type: str
    description:
      description: Longer text.
      type: str
    custom_data:
      description: The value given as O(custom_data).
      type: raw
  sample:
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
)
from ansible_collections.wheelhouse.pypi.plugins.module_utils._devpi_index import (  # noqa: E402  (as above)
    ARGUMENTS,
    ensure,
)


def main() -> None:
    with DevpiModule(ARGUMENTS) as module:
        ensure(module)


if __name__ == "__main__":
    main()
