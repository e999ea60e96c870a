#!/usr/bin/python
# Copyright: The wheelhouse.pypi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: refuse_values
short_description: Refuse values that do not match a pattern, all of them at once
version_added: "1.0.0"
description:
  - Fails where a value does not match its pattern as a whole, and says of each that does not what came and what is
    allowed. Changes nothing, and asks no host.
  - M(ansible.builtin.assert) does that in a loop, for each value anew; a list of values is no longer than one here.
author:
  - The wheelhouse.pypi contributors (!UNKNOWN)
attributes:
  action:
    description: All of it is done on the controller.
    support: full
  check_mode:
    description: Refuses in check mode too.
    support: full
  diff_mode:
    description: There is nothing to show, for nothing changes.
    support: none
options:
  values:
    description: What to compare. Values are shown where they are refused, so none may be a secret.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the variable that it comes from, for whoever has to set it.
        type: str
        required: true
      value:
        description: The value. It is compared as text, a number as it is written, V(true) as C(True).
        type: raw
        required: true
      each:
        description: Whether O(values[].value) is a list of which each element is compared.
        type: bool
        default: false
      pattern:
        description: Regular expression of Python that all of the value has to match.
        type: str
        required: true
      allowed:
        description: What is allowed, in words.
        type: str
        required: true
seealso:
  - module: ansible.builtin.assert
  - module: ansible.builtin.validate_argument_spec
"""

EXAMPLES = r"""
- name: Refuse values outside their pattern
  wheelhouse.pypi.refuse_values:
    values:
      - name: example_port
        value: "{{ example_port }}"
        pattern: '[1-9][0-9]{0,4}'
        allowed: a whole number from 1 to 99999
      - name: example_users
        value: "{{ example_users }}"
        each: true
        pattern: '[a-z]+'
        allowed: a list of names of a-z
"""

RETURN = r"""
refused:
  description: Names of those of which a value was refused.
  returned: always
  type: list
  elements: str
  sample: [example_port]
"""
