#!/usr/bin/env python
# SPDX-License-Identifier: GPL-3.0-or-later
"""devpi-server, with constrained indexes that constrain every release file.

devpi-constrained 2.1.0 compares the normalised name of a project with what its files begin with, and so lets through
every Django-5.0.tar.gz, every foo_bar-1.0.tar.gz, and all wheels of projects that have a dash in their name.
"""

import sys

from devpi_constrained.main import ConstrainedStage
from devpi_server.main import main

let_through = ConstrainedStage.get_simple_links_filter_iter


class Link:
    """What devpi-constrained asks of a link. Its project is known: it stands on the project's page."""

    def __init__(self, project, link):
        self.name = project
        self.version = link.version


def get_simple_links_filter_iter(stage, project, links):
    return let_through(stage, project, [Link(project, link) for link in links])


ConstrainedStage.get_simple_links_filter_iter = get_simple_links_filter_iter

if __name__ == "__main__":
    sys.exit(main())
