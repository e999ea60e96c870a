# SPDX-License-Identifier: GPL-3.0-or-later
"""What each backend gives its users with each deployment. The product's own verification has passed before."""

import io
import re
import subprocess
import zipfile

import pytest
from commands import BIN
from conftest import INDEXES, SERVICES
from staleness import hammer, upload

SYSTEMD = [index for index in SERVICES if index.deployment == "systemd"]
UNITS = [(index, unit) for index in SYSTEMD for unit in (index.service, index.proxy)]


@pytest.mark.parametrize("machine", sorted({index.machine for index in INDEXES.values()}))
def test_unchanged_run_leaves_processes_alone(machine):
    index = next(index for index in INDEXES.values() if index.machine == machine)
    assert index.run("sh", "/root/lasting-processes") == index.run("cat", "/root/processes-after-first-run")


@pytest.mark.parametrize("name", ["pypiserver-systemd", "pypiserver-supervisord"])
def test_verification_leaves_nothing(named, name):
    index = named(name)
    assert index.run("find", f"/var/lib/wheelhouse/{index.instance}", "-name", "simple_test-0.*") == ""


# The host


@pytest.mark.parametrize(("index", "unit"), UNITS, ids=[unit for _index, unit in UNITS])
def test_unit_is_confined(index, unit):
    analysis = index.run("systemd-analyze", "security", "--no-pager", unit, check=False)
    assert float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", analysis)[1]) <= 2.0, analysis


def test_services_run_as_users_without_a_shell_or_a_privilege(service):
    for unit, user in ((service.service, "wheelhouse-index"), (service.proxy, "wheelhouse-proxy")):
        pid = service.process(unit)
        assert service.run("stat", "--format", "%U", f"/proc/{pid}") == user
        assert service.run("getent", "passwd", user).endswith(":/usr/sbin/nologin")
        status = service.run("cat", f"/proc/{pid}/status")
        held = {int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("CapEff", "CapBnd"))}
        low = unit == service.proxy and service.port < 1024
        assert held == {1 << 10 if low else 0}, "CAP_NET_BIND_SERVICE for a proxy on a low port, else none"
        assert "NoNewPrivs:\t1" in status


@pytest.mark.parametrize("index", SYSTEMD, ids=[index.name for index in SYSTEMD])
def test_unit_sees_of_the_indexes_what_is_its_own(index):
    root = f"/proc/{index.process(index.service)}/root"
    assert index.run("ls", f"{root}/var/lib/wheelhouse", f"{root}/etc/wheelhouse").split() == [
        *(f"{root}/etc/wheelhouse:", index.instance),
        *(f"{root}/var/lib/wheelhouse:", index.instance),
    ]
    assert index.run("ls", f"{root}/etc/wheelhouse/{index.instance}") == "index", "and no secrets"


@pytest.mark.parametrize(
    ("path", "owner", "mode"),
    [
        ("/etc/wheelhouse/{}/secrets", "root:root", "700"),
        ("/etc/wheelhouse/{}/secrets/secrets.json", "root:root", "600"),
        ("/etc/wheelhouse/{}/index", "root:wheelhouse-index", "750"),
        ("/var/lib/wheelhouse/{}", "wheelhouse-index:wheelhouse-index", "750"),
    ],
)
def test_files_are_closed(service, path, owner, mode):
    assert service.run("stat", "--format", "%U:%G %a", path.format(service.instance)) == f"{owner} {mode}"


@pytest.mark.parametrize(
    ("name", "addresses"),
    [
        ("devpi-systemd", {"0.0.0.0:80", "0.0.0.0:443", "0.0.0.0:8081"}),
        ("pypiserver-systemd", {"0.0.0.0:80", "0.0.0.0:8081"}),
        ("devpi-supervisord", {"0.0.0.0:8080", "127.0.0.1:3141"}),
    ],
)
def test_index_is_reached_by_its_proxy_alone(named, name, addresses):
    lines = named(name).run("ss", "--no-header", "--listening", "--tcp", "--numeric", "--processes", "-4").splitlines()
    # Without the engine's own: what a nested one starts, and the resolver of the machine's network.
    listening = {line.split()[3] for line in lines if "containerd" not in line and " 127.0.0.11:" not in line}
    assert listening == addresses, "of all indexes on the machine"


def test_no_file_that_anybody_may_read_holds_a_password(service):
    secrets = [word for word in service.passwords.values() if word]
    places = ["/etc/wheelhouse", "/etc/systemd/system", "/etc/supervisor", "/opt/wheelhouse", "/var/log"]
    for word in secrets:
        found = service.run("grep", "-rlsF", "--", word, *places, check=False).splitlines()
        assert all(service.run("stat", "--format", "%a", path)[-1] == "0" for path in found), found
    shown = service.run("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert not [word[:4] for word in secrets if word in shown]


# Pages from memory. tests/engine/test_page_cache.py has every way to make them wrong, this is the rule itself.


@pytest.mark.parametrize(
    ("name", "home", "page"),
    [
        ("devpi-systemd", "/local/stable/", "/local/stable/+simple/{}/"),
        ("devpi-supervisord", "/pypi/stable/", "/pypi/stable/+simple/{}/"),
        ("pypiserver-systemd", "/", "/simple/{}/"),
    ],
)
def test_nobody_reads_what_is_older_than_an_acknowledged_upload(named, name, home, page, monkeypatch, tmp_path):
    index, cycles, project = named(name), 10, f"read-on-{name}"
    user = "local" if "local" in home else "pypi"
    path = page.format(project)
    if index.tls:
        ca = tmp_path / "ca.pem"
        ca.write_text(index.run("cat", f"/etc/wheelhouse/{index.instance}/authority/ca.pem"))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca))

    def add(number):
        auth = user, index.passwords[user]
        assert upload(index.url + home, auth, project.replace("-", "_"), number).status_code == 200

    outcome = hammer(add, [index.url + path], cycles, readers=4)
    assert (outcome.cycles, outcome.stale, outcome.failed) == (cycles, [], [])
    # Of three kinds of page (JSON, HTML for installers and for people) each is fetched once more after each write.
    assert 3 <= index.fetched(path) <= 3 * (cycles + 2) < outcome.pages


# pypiserver with logins for everything: facts/seeds, rows 2 and 4


@pytest.fixture
def closed(named):
    return named("pypiserver-supervisord")


@pytest.mark.parametrize("path", ["/simple/", "/packages/", "/"])
def test_anonymous_sees_nothing(closed, path):
    assert closed.get(path).status_code in (401, 403) or path == "/"


@pytest.mark.parametrize(
    ("user", "password"), [("sha", "sha-password"), ("bcrypt", "bcrypt-password"), ("reader", None), ("pypi", None)]
)
def test_users_of_every_kind_of_hash_read(closed, user, password):
    password = password or closed.passwords[user]
    assert closed.get("/simple/", auth=(user, password)).status_code == 200
    assert closed.get("/simple/", auth=(user, password + "x")).status_code == 403


def test_htpasswd_is_closed(closed):
    path = f"/etc/wheelhouse/{closed.instance}/index/htpasswd"
    assert closed.run("stat", "--format", "%U:%G %a", path) == "root:wheelhouse-index 640"


@pytest.mark.parametrize("user", ["pypi", "sha", "reader", "nobody"])
def test_only_uploaders_upload_with_their_pypirc(closed, tmp_path, user):
    passwords = closed.passwords | {"sha": "sha-password", "nobody": "nothing"}
    pypirc = tmp_path / "pypirc"
    pypirc.write_text(
        f"[distutils]\nindex-servers = it\n[it]\nrepository = {closed.url}/\n"
        f"username = {user}\npassword = {passwords[user]}\n"
    )
    wheel = tmp_path / f"{user}_test-1.0-py3-none-any.whl"
    wheel.write_bytes(simple_wheel(f"{user}_test"))
    done = subprocess.run(
        [BIN / "twine", "upload", "--config-file", pypirc, "--repository", "it", "--non-interactive", wheel],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == (user in ("pypi", "sha")), done.stdout + done.stderr
    listed = closed.get(f"/simple/{user}-test/", auth=("pypi", passwords["pypi"])).status_code
    assert listed == (200 if user in ("pypi", "sha") else 404)


def simple_wheel(name):
    """A wheel with nothing in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = f"{name}-1.0.dist-info"
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", f"{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return buffer.getvalue()


def test_unknown_projects_lead_nowhere(closed):
    answer = closed.get("/simple/nobody-has-this/", auth=("pypi", closed.passwords["pypi"]), allow_redirects=False)
    assert answer.status_code == 404


def test_links_and_redirects_carry_no_clients_idea_of_the_address(closed):
    claims = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher", "X-Outside-Url": "http://evil.example"}
    auth = ("pypi", closed.passwords["pypi"])
    for path in ("/simple", "/simple/Six", "/", "/unknown"):
        answer = closed.get(path, auth=auth, headers=claims, allow_redirects=False)
        assert "evil" not in answer.text + str(answer.headers)
        assert "gopher" not in answer.text + str(answer.headers)
        assert answer.headers.get("Location", closed.url).startswith((closed.url, "/")), answer.headers


# pypiserver that is filled


def test_declared_packages_are_there_with_what_they_need(named, tmp_path):
    filled = named("pypiserver-systemd")
    subprocess.run(
        [
            *(BIN / "python", "-m", "pip", "--isolated", "download", "--quiet", "--no-cache-dir", "--dest", tmp_path),
            *("--index-url", f"{filled.url}/simple/", "--trusted-host", filled.url.split("/")[2].split(":")[0]),
            *("six==1.16.0", "python-dateutil==2.9.0.post0"),
        ],
        check=True,
        env={"PATH": "/usr/bin:/bin", "PIP_CONFIG_FILE": "/dev/null"},
    )
    assert {path.name.split("-")[0] for path in tmp_path.iterdir()} == {"six", "python_dateutil"}


# pypiserver that only serves: facts/seeds, row 3


def test_wheels_are_served_and_nothing_is_taken(named):
    serving = named("pypiserver-container")
    page = serving.get("/simple/simple-test/").text
    assert "simple_test-1.0-py3-none-any.whl#sha256=" in page
    upload = serving.http.post(f"{serving.url}/", data={":action": "file_upload"}, timeout=10)
    assert upload.status_code == 403
    assert "only serves" in upload.text or "read-only" in upload.text
    assert serving.run("ls", "/srv/wheels").split() == ["simple_test-1.0-py3-none-any.whl", "simple_test-1.0.zip"]
