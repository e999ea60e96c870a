# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long what people wait for takes, and how fast pages and files are: every target of the project in one run.

Everything is measured on one machine, so that the ratios mean something even where the numbers do not. Prints a table,
and writes it with a picture to build/bench. Takes a quarter of an hour, root, like Docker, and wrk and nginx; a name or
several measure less: deploying, listing, serving.
"""

from __future__ import annotations

import shutil
import sys

import deploying
import listing
import serving
from table import Table, picture
from tree import ROOT

RESULTS = ROOT / "build/bench"
TOOLS = "wrk", "nginx"
PARTS = {"deploying": deploying, "listing": listing, "serving": serving}


def main(names):
    if unknown := names - PARTS.keys():
        sys.exit(f"Got {', '.join(sorted(unknown))}, allowed are {', '.join(PARTS)}, or nothing for all.")
    if missing := [tool for tool in TOOLS if not shutil.which(tool)]:
        words = " ".join(TOOLS)
        sys.exit(f"{' and '.join(missing)} is missing. On Debian: apt-get install --no-install-recommends {words}")
    table = Table()
    for name, part in PARTS.items():
        if not names or name in names:
            part.measure(table)
    RESULTS.mkdir(parents=True, exist_ok=True)
    table.print()
    table.write(RESULTS / "bench.csv")
    if table.rates:
        (RESULTS / "bench.svg").write_text(picture(table.rates))
    print(f"\nWritten to {RESULTS.relative_to(ROOT)}.")
    sys.exit(table.missed)


if __name__ == "__main__":
    main(set(sys.argv[1:]))
