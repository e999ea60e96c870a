# Copyright: The wheelhouse.pypi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole of M(wheelhouse.pypi.refuse_values), which no host takes part in."""

from __future__ import annotations

import json
import re

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Compares values with patterns, and changes nothing."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(
            argument_spec={
                "values": {
                    "type": "list",
                    "elements": "dict",
                    "required": True,
                    "options": {
                        "name": {"type": "str", "required": True},
                        "value": {"type": "raw", "required": True},
                        "each": {"type": "bool", "default": False},
                        "pattern": {"type": "str", "required": True},
                        "allowed": {"type": "str", "required": True},
                    },
                }
            }
        )
        host = task_vars["inventory_hostname"]
        refused = [
            (wanted, value)
            for wanted in args["values"]
            for value in (wanted["value"] if wanted["each"] else [wanted["value"]])
            if not re.fullmatch(wanted["pattern"], str(value))
        ]
        if not refused:
            return result | {"changed": False, "refused": []}
        sentences = [
            f"{wanted['name']} on {host}: got {json.dumps(value, default=str)}, allowed is {wanted['allowed']}."
            for wanted, value in refused
        ]
        return result | {
            "changed": False,
            "failed": True,
            "msg": "\n".join([*sentences, "Set it in the inventory and run again."]),
            "refused": sorted({wanted["name"] for wanted, _value in refused}),
        }
