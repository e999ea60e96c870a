# Copyright: The wheelhouse.pypi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: it can change in any release.
"""The connection to devpi-server, documented once for all modules."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  url:
    description:
      - Base URL of the index server, without user name, password, query or fragment.
      - Redirects are not followed. Write the URL they lead to.
    type: str
    required: true
  login_user:
    description:
      - Who logs in.
      - A server that is started with C(--restrict-modify root), as this collection does, lets only V(root) change
        users and indexes.
    type: str
    default: root
  login_password:
    description:
      - The password of O(login_user).
      - It is exchanged for a token once, and only before a change. A run that changes nothing does not log in.
        In check mode a change that is only predicted logs in too, so that a wrong password is told early.
    type: str
    required: true
  ca_path:
    description:
      - File with the CA certificates, in PEM format, that the server's certificate is checked against.
      - By default those of the system.
      - Excludes O(ca_content).
    type: path
  ca_content:
    description:
      - The CA certificates themselves, in PEM format.
      - Excludes O(ca_path).
    type: str
  validate_certs:
    description:
      - Whether to check the server's certificate.
    type: bool
    default: true
  timeout:
    description:
      - Seconds to wait for each answer.
    type: int
    default: 30
requirements:
  - Python >= 3.11
attributes:
  action_group:
    description: Use C(group/wheelhouse.pypi.devpi) in C(module_defaults) to write the connection once per play.
    support: full
    membership:
      - wheelhouse.pypi.devpi
notes:
  - Made for devpi-server 6.x and tried with 6.20.3. A 7.x server is refused, because its API has other names.
  - The modules need no library on the host they run on. That may be the controller, with C(delegate_to).
"""
