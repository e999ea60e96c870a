# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""fill-index, the real program with the real pip, in front of an index that the tests make and serve."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import tarfile
import time
import zipfile

import pytest
from commands import poll
from environments import installed
from tree import ROOT

SOFTWARE = ROOT / "roles/container_image/files/pypiserver"
PROGRAM = SOFTWARE / "fill-index"
# How a source archive builds itself here, without any other package; prepare.py and build.py are a test's own.
BACKEND = """
import json, zipfile
from pathlib import Path

name, files = json.loads(Path("wheel.json").read_text())

def prepare_metadata_for_build_wheel(directory, config_settings=None):
    exec(Path("prepare.py").read_text())
    info = {path: text for path, text in files.items() if "/" in path}
    for path, text in info.items():
        Path(directory, path).parent.mkdir(exist_ok=True)
        Path(directory, path).write_text(text)
    return path.partition("/")[0]

def build_wheel(directory, config_settings=None, metadata_directory=None):
    exec(Path("build.py").read_text())
    with zipfile.ZipFile(Path(directory, name), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
"""
PROJECT = """
[build-system]
requires = %s
build-backend = "backend"
backend-path = ["."]
"""


def parts(name, version, needs=(), requires_python="", text="x = 1\n"):
    """A wheel's name, and what is in it."""
    info = f"{name}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"]
    metadata += [f"Requires-Dist: {need}\n" for need in needs]
    metadata += [f"Provides-Extra: {extra}\n" for need in needs for extra in re.findall(r"extra == '(\w+)'", need)]
    metadata += [f"Requires-Python: {requires_python}\n"] * bool(requires_python)
    files = {
        f"{name}.py": text,
        f"{info}/METADATA": "".join(metadata),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    return f"{name}-{version}-py3-none-any.whl", files


def wheel(place, *arguments, **more):
    place.mkdir(parents=True, exist_ok=True)
    name, files = parts(*arguments, **more)
    with zipfile.ZipFile(place / name, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return place / name


def sdist(place, name, version, needs=(), prepare="", build="", build_needs=()):
    place.mkdir(parents=True, exist_ok=True)
    made = parts(name, version, needs)
    files = {
        "PKG-INFO": made[1][f"{name}-{version}.dist-info/METADATA"],
        "pyproject.toml": PROJECT % json.dumps(build_needs),
        "backend.py": BACKEND,
        "prepare.py": prepare,
        "build.py": build,
        "wheel.json": json.dumps(made),
    }
    with tarfile.open(place / f"{name}-{version}.tar.gz", "w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{name}-{version}/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return place / f"{name}-{version}.tar.gz"


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Lab:
    """A directory with packages, an index upstream, and the program between the two."""

    def __init__(self, place, python):
        self.place, self.python = place, python
        self.packages, self.upstream, self.work = place / "packages", place / "upstream", place / "work"
        for directory in (self.packages, self.upstream / "simple", self.work, place / "tmp"):
            directory.mkdir(parents=True)
        self.packages.chmod(0o2770)
        self.log = place / "upstream.log"
        command = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", self.upstream, "0"]
        with self.log.open("w") as log:
            self.server = subprocess.Popen(command, stdout=log, stderr=log)
        poll(lambda: re.search(r" port \d+ ", self.log.read_text()), seconds=10)
        self.port = re.search(r" port (\d+) ", self.log.read_text())[1]
        self.environment = {
            "PATH": f"{python.parent}:/usr/bin:/bin",
            "HOME": str(place),
            "TMPDIR": str(place / "tmp"),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": f"http://127.0.0.1:{self.port}/simple/",
            "PIP_RETRIES": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def publish(self, *arguments, kind=wheel, **more):
        """Put a release on the upstream index."""
        path = kind(self.upstream / "simple" / arguments[0], *arguments, **more)
        names = sorted(file.name for file in path.parent.iterdir() if file.suffix != ".html")
        (path.parent / "index.html").write_text("".join(f'<a href="{name}">{name}</a>\n' for name in names))
        return path

    def write(self, text, name="requirements.txt"):
        (self.work / name).parent.mkdir(exist_ok=True)
        (self.work / name).write_text(text)
        return self.work / name

    def start(self, *arguments, **environment):
        return subprocess.Popen(
            [PROGRAM, self.packages, *arguments],
            env=self.environment | environment,
            cwd=self.work,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments, **environment):
        """How the program ends: status, stdout, stderr with all white space as one blank."""
        process = self.start(*arguments, **environment)
        output, errors = process.communicate(timeout=120)
        assert "Traceback" not in errors, errors
        return process.returncode, output, " ".join(errors.split())

    def added(self, *arguments, **environment):
        """What the program adds where all goes well."""
        status, output, errors = self.run(*arguments, **environment)
        assert (status, errors) == (0, "")
        return re.sub(r"^added ", "", output, flags=re.MULTILINE).split()

    def fails(self, *arguments, status=1, **environment):
        """What the program says where it fails; it has changed nothing that can be seen, and left nothing behind."""
        before = self.state()
        ended, output, errors = self.run(*arguments, **environment)
        assert (ended, output) == (status, ""), errors
        assert self.state() == before
        assert self.leftovers() == []
        assert ".fill-index/" not in errors
        return errors

    def names(self):
        """What is served. Hidden directories are not looked into: a pip that outlives a killed run works there."""
        found = []
        for _place, folders, names in os.walk(self.packages):
            folders[:] = [name for name in folders if name[0] != "."]
            found += [name for name in names if name[0] != "."]
        return sorted(found)

    def state(self):
        return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in self.packages.glob("[!.]*")}

    def leftovers(self):
        hidden = [path.name for path in self.packages.glob(".*") if path.name != ".fill-index.lock"]
        return hidden + [path.name for path in (self.place / "tmp").iterdir()]

    def fetched(self):
        """Release files that were fetched from upstream since the last call."""
        text = self.log.read_text()
        found = re.findall(r'"GET \S+/(\S+\.(?:whl|tar\.gz)) ', text[getattr(self, "_read", 0) :])
        self._read = len(text)
        return sorted(found)


@pytest.fixture(scope="module")
def python():
    """The Python of an environment as pypiserver has it, on a host and in its image."""
    return installed("pypiserver") / "bin/python"


@pytest.fixture
def lab(tmp_path, python):
    made = Lab(tmp_path, python)
    yield made
    made.server.terminate()
    made.server.wait()


def test_a_requirement_comes_with_its_dependencies_and_once(lab):
    lab.publish("app", "1.0", ["lib>=1"])
    lab.publish("lib", "1.0")
    lab.publish("lib", "1.1")
    assert lab.added("--requirement", "app") == ["app-1.0-py3-none-any.whl", "lib-1.1-py3-none-any.whl"]
    assert lab.names() == ["app-1.0-py3-none-any.whl", "lib-1.1-py3-none-any.whl"]
    lab.fetched()
    before = lab.state()
    assert lab.added("--requirement", "app") == []
    assert (lab.state(), lab.leftovers(), lab.fetched()) == (before, [], [])


def test_what_satisfies_is_asked_of_nobody(lab):
    """A newer release upstream is no reason to fetch it; a server that is away is no trouble."""
    wheel(lab.packages, "lib", "1.0")
    lab.publish("lib", "2.0")
    assert lab.added("--requirement", "lib", PIP_INDEX_URL="http://127.0.0.1:9/simple/") == []
    assert lab.added("--requirement", "lib>1") == ["lib-2.0-py3-none-any.whl"]


def test_pip_may_be_configured_as_it_likes(lab):
    """Other places that pip knows of are for fetching, and do not count as being there already."""
    elsewhere = lab.place / "elsewhere"
    wheel(elsewhere, "lib", "1.0")
    wheel(lab.packages, "base", "1.0")
    wheel(elsewhere, "app", "1.0", ["lib", "base"])
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(elsewhere)}
    assert lab.added("--requirement", "app", **offline) == ["app-1.0-py3-none-any.whl", "lib-1.0-py3-none-any.whl"]


def test_what_is_there_is_not_fetched_again(lab):
    lab.publish("app", "1.0", ["lib>=1", "deep"])
    lab.publish("lib", "1.0")
    lab.publish("deep", "1.0", text="upstream's\n")
    wheel(lab.packages, "lib", "1.0")
    wheel(lab.packages / "below", "deep", "1.0", text="ours\n")
    assert lab.added("--requirement", "app") == ["app-1.0-py3-none-any.whl"]
    assert lab.fetched() == ["app-1.0-py3-none-any.whl"]
    assert lab.added("--requirement", "app") == []


def test_markers_extras_and_pythons_are_heeded(lab):
    lab.publish("app", "1.0", ["lib; python_version < '3'", "more; extra == 'all'"])
    lab.publish("app", "2.0", requires_python=">=4")
    lab.publish("more", "1.0")
    assert lab.added("--requirement", "app; python_version < '3'") == []
    assert lab.added("--requirement", "app") == ["app-1.0-py3-none-any.whl"]
    assert lab.added("--requirement", "app[all]") == ["more-1.0-py3-none-any.whl"]
    assert lab.added("--requirement", "app[all]") == []


def test_source_is_built_and_not_built_again(lab):
    lab.publish("helper", "1.0")
    lab.publish("src", "1.0", ["lib"], kind=sdist, build="import helper", build_needs=["helper"])
    lab.publish("lib", "1.0", kind=sdist)
    assert lab.added("--requirement", "src") == ["lib-1.0-py3-none-any.whl", "src-1.0-py3-none-any.whl"]
    lab.fetched()
    assert lab.added("--requirement", "src") == []
    lab.publish("other", "1.0", ["src"])
    assert lab.added("--requirement", "other") == ["other-1.0-py3-none-any.whl"]
    assert lab.fetched() == ["other-1.0-py3-none-any.whl"]


def test_source_that_was_uploaded_here_is_built_too(lab):
    sdist(lab.packages, "private", "1.0")
    assert lab.added("--requirement", "private") == ["private-1.0-py3-none-any.whl"]
    assert lab.added("--requirement", "private") == []


def test_files_get_the_mode_and_the_group_of_what_the_server_reads(lab):
    if os.geteuid() == 0:
        os.chown(lab.packages, -1, 8141)
    lab.publish("lib", "1.0")
    lab.added("--requirement", "lib")
    lab.added("--file", wheel(lab.work, "own", "1.0"))
    for path in lab.packages.glob("*.whl"):
        assert (oct(path.stat().st_mode), path.stat().st_gid) == ("0o100640", lab.packages.stat().st_gid)


def test_check_says_what_is_missing_and_changes_nothing(lab):
    lab.publish("lib", "1.0")
    own = wheel(lab.work, "own", "1.0")
    listed = lab.write("lib\n")
    before = lab.packages.stat().st_mtime_ns
    for arguments, line in [
        (("--requirement", "lib>=1"), "would add what lib>=1 needs\n"),
        (("--requirements", listed), "would add what requirements.txt needs\n"),
        (("--file", own), "would add own-1.0-py3-none-any.whl\n"),
    ]:
        assert lab.run(*arguments, "--check") == (0, line, "")
    assert (list(lab.packages.iterdir()), lab.packages.stat().st_mtime_ns, lab.fetched()) == ([], before, [])
    lab.added("--requirements", listed)
    lab.added("--file", own)
    for arguments in [("--requirement", "lib>=1"), ("--requirements", listed), ("--file", own)]:
        assert lab.run(*arguments, "--check") == (0, "", "")


@pytest.mark.parametrize(
    ("specifier", "reason"),
    [
        ("nothere", "Could not find a version that satisfies the requirement nothere (from versions: none)"),
        ("lib>7", "Could not find a version that satisfies the requirement lib>7 (from versions: 1.0, 2.0)"),
        ("hole", "Could not find a version that satisfies the requirement nothere>1 (from hole)"),
        ("clash", "these contradict each other: clash 1.0 depends on lib>1, app 1.0 depends on lib==1.0. Nothing"),
        ("late", "Package 'late' requires a different Python"),
        ("bad", "Building wheel for bad (pyproject.toml) did not run successfully; RuntimeError: no compiler here"),
        ("unready", "unready does not build; Preparing metadata (pyproject.toml) did not run successfully; "
                    "RuntimeError: too new for this"),
        ("toolless", "Could not find a version that satisfies the requirement nothere"),
    ],
)  # fmt: skip
def test_what_cannot_be_brought_is_named_with_the_reason_and_changes_nothing(lab, specifier, reason):
    wheel(lab.packages, "app", "1.0", ["lib==1.0"])
    lab.publish("lib", "1.0")
    lab.publish("hole", "1.0", ["lib", "nothere>1"])
    lab.publish("lib", "2.0")
    lab.publish("clash", "1.0", ["lib>1", "app==1.0"])
    lab.publish("late", "1.0", requires_python=">=4")
    lab.publish("bad", "1.0", ["lib"], kind=sdist, build='raise RuntimeError("no compiler here")')
    lab.publish("unready", "1.0", kind=sdist, prepare='raise RuntimeError("too new for this")')
    lab.publish("toolless", "1.0", kind=sdist, build_needs=["nothere"])
    said = lab.fails("--requirement", specifier)
    assert said.startswith(f"{specifier}: pip could not bring or build it: ")
    assert reason in said
    assert said.endswith("Correct the requirement, or see that the index pip is configured for (PIP_INDEX_URL, "
                         "pip.conf) has it, and run it again.")  # fmt: skip
    assert len(said) < 900
    assert not re.search(r"note:|hint:|\[notice\]|Looking in", said)


def test_a_build_that_fails_among_others_adds_none_of_them(lab):
    for name in ("early", "late"):
        lab.publish(name, "1.0", kind=sdist, build=f"open({str(lab.place / name)!r}, 'w')")
    lab.publish("middle", "1.0", kind=sdist, build="raise RuntimeError('out of luck')")
    lab.publish("app", "1.0", ["early", "middle", "late"])
    said = lab.fails("--requirement", "app")
    assert "Building wheel for middle (pyproject.toml) did not run successfully; RuntimeError: out of luck" in said
    assert (lab.place / "early").exists()


def test_an_index_that_is_away_is_told_apart_from_one_that_does_not_have_it(lab):
    said = lab.fails("--requirement", "lib", PIP_INDEX_URL="http://127.0.0.1:9/simple/")
    assert "Connection refused" in said


def test_no_password_of_an_index_is_told(lab):
    said = lab.fails("--requirement", "lib", PIP_INDEX_URL=f"http://me:canary@127.0.0.1:{lab.port}/nowhere/")
    assert "satisfies the requirement lib" in said
    assert "canary" not in said


def test_a_release_that_is_broken_upstream_is_refused_and_with_it_all_that_came(lab):
    lab.publish("app", "1.0", ["lib"])
    path = lab.publish("lib", "1.0", text="x = 1\n" * 5000)
    content = bytearray(path.read_bytes())
    content[3000] ^= 1
    path.write_bytes(content)
    said = lab.fails("--requirement", "app")
    assert "lib-1.0-py3-none-any.whl" in said
    assert "It was not added. pip took it from its index for app: have it mended there" in said


def test_a_damaged_file_that_is_there_is_named_and_stays(lab):
    lab.publish("app", "1.0", ["lib"])
    damaged = lab.packages / lab.publish("lib", "1.0").name
    damaged.write_bytes(b"no wheel")
    assert damaged.name in lab.fails("--requirement", "app")
    assert damaged.read_bytes() == b"no wheel"


HASHED = (
    "app==1.0 --hash=sha256:{app} \\\n    --hash=sha256:{old}  # what app is\n\nlib==1.0 \\\n    --hash sha256:{lib}\n"
)


def test_a_file_with_hashes_brings_exactly_those_files(lab):
    files = {
        "app": lab.publish("app", "1.0", ["lib"], kind=sdist),
        "lib": lab.publish("lib", "1.0"),
        "old": wheel(lab.work, "app", "1.0"),
    }
    listed = lab.write(HASHED.format(**{name: sha256(path) for name, path in files.items()}))
    assert lab.added("--requirements", listed) == ["app-1.0.tar.gz", "lib-1.0-py3-none-any.whl"]
    lab.fetched()
    assert lab.added("--requirements", listed, PIP_INDEX_URL="http://127.0.0.1:9/simple/") == []
    # A client with the same file gets the same from here.
    client = ["-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-index", "--find-links", lab.packages]
    subprocess.run([lab.python, *client, "--require-hashes", "-r", listed], check=True, env=lab.environment)
    (lab.packages / "app-1.0.tar.gz").unlink()
    assert lab.added("--requirements", listed) == ["app-1.0.tar.gz"]
    assert lab.fetched() == ["app-1.0.tar.gz"]


def test_a_file_with_another_hash_than_is_wanted_is_not_taken_for_it(lab):
    upstream = lab.publish("lib", "1.0", text="upstream's\n")
    ours = wheel(lab.packages, "lib", "1.0", text="ours\n")
    listed = lab.write(f"lib==1.0 --hash=sha256:{sha256(upstream)}\n")
    said = lab.fails("--requirements", listed)
    assert said.startswith("kept lib-1.0-py3-none-any.whl: pip brought other content for it, and what is there stays.")
    assert (
        "still lacks some of it: no file has a hash of lib==1.0. In the way may be lib-1.0-py3-none-any.whl: " in said
    )
    ours.unlink()
    assert lab.added("--requirements", listed) == ["lib-1.0-py3-none-any.whl"]
    listed.write_text(f"lib==1.0 --hash=sha256:{'0' * 64}\n")
    said = lab.fails("--requirements", listed)
    assert re.search(
        rf"lib==1.0 from \S+/lib-1.0-py3-none-any.whl: Expected sha256 0{{64}} Got {sha256(upstream)}", said
    )


def test_a_file_with_hashes_for_some_is_refused_with_pips_reason(lab):
    app, _lib = lab.publish("app", "1.0", ["lib"]), lab.publish("lib", "1.0")
    listed = lab.write(f"app==1.0 --hash=sha256:{sha256(app)}\n")
    assert re.search(r"must have their versions pinned with ==. These do not: lib from \S+ \(from app==1.0\)",
                     lab.fails("--requirements", listed))  # fmt: skip
    listed.write_text(f"app==1.0 --hash=sha256:{sha256(app)}\nlib==1.0\n")
    assert re.search(
        r"Hashes are required in --require-hashes mode.* lib==1.0 --hash", lab.fails("--requirements", listed)
    )


def test_a_file_with_requirements_may_be_written_as_people_write_it(lab):
    for version in ("1.0", "1.1", "2.0", "3.0rc1"):
        lab.publish("lib", version)
    for name in ("one", "two", "three"):
        lab.publish(name, "1.0", ["lib"])
    lab.write("# what all need\r\ntwo  # with a reason\r\n-c ../limits.txt\r\n", "more/base.txt")
    lab.write("lib<2\nunused==7\n", "limits.txt")
    listed = lab.write(
        "\ufeff--prefer-binary\n-r more/base.txt\n\none \\\n  >= 1 \\\n  # because\n  three; python_version >= '3'\n"
    )
    wanted = ["lib-1.1-py3-none-any.whl", *(f"{name}-1.0-py3-none-any.whl" for name in ("one", "three", "two"))]
    assert lab.added("--requirements", listed) == wanted
    assert lab.added("--requirements", listed) == []
    assert lab.added("--requirements", lab.write("--pre\nlib>2\n")) == ["lib-3.0rc1-py3-none-any.whl"]
    assert lab.added("--requirements", lab.write("# nothing\n")) == []


@pytest.mark.parametrize(
    "line",
    ["-e .", "./lib", "lib-1.0.whl", "lib @ https://example.com/lib-1.0.whl", "https://example.com/lib-1.0.whl",
     "git+https://example.com/lib", "--index-url https://example.com", "-i https://example.com", "--find-links x",
     "lib --hash=md5:00", "lib --config-settings=a=b", "lib ==", "-r", "${LIB}"],
)  # fmt: skip
def test_a_line_that_no_index_answers_is_refused_before_anything_happens(lab, line):
    said = lab.fails("--requirements", lab.write(f"app\n{line}\n"), status=2)
    assert said.startswith(f"{lab.work}/requirements.txt: got {line!r}. Allowed are names with versions, ")
    assert said.endswith("what is no release on an index is built and named by --file, and where the index is, pip's "
                         "configuration says.")  # fmt: skip
    assert lab.fetched() == []


@pytest.mark.parametrize("included", ["-r ../secret.txt", "-c /etc/passwd", "--requirement=https://example.com/x.txt"])
def test_an_include_from_outside_is_refused(lab, included):
    (lab.place / "secret.txt").write_text("lib\n")
    said = lab.fails("--requirements", lab.write(f"{included}\n"), status=2)
    assert f"which is outside of {lab.work}. Put that file beside the one that is named" in said


def test_files_with_requirements_that_cannot_be_read_are_named(lab):
    assert "No such file or directory. Put it there" in lab.fails("--requirements", lab.work / "none.txt", status=2)
    said = lab.fails("--requirements", lab.write("-r base.txt\n"), status=2)
    assert f"got {lab.work}/base.txt: No such file or directory" in said
    lab.write("-r requirements.txt\n", "base.txt")
    assert "which includes it. Remove one of the" in lab.fails("--requirements", lab.work / "base.txt", status=2)
    (lab.work / "latin.txt").write_bytes(b"# caf\xe9\nlib\n")
    assert "Save it as UTF-8." in lab.fails("--requirements", lab.work / "latin.txt", status=2)


@pytest.mark.parametrize("specifier", ["-e .", "lib>=", "./lib", "lib @ https://example.com/x.whl", "", "two words"])
def test_a_specifier_that_is_none_is_refused(lab, specifier):
    said = lab.fails(f"--requirement={specifier}", status=2)
    assert said.startswith(f"Expected a requirement such as 'requests>=2.31', got {specifier!r}.")
    assert lab.fetched() == []


def test_wrong_arguments_are_told_in_a_sentence(lab):
    for arguments in [(), ("--requirement", "lib", "--file", "x"), ("--wait", "long", "--file", "x"), ("--frob",)]:
        assert "Type: fill-index PACKAGES_DIR (--requirement SPECIFIER |" in lab.fails(*arguments, status=2)
    lab.packages.rmdir()
    assert "which is not there. Name that one." in lab.fails("--requirement", "lib", status=2)
    lab.packages.touch()
    assert "which is no directory. Name that one." in lab.fails("--requirement", "lib", status=2)


@pytest.mark.parametrize("make", [wheel, sdist])
def test_a_file_is_put_in_place_once(lab, make):
    own = make(lab.work, "own", "1.0")
    assert lab.added("--file", own) == [own.name]
    assert (lab.packages / own.name).read_bytes() == own.read_bytes()
    before = lab.state()
    assert lab.added("--file", own) == []
    assert (lab.state(), lab.leftovers()) == (before, [])


def test_a_file_of_the_same_name_and_other_content_is_not_replaced(lab):
    lab.added("--file", wheel(lab.work, "own", "1.0"))
    other = wheel(lab.work, "own", "1.0", text="y = 2\n")
    for more in ([], ["--check"]):
        said = lab.fails("--file", other, *more)
        assert said.startswith(f"{lab.packages}/{other.name} has other content than {other}. It stays,")
    (lab.packages / "below").mkdir()
    (lab.packages / other.name).rename(lab.packages / "below" / other.name)
    assert "has other content" in lab.fails("--file", other)


def test_who_was_faster_keeps_the_name(lab):
    """An upload may come while pip is at work."""
    upload = lab.packages / "src-1.0-py3-none-any.whl"
    lab.publish("src", "1.0", kind=sdist, build=f"Path({str(upload)!r}).write_text('uploaded')")
    status, output, errors = lab.run("--requirement", "src")
    assert (status, output, upload.read_text()) == (1, "", "uploaded")
    assert errors.startswith(f"Somebody else has just put {upload.name} into {lab.packages}. It stays; ")
    assert lab.leftovers() == []


def test_a_file_that_cannot_be_written_whole_is_not_there_at_all(lab):
    own = wheel(lab.work, "own", "1.0", text="x = 1\n" * 5000)
    limit = ["prlimit", f"--fsize={own.stat().st_size - 1}", PROGRAM]
    done = subprocess.run(
        [*limit, lab.packages, "--file", own], env=lab.environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, lab.names(), lab.leftovers()) == (1, "", [], [])
    assert "File too large" in done.stderr
    assert "Mend what this names (free space, who may write there) and run it again." in done.stderr


def test_a_file_that_is_no_release_is_refused(lab):
    whole = wheel(lab.work, "own", "1.0").read_bytes()
    (lab.work / "own-1.0-py3-none-any.whl").write_bytes(whole[:-30])
    (lab.work / "zip-1.0-py3-none-any.whl").write_text("no zip")
    (lab.work / "else-1.0-py3-none-any.whl").write_bytes(whole)
    (lab.work / "own-2.0-py3-none-any.whl").write_bytes(whole)
    (lab.work / "cut-1.0.tar.gz").write_bytes(sdist(lab.work, "cut", "1.0").read_bytes()[:-40])
    (lab.work / "own.exe").write_text("MZ")
    for path in lab.work.iterdir():
        said = lab.fails("--file", path)
        assert path.name in said
        assert said.endswith("It was not added. Build it again and name that file.")
    assert "which is not there. Name that file." in lab.fails("--file", lab.work / "none.whl")
    assert "which is no file. Name that file." in lab.fails("--file", lab.work)


def test_what_the_system_refuses_is_told_in_a_sentence(lab):
    own = wheel(lab.work, "own", "1.0")
    (lab.packages / ".fill-index.lock").mkdir()
    said = lab.fails("--file", own)
    assert f"Is a directory: '{lab.packages}/.fill-index.lock'. Mend what this names" in said


def listed_files_are_whole(lab):
    for path in lab.packages.glob("*.whl"):
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
        assert path.stat().st_mode & 0o777 == 0o640


def test_a_kill_at_any_moment_leaves_nothing_that_the_next_run_does_not_mend(lab):
    needs = [f"part{number}" for number in range(6)]
    for name in needs:
        lab.publish(name, "1.0", text="x = 1\n" * 20000)
    lab.publish("app", "1.0", needs, kind=sdist)
    began = time.monotonic()
    lab.added("--requirement", "app")
    takes = time.monotonic() - began
    seen = set()
    for number in range(12):
        for path in lab.packages.glob("*.whl"):
            path.unlink()
        process = lab.start("--requirement", "app")
        time.sleep(takes * (0.2 + 0.8 * number / 12) + random.uniform(0, takes / 12))
        process.kill()
        process.communicate()
        seen.add((len(lab.names()), (lab.packages / ".fill-index").exists()))
        listed_files_are_whole(lab)
    assert any(left for _names, left in seen), "no kill came while there was something to leave behind"
    lab.added("--requirement", "app")
    assert lab.names() == sorted(f"{name}-1.0-py3-none-any.whl" for name in ("app", *needs))
    listed_files_are_whole(lab)
    assert not (lab.packages / ".fill-index").exists()


def test_what_a_killed_run_left_is_removed_even_where_nothing_is_lacking(lab):
    wheel(lab.packages, "lib", "1.0")
    stale = lab.packages / ".fill-index/files/deep"
    stale.mkdir(parents=True)
    (stale / "part.whl").write_text("half")
    stale.chmod(0o500)
    assert lab.added("--requirement", "lib") == []
    assert lab.leftovers() == []


def test_told_to_stop_it_ends_pip_and_leaves_nothing_behind(lab):
    lab.publish("slow", "1.0", kind=sdist, build="import time; Path('/proc/self/comm').read_text(); time.sleep(60)")
    process = lab.start("--requirement", "slow")
    poll((lab.packages / ".fill-index/files").exists, seconds=20)
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, output) == (143, "")
    assert errors == "Stopped by SIGTERM. What was added stays; run it again for the rest.\n"
    assert lab.leftovers() == []


def test_two_at_once_take_turns(lab):
    lab.publish("app", "1.0", ["lib"], kind=sdist, build="import time; time.sleep(1)")
    lab.publish("lib", "1.0")
    runs = [lab.start("--requirement", "app") for _turn in range(3)]
    said = [process.communicate(timeout=60) for process in runs]
    assert [process.returncode for process in runs] == [0, 0, 0]
    assert sorted(said) == [
        ("", ""),
        ("", ""),
        ("added app-1.0-py3-none-any.whl\nadded lib-1.0-py3-none-any.whl\n", ""),
    ]
    assert lab.fetched() == ["app-1.0.tar.gz", "lib-1.0-py3-none-any.whl"]


def test_a_run_that_does_not_end_is_waited_for_and_then_named(lab):
    own = wheel(lab.work, "own", "1.0")
    with (lab.packages / ".fill-index.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = lab.fails("--file", own, "--wait", "0.3")
        assert said.startswith(f"Another run fills {lab.packages} and has not ended within 0.3 seconds. Nothing was")
        waiting = lab.start("--file", own)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.communicate(timeout=1)
    assert waiting.communicate(timeout=20) == (f"added {own.name}\n", "")


def test_a_pip_that_outlives_its_run_keeps_the_lock(lab):
    """Otherwise two would write where one of them cleans up."""
    lab.publish("slow", "1.0", kind=sdist, build=f"import time; open({str(lab.place / 'built')!r}, 'a'); time.sleep(2)")
    process = lab.start("--requirement", "slow")
    poll((lab.place / "built").exists, seconds=20)
    process.kill()
    process.communicate()
    assert "has not ended within 0 seconds" in lab.run("--requirement", "slow", "--wait", "0")[2]
    assert lab.added("--requirement", "slow") == ["slow-1.0-py3-none-any.whl"]


def test_it_needs_nothing_but_its_directory(lab):
    """In the image /tmp is small and nothing else can be written: builds take place beside the packages."""
    lab.publish("src", "1.0", kind=sdist, build="import os; open(os.environ['NOTE'], 'w').write(os.getcwd())")
    assert lab.added("--requirement", "src", NOTE=str(lab.place / "note")) == ["src-1.0-py3-none-any.whl"]
    assert (lab.place / "note").read_text().startswith(f"{lab.packages}/.fill-index/")
    assert sorted(path.name for path in lab.place.iterdir()) == ["note", "packages", "tmp", "upstream", "upstream.log",
                                                                 "work"]  # fmt: skip
