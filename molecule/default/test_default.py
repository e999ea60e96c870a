# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator relies on, looked at from outside the product: on the host with testinfra, and over its address."""

import hashlib
import json
import os
import re

import pytest
import requests
from commands import poll

URL = "http://localhost:18080"
INDEX, PROXY = "pypi-index", "pypi-proxy"
INDEX_UID, PROXY_UID = 8141, 8142


@pytest.fixture(scope="module")
def docker(host):
    """Run a docker command on the host and return what it prints."""

    def run(command):
        return host.check_output(f"docker {command}")

    return run


@pytest.fixture(scope="module")
def inspect(docker):
    return lambda container: json.loads(docker(f"inspect {container}"))[0]


@pytest.fixture(scope="module")
def passwords(host):
    return json.loads(host.file("/etc/wheelhouse/pypi/secrets/secrets.json").content_string)["passwords"]


def answers():
    try:
        return requests.get(f"{URL}/+api", timeout=2).status_code == 200
    except requests.RequestException:
        return False


def main_process(inspect, host, container):
    """The process id, on the host, of the server that the container's init process looks after."""
    init = inspect(container)["State"]["Pid"]
    return int(host.check_output(f"pgrep --parent {init}").split()[0])


# The second run


def test_unchanged_run_leaves_containers_alone(host, docker):
    names = " ".join(sorted(docker("ps --all --format '{{.Names}}'").split()))
    now = docker(f"inspect --format '{{{{.Name}}}} {{{{.Id}}}} {{{{.Image}}}} {{{{.State.StartedAt}}}}' {names}")
    assert now.strip() == host.file("/root/containers-after-first-run").content_string.strip()


# The host


def test_engine_is_a_service_started_at_boot(host):
    engine = host.service("docker")
    assert engine.is_running
    assert engine.is_enabled


def test_host_listens_on_the_proxys_port_only(host):
    listening = host.check_output("ss --no-header --listening --tcp --numeric").splitlines()
    ports = {line.split()[3].rsplit(":", 1)[1] for line in listening if not line.split()[3].startswith("127.0.0.")}
    assert ports == {"18080"}


def test_index_listens_on_no_port_at_all(host, inspect):
    pid = inspect(INDEX)["State"]["Pid"]
    lines = host.check_output(f"nsenter --target {pid} --net ss --no-header --listening --tcp --numeric").splitlines()
    # Docker's own name server listens in every container.
    assert [line for line in lines if "127.0.0.11" not in line] == []
    assert not inspect(INDEX)["HostConfig"]["PortBindings"]


@pytest.mark.parametrize(
    ("path", "owner", "mode"),
    [
        ("/etc/wheelhouse/pypi/secrets", 0, 0o700),
        ("/etc/wheelhouse/pypi/secrets/secrets.json", 0, 0o600),
        ("/etc/wheelhouse/pypi/index", 0, 0o750),
        ("/etc/wheelhouse/pypi/index/token_secret", INDEX_UID, 0o600),
        ("/etc/wheelhouse/pypi/index/root_password", INDEX_UID, 0o600),
        ("/var/lib/docker/volumes/pypi-data/_data", INDEX_UID, 0o750),
        ("/var/lib/docker/volumes/pypi-data/_data/server/.sqlite", INDEX_UID, 0o600),
        ("/var/lib/docker/volumes/pypi-data/_data/run/index.sock", INDEX_UID, 0o660),
    ],
)
def test_secret_files_are_closed(host, path, owner, mode):
    file = host.file(path)
    assert (file.uid, oct(file.mode)) == (owner, oct(mode))


# The containers


@pytest.mark.parametrize(("container", "uid"), [(INDEX, INDEX_UID), (PROXY, PROXY_UID)])
def test_container_is_confined(inspect, docker, container, uid):
    facts = inspect(container)
    settings = facts["HostConfig"]
    assert settings["ReadonlyRootfs"] is True
    assert settings["CapDrop"] == ["ALL"]
    assert not settings["CapAdd"]
    assert settings["SecurityOpt"] == ["no-new-privileges"]
    assert settings["Init"] is True
    assert settings["Privileged"] is False
    assert settings["RestartPolicy"]["Name"] == "unless-stopped"
    assert settings["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
    assert settings["Memory"] > 0
    assert settings["PidsLimit"] > 0
    assert "/var/run/docker.sock" not in str(facts["Mounts"])
    processes = docker(f"top {container} -eo pid,uid").splitlines()[1:]
    assert {process.split()[1] for process in processes} == {str(uid)}


@pytest.mark.parametrize("container", [INDEX, PROXY])
def test_container_has_no_capability_and_cannot_write_to_its_root(host, inspect, docker, container):
    pid = main_process(inspect, host, container)
    status = host.file(f"/proc/{pid}/status").content_string
    capabilities = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Cap"))
    assert {int(value, 16) for name, value in capabilities.items() if name in ("CapPrm", "CapEff", "CapBnd")} == {0}
    assert "NoNewPrivs:\t1" in status
    assert host.run(f"docker exec {container} touch /usr/local/probe").rc != 0


@pytest.mark.parametrize("container", [INDEX, PROXY])
def test_container_is_healthy(inspect, container):
    poll(lambda: inspect(container)["State"]["Health"]["Status"] == "healthy", 30)


def test_state_is_one_volume_that_the_proxy_only_reads(inspect):
    def mounts(container):
        return {mount.get("Name") or mount["Source"]: mount["RW"] for mount in inspect(container)["Mounts"]}

    assert mounts(INDEX) == {
        "pypi-data": True,
        "/etc/wheelhouse/pypi/index": False,
        "/etc/ssl/certs/ca-certificates.crt": False,
    }
    assert mounts(PROXY) == {"pypi-data": False, "pypi-proxy-cache": True, "/etc/wheelhouse/pypi/proxy": False}


def test_index_needs_little_memory(host, inspect):
    status = host.file(f"/proc/{main_process(inspect, host, INDEX)}/status").content_string
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    assert peak <= 150 * 1024, "kB at the most; devpi's own default takes 590,000"


@pytest.mark.parametrize(("image", "megabytes"), [("wheelhouse/devpi:6.20.3", 180), ("wheelhouse/nginx:1.26", 90)])
def test_image_is_small(inspect, image, megabytes):
    assert inspect(image)["Size"] <= megabytes * 1e6


@pytest.mark.parametrize("server", [INDEX, PROXY])
def test_server_comes_back_when_it_is_killed(host, inspect, server):
    before = inspect(server)["State"]["StartedAt"]
    host.check_output(f"kill -KILL {main_process(inspect, host, server)}")
    poll(lambda: inspect(server)["State"]["StartedAt"] != before and answers(), 10)


def test_everything_comes_back_with_the_engine(host, docker):
    host.check_output("systemctl restart docker")
    poll(answers, 30)


# The address


def test_index_links_carry_our_address_whatever_a_client_claims():
    answer = requests.get(
        f"{URL}/+api",
        headers={
            "X-Outside-Url": "http://evil.example",
            "X-Forwarded-Host": "evil.example",
            "Accept": "application/json",
        },
        timeout=10,
    )
    assert answer.json()["result"]["login"] == f"{URL}/+login"
    assert "evil" not in answer.text


def test_unknown_host_name_is_told_so():
    answer = requests.get(f"{URL}/pypi/stable/+simple/", headers={"Host": "evil.example"}, timeout=10)
    assert answer.status_code == 421


@pytest.mark.parametrize(
    "path",
    ["/+status", "/%2bstatus", "//+status", "/+changelog/0", "/%2Bchangelog/0", "/x/../+changelog/0", "/+changelog/0-"],
)
def test_server_internals_are_closed(path):
    request = requests.Request("GET", URL, headers={"X-Devpi-Expected-Primary-Id": ""}).prepare()
    request.url = URL + path  # as it is, not normalised
    assert requests.Session().send(request, timeout=10).status_code == 403


def test_anonymous_cannot_make_users():
    assert requests.put(f"{URL}/mallory", json={"password": "x"}, timeout=10).status_code == 403


@pytest.mark.parametrize(
    "path",
    ["/pypi/stable/+f/../../../.sqlite", "/pypi/stable/+f/%2e%2e/%2e%2e/%2e%2e/.sqlite", "/.sqlite", "/server/.sqlite"],
)
def test_files_outside_the_releases_are_not_served(path):
    request = requests.Request("GET", URL).prepare()
    request.url = URL + path
    answer = requests.Session().send(request, timeout=10)
    assert answer.status_code in (400, 404)
    assert b"SQLite" not in answer.content


def test_upload_of_100_mib_passes_and_is_served_by_nginx(docker, passwords):
    name, content = "simple_test-0.100-py3-none-any.whl", os.urandom(100 * 2**20)
    root, user = ("root", passwords["root"]), ("pypi", passwords["pypi"])
    index = f"{URL}/pypi/large"
    made = requests.put(index, json={"volatile": True}, auth=root, headers={"Accept": "application/json"}, timeout=10)
    assert made.status_code == 200, made.text
    try:
        form = {":action": "file_upload", "name": "simple_test", "version": "0.100", "filetype": "bdist_wheel"}
        upload = requests.post(f"{index}/", data=form, files={"content": (name, content)}, auth=user, timeout=120)
        assert upload.status_code == 200, upload.text
        page = requests.get(
            f"{index}/+simple/simple-test/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}, timeout=10
        )
        file = page.json()["files"][0]
        address = requests.compat.urljoin(page.url, file["url"])
        download = requests.get(address, timeout=120)
        assert hashlib.sha256(download.content).hexdigest() == file["hashes"]["sha256"]
        assert download.headers["ETag"], "nginx sends one, devpi does not"
        assert requests.get(address, headers={"Range": "bytes=0-9"}, timeout=10).status_code == 206
        poll(lambda: re.search(f"GET .*{re.escape(name)} .* upstream=-$", docker(f"logs {PROXY}"), re.MULTILINE), 10)
    finally:
        assert requests.delete(index, auth=root, headers={"Accept": "application/json"}, timeout=30).status_code == 201


def test_mirror_hands_through_public_packages_without_the_full_list(docker):
    page = requests.get(
        f"{URL}/pypi/stable/+simple/six/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}, timeout=60
    )
    assert any(file["filename"] == "six-1.16.0-py2.py3-none-any.whl" for file in page.json()["files"])
    mirror = requests.get(f"{URL}/root/pypi", headers={"Accept": "application/json"}, timeout=60).json()["result"]
    assert mirror["mirror_no_project_list"] is True
    assert mirror["projects"] == ["six"], "a full list would hold hundreds of thousands"


# The secrets


def test_secrets_are_in_no_output_of_the_engine(host, docker, passwords):
    secret_values = [*passwords.values(), host.file("/etc/wheelhouse/pypi/index/token_secret").content_string]
    shown = "\n".join(
        [docker(f"inspect {INDEX} {PROXY}"), docker("history --no-trunc wheelhouse/devpi:6.20.3")]
        + [host.run(f"docker logs {container} 2>&1").stdout for container in (INDEX, PROXY)]
        + [host.check_output("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")]
    )
    assert [value[:4] + "…" for value in secret_values if value in shown] == []
