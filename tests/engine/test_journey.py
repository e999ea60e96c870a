# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The local journey, by the lines of README.md: up, a package, verify, mend, destroy, up again, purge.

The tests are the stages of one journey and run in this order. The index has a name, a port and data of its own, and a
copy of the checkout; whatever else runs on the machine is left alone, which the last test checks.
"""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import requests
from commands import BIN, checkout, docker, poll, run
from pages import quoted, typed
from tree import ROOT

INSTANCE = "wheelhouse-journey"
PORT = 18090
URL = f"http://localhost:{PORT}"
INDEX, PROXY = f"{INSTANCE}-index", f"{INSTANCE}-proxy"
CONFIGURATION = Path("/etc/wheelhouse", INSTANCE)
ROLES = ["container_engine", "container_image", "pypi_server", "nginx_proxy", "pypi_client", "pypi_verify"]


@pytest.fixture(scope="module")
def place(tmp_path_factory, engine):
    """The journey's own copy of the checkout."""
    place = checkout(tmp_path_factory.mktemp("journey"), INSTANCE, PORT)
    yield place
    run("make", "destroy", "PURGE=yes", cwd=place)


@pytest.fixture(scope="module")
def make(place):
    """Type `make …` there."""
    return lambda *words: run("make", *words, cwd=place)


@pytest.fixture(scope="module")
def shell(place):
    """Type a whole line there, with the journey's port and name in the place of the usual ones."""
    return lambda line, **environment: run(
        *("bash", "-c", line.replace("localhost:8080", f"localhost:{PORT}").replace("pypi-index", INDEX)),
        cwd=place,
        **environment,
    )


@pytest.fixture(scope="module")
def bystanders(engine):
    """Containers and volumes of others, as they were at the start."""
    return others()


@pytest.fixture(scope="module")
def package(place):
    """A release of simple_test, version 1.0: file name → SHA-256, and the directory of the files."""
    source = shutil.copytree(ROOT / "roles/pypi_verify/files/simple_test", place / "simple_test")
    built = subprocess.run(
        [sys.executable, source / "build_simple_test.py", source / "dist", "1.0"],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(built.stdout)


def others():
    containers = docker("ps", "--all", "--no-trunc", "--format", "{{.Names}} {{.ID}} {{.Status}}").splitlines()
    volumes = docker("volume", "ls", "--quiet").splitlines()
    return {
        *(line.split()[0] + " " + line.split()[1] for line in containers if not line.startswith(INSTANCE)),
        *(volume for volume in volumes if not volume.startswith(INSTANCE)),
    }


def incarnations():
    """Which containers run, and since when."""
    return docker("inspect", "--format", "{{.Name}} {{.Id}} {{.State.StartedAt}}", INDEX, PROXY)


def ours(kind, *arguments):
    return [name for name in docker(kind, "ls", *arguments).splitlines() if name.startswith(INSTANCE)]


def left():
    """What is there of the journey: containers, volumes, networks, files."""
    return {
        "containers": ours("container", "--all", "--format", "{{.Names}}"),
        "volumes": ours("volume", "--format", "{{.Name}}"),
        "networks": ours("network", "--format", "{{.Name}}"),
        "files": sorted(str(path) for path in CONFIGURATION.rglob("*")) if CONFIGURATION.exists() else [],
    }


def answers():
    """Whether the index answers; a container that was just started may not listen yet."""
    try:
        return requests.get(f"{URL}/+api", timeout=2).status_code == 200
    except requests.RequestException:
        return False


def listed(project="simple-test"):
    """The files of a project as clients see them: file name → SHA-256."""
    page = requests.get(
        f"{URL}/pypi/stable/+simple/{project}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}, timeout=10
    )
    return {file["filename"]: file["hashes"]["sha256"] for file in page.json()["files"]}


NOTHING = {"containers": [], "volumes": [], "networks": [], "files": []}


def test_check_mode_before_changes_nothing_and_says_what_it_would(shell, bystanders):
    result = shell(typed("make pypi ARGS=--check"))
    assert result.returncode == 0, str(result)
    assert result.changed > 0
    assert left() == NOTHING


def test_up_brings_a_verified_index_and_says_how_to_use_it(shell, place):
    result = shell(typed("make pypi"))
    assert result.returncode == 0, str(result)
    assert "11 of 11 checks passed" in result.output
    assert f"pip install --index-url {URL}/pypi/stable/+simple/ PACKAGE" in result.output
    assert f"uv pip install --default-index {URL}/pypi/stable/+simple/ PACKAGE" in result.output
    assert (
        f"twine upload --config-file {place}/build/clients/local/pypirc --repository pypi-stable dist/*"
        in result.output
    )


def test_up_again_changes_nothing(make):
    before = incarnations()
    result = make("pypi")
    assert result.returncode == 0, str(result)
    assert result.changed == 0, str(result)
    assert "11 of 11 checks passed" in result.output
    assert incarnations() == before


def test_check_mode_afterwards_predicts_no_change(make):
    result = make("pypi", "ARGS=--check --diff")
    assert result.returncode == 0, str(result)
    assert result.changed == 0, str(result)


def test_client_files_work_as_they_are(place, package):
    clients = place / "build/clients/local"
    assert stat.S_IMODE((clients / "pypirc").stat().st_mode) == 0o600
    uploaded = run(
        *(BIN / "python", "-m", "twine", "upload", "--non-interactive", "--config-file", clients / "pypirc"),
        *("--repository", "pypi-stable", *(place / "simple_test/dist" / name for name in package)),
    )
    assert uploaded.returncode == 0, str(uploaded)
    assert listed() == package
    for name, install in {
        "pip": [BIN / "python", "-m", "pip", "--python", "ENVIRONMENT", "install", "--no-cache-dir"],
        "uv": [BIN / "python", "-m", "uv", "pip", "install", "--no-cache", "--python", "ENVIRONMENT"],
    }.items():
        venv.create(place / name)
        python = place / name / "bin/python"
        installed = run(
            *(python if word == "ENVIRONMENT" else word for word in install),
            "simple-test==1.0",
            **{"PIP_CONFIG_FILE": str(clients / "pip.conf"), "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": ""},
            **{"UV_CONFIG_FILE": str(clients / "uv.toml")},
        )
        assert installed.returncode == 0, str(installed)
        assert run(python, "-c", "import simple_test; print(simple_test.__version__)").output.strip() == "1.0"


def test_package_is_made_uploaded_and_installed_by_the_lines_of_the_readme(shell, place):
    for line in (
        typed(".venv/bin/uv init --lib build/hello-index"),
        typed(".venv/bin/uv build build/hello-index"),
        typed(
            ".venv/bin/twine upload --config-file build/clients/local/pypirc "
            "--repository pypi-stable build/hello-index/dist/*"
        ),
        typed("python3 -m venv build/try"),
        typed("PIP_CONFIG_FILE=build/clients/local/pip.conf build/try/bin/pip install hello-index"),
    ):
        result = shell(line, PIP_EXTRA_INDEX_URL="", PIP_FIND_LINKS="")
        assert result.returncode == 0, f"{line}\n{result}"
    assert sorted(listed("hello-index")) == ["hello_index-0.1.0-py3-none-any.whl", "hello_index-0.1.0.tar.gz"]
    assert run(place / "build/try/bin/python", "-c", "import hello_index").returncode == 0


def test_picture_of_the_index_is_taken(shell, place):
    subprocess.run(["apt-get", "update"], check=True)
    subprocess.run(["apt-get", "install", "--yes", "--no-install-recommends", "chromium"], check=True)
    before = (place / "docs/images/index.png").read_bytes()
    result = shell(typed("make screenshot"), URL=f"{URL}/pypi/stable")
    assert result.returncode == 0, str(result)
    after = (place / "docs/images/index.png").read_bytes()
    assert after[:24] == before[:24], "a PNG of the same size"
    assert after != before


@pytest.mark.parametrize("role", ROLES)
def test_role_runs_alone_by_its_tag(make, role):
    result = make("pypi", f"ARGS=--tags={role}")
    assert result.returncode == 0, str(result)
    assert result.changed == 0, str(result)
    assert f"wheelhouse.pypi.{role} : " in result.output


def test_verify_changes_nothing_and_leaves_nothing(shell):
    def indexes():
        answer = requests.get(URL, headers={"Accept": "application/json"}, timeout=10).json()["result"]
        return {user: sorted(settings["indexes"]) for user, settings in answer.items()}

    before = indexes()
    result = shell(typed("make verify"))
    assert result.returncode == 0, str(result)
    assert result.changed == 0
    assert indexes() == before


def test_verify_tells_all_that_is_wrong_and_up_mends_it(make, shell):
    docker("stop", INDEX)
    broken = make("verify")
    assert broken.returncode != 0
    assert f"{URL}/ is not a working index" in broken.output
    assert "502" in broken.output
    bad_gateway = requests.get(URL, timeout=10).text
    docker("stop", PROXY)
    ask = ("uv", "pip", "install", "--dry-run", "--python", sys.executable, "--default-index", URL, "hello-index")
    nobody = run(BIN / "python", "-m", *ask, UV_HTTP_RETRIES="0")
    quoted("Nobody answers, or nginx answers 502", broken.output, bad_gateway, nobody.output)
    assert "GET /+api" in shell(typed("docker logs pypi-index")).output
    mended = shell(typed("make pypi ARGS='-K'"))
    assert mended.returncode == 0, str(mended)
    assert "11 of 11 checks passed" in mended.output


def test_another_host_name_is_told_so():
    answer = requests.get(URL, headers={"Host": "packages.example.com"}, timeout=10)
    assert answer.status_code == 421
    quoted("The index does not know the host name", answer.text)


def test_verify_collects_failures_and_cleans_up(make):
    # Uploads end at one byte: everything but the upload and what needs it still holds.
    small = make("pypi", "ARGS=--tags nginx_proxy --extra-vars nginx_proxy_max_body_size=1k")
    assert small.returncode == 0, str(small)
    broken = make("verify")
    assert broken.returncode != 0
    for failure in ("twine uploads: ", "pip installs wheel: ", "uv installs wheel: "):
        assert failure in broken.output, str(broken)
    assert "index is there: " not in broken.output
    quoted("An upload is refused: too large", broken.output)
    users = requests.get(URL, headers={"Accept": "application/json"}, timeout=10).json()["result"]
    assert sorted(users["pypi"]["indexes"]) == ["stable"]
    mended = make("pypi")
    assert mended.returncode == 0, str(mended)


def test_configuration_that_nginx_refuses_leaves_the_old_one_serving(make, place):
    before = (CONFIGURATION / "proxy/nginx.conf").read_bytes(), incarnations()
    (place / "broken.conf.j2").write_text("server { listen 8080; no_such_directive on; }\n")
    arguments = json.dumps({"nginx_proxy_vhosts": [{"template": str(place / "broken.conf.j2")}]})
    broken = make("pypi", f"ARGS=--tags nginx_proxy --extra-vars '{arguments}'")
    assert broken.returncode != 0
    assert "the one before goes on serving" in broken.output
    assert "no_such_directive" in broken.output
    assert ((CONFIGURATION / "proxy/nginx.conf").read_bytes(), incarnations()) == before
    docker("restart", PROXY)
    poll(answers, 10)
    assert listed(), "served even after a restart"


def test_lost_secrets_are_replaced_and_the_data_stays(shell, package):
    run("rm", "-r", CONFIGURATION / "secrets")
    result = shell(typed("make PYTHON=python3.11 pypi"))
    assert result.returncode == 0, str(result)
    assert "11 of 11 checks passed" in result.output
    assert listed() == package


def test_destroy_keeps_the_data(shell):
    result = shell(typed("make destroy"))
    assert result.returncode == 0, str(result)
    assert left() == NOTHING | {
        "volumes": [f"{INSTANCE}-data"],
        "files": [f"{CONFIGURATION}/secrets", f"{CONFIGURATION}/secrets/secrets.json"],
    }


def test_up_after_destroy_serves_the_kept_data(shell, place, package):
    """By an inventory of one's own, which says where it keeps its client files."""
    own = shutil.copytree(place / "inventories/local", place / "my-inventory")
    with (own / "host_vars/localhost.yml").open("a") as variables:
        variables.write(f"pypi_client_directory: {place}/build/clients/local\n")
    result = shell(typed("make pypi INVENTORY=my-inventory"))
    assert result.returncode == 0, str(result)
    assert listed() == package


def test_purge_is_not_typed_by_accident(make):
    result = make("destroy", "PURGE=y")
    assert result.returncode != 0
    assert "allowed is 'yes'" in result.output
    assert f"{INSTANCE}-data" in left()["volumes"]


def test_check_mode_destroys_nothing(make):
    before = left()
    result = make("destroy", "PURGE=yes", "ARGS=--check")
    assert result.returncode == 0, str(result)
    assert result.changed > 0
    assert left() == before


def test_purge_leaves_nothing(shell, place):
    result = shell(typed("make destroy PURGE=yes"))
    assert result.returncode == 0, str(result)
    assert left() == NOTHING
    assert not CONFIGURATION.exists()
    assert not (place / "build/clients").exists()
    used = {docker("inspect", "--format", "{{.Image}}", name) for name in docker("ps", "--all", "--quiet").split()}
    images = docker("images", "--no-trunc", "--quiet", "--filter", "label=wheelhouse.pypi.inputs").split()
    assert set(images) <= used, "only what other containers run from may stay"


def test_destroy_of_nothing_is_no_error(make):
    result = make("destroy")
    assert result.returncode == 0, str(result)
    assert result.changed == 0
    typed_by_hand = make("destroy", "ARGS=-e pypi_server_purge=true")  # a string, not a boolean
    assert typed_by_hand.returncode == 0, str(typed_by_hand)


def test_bystanders_were_left_alone(bystanders):
    assert others() == bystanders
