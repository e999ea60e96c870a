# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take the picture of an index's web page that README.md shows, with a headless Chromium. `make screenshot`.

Arguments: the page of a devpi index that has packages, and the file to write.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import requests

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SIZE = "1200,490"  # as wide as devpi's page is, as high as its list of packages


def main(url: str, picture: Path) -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not browser:
        sys.exit(f"No {', '.join(BROWSERS)} here to take the picture with. On Debian: apt-get install chromium")
    try:
        answer = requests.get(url, headers={"Accept": "application/json"}, timeout=30)
        projects = answer.json()["result"]["projects"]
    except (requests.RequestException, KeyError, TypeError) as error:
        sys.exit(f"{url} is no page of a devpi index ({error}). Bring one up with 'make pypi', or name another: URL=…")
    if not projects:
        sys.exit(f"{url} has no packages to show. Upload some, then run again.")
    with tempfile.TemporaryDirectory() as profile:
        taken = Path(profile, "taken.png")
        command = [browser, "--headless=new", "--hide-scrollbars", f"--window-size={SIZE}", f"--screenshot={taken}"]
        command += ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium has none for root, and the page is ours
        done = subprocess.run(
            [*command, f"--user-data-dir={profile}", url], capture_output=True, text=True, timeout=120, check=False
        )
        if not taken.exists():
            sys.exit(f"{browser} took no picture:\n{done.stderr}")
        shutil.move(taken, picture)
    print(f"{picture}: {picture.stat().st_size} bytes, {len(projects)} projects of {url}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
