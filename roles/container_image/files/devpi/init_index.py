#!/usr/bin/env python
# SPDX-License-Identifier: GPL-3.0-or-later
"""devpi-init, with a root/pypi mirror that never fetches the upstream's full project list.

devpi-web loads that list (tens of megabytes) the moment it sees a new mirror, so the option has to be there before the
server starts for the first time. devpi-init 6.20.3 has no argument for it; its defaults are a dictionary. Everything
else about root/pypi, and turning the list on, is done over the API (module devpi_index).
"""

import sys

from devpi_server import main
from devpi_server.init import init

main._pypi_ixconfig_default["mirror_no_project_list"] = True

if __name__ == "__main__":
    if sys.argv[1:] == ["--version"]:
        sys.exit(main._pypi_ixconfig_default["type"] != "mirror")
    sys.exit(init())
