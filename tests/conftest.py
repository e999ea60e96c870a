# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tests may run at the same time, where pytest is told to run two."""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in this very hook
def pytest_collection_modifyitems(items):
    """What uses the container engine is one line of tests, the longest, so it begins; every other file is its own."""
    items.sort(key=lambda item: "engine" not in item.fixturenames)
    for item in items:
        item.add_marker(pytest.mark.xdist_group("engine" if "engine" in item.fixturenames else item.path.name))
