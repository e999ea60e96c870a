# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import connection_loader
from ansible.template import Templar


@pytest.fixture
def load_action():
    """An action of this collection with its arguments, whose host is this machine by a real shell."""

    def load(name, args, environment=()):
        task, context, loader = Task(), PlayContext(), DataLoader()
        task.args, task.environment = args, [dict(environment)]
        connection = connection_loader.get("local", context, "/dev/null")
        connection.set_options(direct={})
        connection._shell.set_options(var_options={})
        action = importlib.import_module(f"ansible_collections.wheelhouse.pypi.plugins.action.{name}").ActionModule
        return action(task, connection, context, loader, Templar(loader), None)

    return load
