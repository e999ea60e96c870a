# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where an image comes from: built, pulled, loaded; and each way failing, in one sentence, with nothing broken."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
import requests
import yaml
from commands import BIN, docker, run
from pages import quoted, typed

REGISTRY = "127.0.0.1:18500"
PREFIX = "wheelhouse-test"
DOCKERFILE = "ARG BASE\nFROM ${BASE}\nCOPY greeting /\n"


@pytest.fixture(scope="module", autouse=True)
def tidy(engine):
    """Whatever a test made goes, and nothing else."""
    before = set(docker("images", "--format", "{{.Repository}}:{{.Tag}}").split())
    yield
    for image in set(docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()) - before:
        if image.startswith((PREFIX, REGISTRY)):
            docker("rmi", image)


@pytest.fixture
def context(tmp_path):
    """A directory to build a small image of."""
    directory = tmp_path / "context"
    directory.mkdir()
    (directory / "Dockerfile").write_text(DOCKERFILE)
    (directory / "greeting").write_text("hello\n")
    return directory


@pytest.fixture
def have(context):
    """Run the role with these variables (container_image_…)."""

    def have(*arguments, **variables):
        settings = {"name": "test", "reference": f"{PREFIX}/test:1", "context": str(context)} | variables
        extra = json.dumps({f"container_image_{name}": value for name, value in settings.items()})
        return run(
            *(BIN / "ansible-playbook", "--inventory", "localhost,", "tests/engine/image.yml", "--extra-vars", extra),
            *arguments,
        )

    return have


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A real registry on loopback, Debian's package of the reference one."""
    subprocess.run(["apt-get", "update"], check=True)
    subprocess.run(["apt-get", "install", "--yes", "--no-install-recommends", "docker-registry"], check=True)
    place = tmp_path_factory.mktemp("registry")
    (place / "config.yml").write_text(
        yaml.safe_dump(
            {
                "version": 0.1,
                "log": {"accesslog": {"disabled": True}, "level": "error"},
                "storage": {"filesystem": {"rootdirectory": str(place / "data")}},
                "http": {"addr": REGISTRY},
            }
        )
    )
    with subprocess.Popen(["docker-registry", "serve", place / "config.yml"]) as server:
        deadline = time.monotonic() + 30
        while True:
            try:
                requests.get(f"http://{REGISTRY}/v2/", timeout=2).raise_for_status()
                break
            except requests.ConnectionError:
                assert time.monotonic() < deadline, "the registry does not answer"
                time.sleep(0.1)
        yield REGISTRY
        server.terminate()


def identity(reference):
    return docker("inspect", "--format", "{{.Id}}", reference)


def test_image_is_built_on_a_base_made_here_when_no_registry_answers(have):
    result = have(base="127.0.0.1:1/debian:trixie-slim")
    assert result.returncode == 0, str(result)
    assert result.says("could not be pulled")
    assert result.says("made with mmdebstrap from the apt configuration of this host")
    assert docker("run", "--rm", f"{PREFIX}/test:1", "cat", "/greeting") == "hello"
    assert "VERSION_CODENAME=trixie" in docker("run", "--rm", f"{PREFIX}/test:1", "cat", "/etc/os-release")


def test_image_is_built_on_a_base_pulled_when_a_registry_answers(have, registry):
    base = f"{registry}/debian:trixie-slim"
    docker("tag", "wheelhouse/base:trixie", base)
    docker("push", base)
    docker("rmi", base)
    result = have(base=base, reference=f"{PREFIX}/pulled:1")
    assert result.returncode == 0, str(result)
    assert result.says(f"Base image: {base}, pulled.")
    assert base not in docker("images", "--format", "{{.Repository}}:{{.Tag}}"), "it was only needed to build"


def test_image_is_built_again_when_and_only_when_its_inputs_change(have, context):
    assert have().returncode == 0
    first = identity(f"{PREFIX}/test:1")
    again = have()
    assert again.returncode == 0, str(again)
    assert (again.changed, identity(f"{PREFIX}/test:1")) == (0, first)
    (context / "greeting").write_text("good morning\n")
    predicted = have("--check")
    assert predicted.changed == 1
    assert identity(f"{PREFIX}/test:1") == first
    rebuilt = have()
    assert rebuilt.changed > 0, str(rebuilt)
    assert docker("run", "--rm", f"{PREFIX}/test:1", "cat", "/greeting") == "good morning"
    assert docker("images", "--quiet", "--filter", "dangling=true", "--filter", "label=wheelhouse.pypi.inputs") == ""


def test_image_trusts_what_the_host_trusts(have):
    assert have().returncode == 0
    trusted = docker("run", "--rm", f"{PREFIX}/test:1", "sha256sum", "/etc/ssl/host-ca-certificates.crt").split()[0]
    assert trusted == run("sha256sum", "/etc/ssl/certs/ca-certificates.crt").output.split()[0]


def test_failed_build_is_told_in_a_sentence_and_keeps_the_image(have, context):
    assert have().returncode == 0
    before, containers = identity(f"{PREFIX}/test:1"), docker("ps", "--all", "--quiet")
    (context / "Dockerfile").write_text(DOCKERFILE + "RUN echo 'ERROR: the cake is a lie' >&2; exit 3\n")
    broken = have()
    assert broken.returncode != 0
    assert f"{PREFIX}/test:1 could not be built on localhost: ERROR: the cake is a lie" in broken.output
    quoted("An image cannot be built", broken.output)
    assert identity(f"{PREFIX}/test:1") == before
    assert docker("ps", "--all", "--quiet") == containers, "no container of the failed step stays"
    (context / "Dockerfile").write_text(DOCKERFILE)
    assert have().returncode == 0


def test_broken_base_is_told_in_a_sentence_and_the_next_run_heals(have):
    broken = have(base="127.0.0.1:1/nothing:here", base_suite="nosuchsuite", reference=f"{PREFIX}/broken:1")
    assert broken.returncode != 0
    assert "mmdebstrap could not make nosuchsuite from" in broken.output
    quoted("The base of the images cannot be made", broken.output)
    assert have(reference=f"{PREFIX}/broken:1").returncode == 0


def test_full_disk_is_told_before_anything_is_begun(have):
    full = have(min_free="9999t", reference=f"{PREFIX}/full:1")
    assert full.returncode != 0
    assert "needed is 9999t (container_image_min_free)" in full.output
    quoted("The disk is full", full.output)
    assert run(*typed("docker system df").split()).returncode == 0
    assert full.changed == 0


def test_image_is_pulled_once(have, registry):
    reference = f"{registry}/{PREFIX}/pulled:2"
    assert have().returncode == 0
    docker("tag", f"{PREFIX}/test:1", reference)
    docker("push", reference)
    docker("rmi", reference)
    pulled = have(source="pull", reference=reference)
    assert (pulled.returncode, pulled.changed) == (0, 1), str(pulled)
    again = have(source="pull", reference=reference)
    assert (again.returncode, again.changed) == (0, 0), str(again)


def test_unreachable_registry_is_told_in_a_sentence(have):
    unreachable = have(source="pull", reference=f"127.0.0.1:1/{PREFIX}/none:1")
    assert unreachable.returncode != 0
    assert f"127.0.0.1:1/{PREFIX}/none:1 could not be pulled to localhost" in unreachable.output
    assert "connection refused" in unreachable.output
    assert "container_image_source to build or archive" in unreachable.output


def test_image_is_loaded_once_from_an_archive(have, tmp_path):
    assert have().returncode == 0
    before, archive = identity(f"{PREFIX}/test:1"), tmp_path / "image.tar"
    docker("save", "--output", str(archive), f"{PREFIX}/test:1")
    docker("rmi", f"{PREFIX}/test:1")
    loaded = have(source="archive", archive=str(archive))
    assert loaded.returncode == 0, str(loaded)
    assert identity(f"{PREFIX}/test:1") == before
    again = have(source="archive", archive=str(archive))
    assert (again.returncode, again.changed) == (0, 0), str(again)


def test_archive_of_another_image_is_refused(have, tmp_path):
    assert have().returncode == 0
    archive = tmp_path / "image.tar"
    docker("save", "--output", str(archive), f"{PREFIX}/test:1")
    wrong = have(source="archive", archive=str(archive), reference=f"{PREFIX}/other:1")
    assert wrong.returncode != 0
    assert f"holds {PREFIX}/test:1, wanted was {PREFIX}/other:1" in wrong.output
    assert not list(Path("/tmp").glob("wheelhouse-image-*")), "the archive does not stay on the host"  # noqa: S108 - where the role puts it
