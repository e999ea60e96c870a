# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fleet's operator and clients rely on. The product's own verification has passed before, through the proxy."""

import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys

import pytest
import requests
from commands import BIN, docker, poll, run
from conftest import DEVPI, INVENTORIES, PROXY, SITE, WHEELS, execute, handshake, play
from tree import ROOT

CONTROLLER = "10.213.7.1"
JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}


# How Ansible gets to the machines


@pytest.mark.parametrize("machine", ["devpi", "pypiserver", "proxy"])
def test_unchanged_run_leaves_processes_alone(machine):
    assert execute(machine, "sh", "/root/lasting-processes") == execute(
        machine, "cat", "/root/processes-after-first-run"
    )


@pytest.mark.parametrize("machine", ["devpi", "pypiserver", "proxy"])
def test_administrator_becomes_root_with_a_password_alone(machine):
    refused = execute(machine, "su", "admin", "-c", "sudo -n id 2>&1", check=False)
    assert "a password is required" in refused
    assert (SITE / "group_vars/all/vault.yml").read_text().startswith("$ANSIBLE_VAULT;")


def test_inner_machine_is_reached_through_the_bastion():
    log = execute("devpi", "journalctl", "--unit", "ssh", "--output", "cat")
    assert set(re.findall(r"Accepted publickey for admin from (\S+) ", log)) == {"10.213.8.10"}


def test_python_is_where_the_inventory_says():
    command = ["--module-name", "setup", "--args", "gather_subset=!all,!min,python", "fleet-pypiserver"]
    facts = run(BIN / "ansible", *INVENTORIES, *command)
    assert "executable: /opt/python/bin/python3" in facts.output, str(facts)


def test_packages_came_through_the_package_proxy():
    direct = execute("devpi", "sh", "-c", f"timeout 3 bash -c '< /dev/tcp/{PROXY}/443'; echo $?")
    assert direct != "0", "nothing beyond its own network is reached from there"
    log = execute("proxy", "cat", "/var/log/tinyproxy/tinyproxy.log")
    assert re.search(r"Request .*: GET http://\S+/debian/", log), "apt"
    assert re.search(r"Request .*: CONNECT \S+:443", log), "pip, and devpi's mirror"


# What clients get


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A release of simple_test."""
    place = tmp_path_factory.mktemp("release") / "simple_test"
    shutil.copytree(ROOT / "roles/pypi_verify/files/simple_test", place)
    subprocess.run([sys.executable, "build_simple_test.py", "dist", "1.0"], cwd=place, check=True)
    return [str(path) for path in (place / "dist").iterdir()]


def pip(index, requirement):
    """Install on the client, in an environment of its own."""
    venv = f"/opt/{index.name}"
    ca = f"{venv}/ca.pem"
    execute("client", "python3", "-m", "venv", venv)
    docker("cp", str(index.files / "ca.pem"), f"wheelhouse-fleet-client:{ca}")
    command = [f"{venv}/bin/pip", "--isolated", "--disable-pip-version-check", "install", "--cert", ca]
    return execute("client", *command, "--index-url", index.simple, requirement, check=False)


def test_client_installs_by_name_what_was_uploaded(index, release):
    upload = ["--config-file", index.files / "pypirc", "--non-interactive", "--disable-progress-bar"]
    ca = str(index.files / "ca.pem")  # what the machine that runs the tests has set wins over the file
    [repository] = re.findall(r"^index-servers = (\S+)", (index.files / "pypirc").read_text(), re.MULTILINE)
    done = run(BIN / "twine", "upload", *upload, "--repository", repository, *release, REQUESTS_CA_BUNDLE=ca)
    assert done.returncode == 0, str(done)
    assert "Successfully installed simple-test-1.0" in pip(index, "simple-test")


def test_client_installs_a_public_package_through_the_mirror():
    """devpi fetches it through the package proxy: its machine has no other way."""
    assert "Successfully installed six-1.16.0" in pip(DEVPI, "six==1.16.0")


def test_links_and_redirects_carry_the_public_name():
    api = DEVPI.get("/pypi/stable/+api", headers={"Accept": "application/json"}).json()["result"]
    assert {address.split("/")[2] for address in api.values() if str(address).startswith("http")} == {DEVPI.name}
    assert api["index"] == f"{DEVPI.url}/pypi/stable"
    redirect = WHEELS.get("/simple/Simple_Test/", allow_redirects=False)
    assert redirect.status_code in (301, 302, 303, 307, 308)
    assert requests.compat.urljoin(redirect.url, redirect.headers["Location"]).startswith(f"{WHEELS.url}/simple/")
    for index in (DEVPI, WHEELS):
        page = index.http.get(index.simple + "simple-test/", timeout=30)
        assert "inner" not in page.text
        assert "wheelhouse-fleet" not in page.text


def test_a_header_is_said_once(index):
    for name in ("Strict-Transport-Security", "X-Content-Type-Options", "Content-Security-Policy"):
        values = index.http.get(index.simple, timeout=30).raw.headers.getlist(name)
        assert len(values) == 1, name


def test_large_upload_streams_through_and_a_download_resumes():
    name, content = "simple_test-0.100-py3-none-any.whl", os.urandom(100 * 2**20)
    root, user = ("root", DEVPI.passwords["root"]), ("pypi", DEVPI.passwords["pypi"])
    index = f"{DEVPI.url}/pypi/large"
    plain = {"Accept": "application/json"}
    made = DEVPI.http.put(index, json={"volatile": True}, auth=root, headers=plain, timeout=10)
    assert made.status_code == 200, made.text
    try:
        form = {":action": "file_upload", "name": "simple_test", "version": "0.100", "filetype": "bdist_wheel"}
        buffered = "docker exec pypi-proxy find /var/cache/nginx -type f -newer /tmp/nginx.pid"
        upload = DEVPI.http.post(f"{index}/", data=form, files={"content": (name, content)}, auth=user, timeout=120)
        assert upload.status_code == 200, upload.text
        assert "a client request body is buffered" not in execute("proxy", "sh", "-c", "docker logs pypi-proxy 2>&1")
        assert execute("proxy", "sh", "-c", buffered) == ""
        page = DEVPI.http.get(f"{index}/+simple/simple-test/", headers=JSON, timeout=10)
        file = page.json()["files"][0]
        address = requests.compat.urljoin(page.url, file["url"])
        whole = DEVPI.http.get(address, timeout=120)
        assert hashlib.sha256(whole.content).hexdigest() == file["hashes"]["sha256"]
        rest = DEVPI.http.get(address, headers={"Range": f"bytes={len(content) - 10}-"}, timeout=10)
        assert (rest.status_code, rest.content) == (206, content[-10:])
    finally:
        assert DEVPI.http.delete(index, auth=root, headers=plain, timeout=30).status_code == 201


# What nobody gets


ASK = """
import http.client, ssl, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
connection = http.client.HTTPSConnection("wheelhouse-fleet-pypiserver", context=context)
connection.request("GET", "/simple/", headers={"X-Forwarded-For": "10.213.7.10"})
answer = connection.getresponse()
print(answer.status, answer.read().decode())
"""


def test_index_host_answers_its_proxy_alone():
    refused = execute("client", "python3", "-c", ASK)
    assert refused == "403 This address is for the proxy in front of it alone."
    assert execute("proxy", "python3", "-c", ASK).startswith("200 "), "which is admitted by its address"


@pytest.mark.parametrize("machine", ["devpi", "pypiserver"])
def test_index_itself_listens_on_no_network(machine):
    listening = execute(machine, "ss", "--no-header", "--listening", "--tcp", "--numeric")
    ports = {line.split()[3].rsplit(":", 1)[1] for line in listening.splitlines() if "127.0.0." not in line.split()[3]}
    assert ports == {"22", "80", "443"}


def test_other_names_are_refused():
    answer = requests.get(f"http://{PROXY}/", headers={"Host": "other.fleet.test"}, timeout=10)
    assert (answer.status_code, answer.text) == (421, "This address does not serve that host name.\n")
    changed = DEVPI.get("/", headers={"Host": "other.fleet.test"})
    assert changed.status_code == 421
    with pytest.raises(ssl.SSLError, match="unrecognized"):
        handshake("other.fleet.test")


def test_index_is_told_who_the_client_is_and_no_lie():
    DEVPI.get(
        "/who-asks", headers={"X-Forwarded-For": "192.0.2.66", "X-Real-IP": "192.0.2.66", "Forwarded": "for=192.0.2.66"}
    )
    log = "/var/log/wheelhouse/pypi-proxy/access.log"
    poll(lambda: "/who-asks" in execute("devpi", "cat", log), 10)
    [line] = [line for line in execute("devpi", "cat", log).splitlines() if "/who-asks" in line]
    assert line.split()[0] == CONTROLLER


# What happens when a machine is gone


def test_index_that_is_down_is_told_in_a_sentence_and_the_other_goes_on():
    execute("devpi", "systemctl", "stop", "wheelhouse-pypi-proxy")
    try:
        answer = DEVPI.get("/pypi/stable/")
        assert answer.status_code == 502
        assert answer.text.startswith("The index behind this name cannot be reached")
        assert answer.headers["Strict-Transport-Security"]
        assert WHEELS.answers()
    finally:
        execute("devpi", "systemctl", "start", "wheelhouse-pypi-proxy")
    poll(DEVPI.answers, 10)


def test_machine_that_is_gone_is_told_in_a_sentence_and_is_back_after_a_boot():
    docker("stop", "--time", "20", "wheelhouse-fleet-devpi")
    try:
        answer = DEVPI.get("/pypi/stable/")
        assert answer.status_code in (502, 504)
        assert answer.text.startswith("The index behind this name ")
    finally:
        docker("start", "wheelhouse-fleet-devpi")
    poll(DEVPI.answers, 60)


def test_proxy_is_back_after_a_reboot():
    docker("restart", "wheelhouse-fleet-proxy")

    def answers():
        try:
            return DEVPI.answers() and WHEELS.answers()
        except requests.RequestException:
            return False

    poll(answers, 90)


def test_limit_works_or_is_refused_in_a_sentence():
    refused = play("up_pypi.yml", "--limit", "fleet-devpi")
    assert refused.returncode != 0
    assert refused.says("fleet-proxy, the proxy in front of fleet-devpi, was left out by --limit"), str(refused)
    assert refused.changed == 0
    verified = play("playbooks/verify.yml", "--limit", "fleet-pypiserver")
    assert verified.returncode == 0, str(verified)
    assert verified.says(f"{WHEELS.url}/ works:")
