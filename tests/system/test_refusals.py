# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bad input is refused before the first change, in words that say what came, what is allowed and where to set it.

Each bad value has a host of its own in one inventory, or shares one with those that the same message tells; one run of
the playbook meets them all. The hosts are this machine under other addresses. Nothing would be changed even if a value
passed: the run is in check mode.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass, field

import pytest
import yaml
from commands import LONG
from plays import FIRST_PLAYS, play

PASSWORD = "correct-horse-battery"


class Unsafe(str):
    """Text that Ansible must not take for a template."""


yaml.SafeDumper.add_representer(Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text), style='"'))


@dataclass(frozen=True)
class Refusal:
    """A bad value, and what the message has to say of it."""

    variable: str
    value: object
    allowed: str
    given: dict | None = None  # what the inventory sets, where that is more than the variable
    host: object = field(default_factory=object)  # equal for those that share one

    def __str__(self):
        return f"{self.variable}={self.value!r}"[:80]

    @property
    def shown(self):
        """Ways to show what came. A password has none."""
        if self.value == PASSWORD:
            return {""}
        plain = {f"got: {self.value}", f"Got no match for: {self.value}"} if isinstance(self.value, str) else set()
        plain |= {f" {self.value} "} if self.variable == "pypi_server_indexes" else set()
        return {json.dumps(self.value), repr(self.value), *plain}


def refusals(variable, allowed, *values):
    return [Refusal(variable, value, allowed) for value in values]


def nested(variable, allowed, **values):
    """Values inside a list of the inventory: what is shown → the list."""
    return [Refusal(variable, shown, allowed, {variable: [entry]}) for shown, entry in values.items()]


ACME = {
    "nginx_proxy_tls": "acme",
    "nginx_proxy_server_name": "{{ inventory_hostname }}.wheelhouse.test",  # two hosts must not claim one name
    "certbot_email": "pypi@wheelhouse.test",
    "certbot_agree_tos": True,
}
PYPISERVER = {"pypi_server_backend": "pypiserver"}
PORT_OF_BOTH = 18199
TLS = {
    "nginx_proxy_tls": "selfsigned",
    "nginx_proxy_port": PORT_OF_BOTH,
    "nginx_proxy_certificate_key": "/nowhere/index.key",
}


def together(*rows, **others):
    """Values that one message refuses, as (variable, what is allowed, values ...): a host has one of each variable."""
    message = object()
    return [
        Refusal(variable, value, allowed, others | {variable: value}, (message, len(values) - number))
        for variable, allowed, *values in rows
        for number, value in enumerate(values)  # the last ones share a host, and those before them
    ]


def pypiserver(variable, allowed, *values):
    """Values of a host with the other backend."""
    return [Refusal(variable, value, allowed, PYPISERVER | {variable: value}) for value in values]


def acme(variable, allowed, *values):
    """Values of a host that is otherwise ready for an ACME server."""
    return [Refusal(variable, value, allowed, ACME | {variable: value}) for value in values]


def tls(variable, allowed, *values):
    """Values of a host with TLS."""
    return [Refusal(variable, value, allowed, TLS | {variable: value}) for value in values]


HOST_NAMES = ["a;b", "a b", "$(id)", "*.x", "a." * 126 + "aa", "pypi.example.com.", "ex ample", '"a"', "-a.example", ""]
SIZES = ["64M; include /etc/passwd", "-1", "1x", "", "0m", "1.5g"]
NAMES = ["", "..", "a b", "a'b", "@x", "-x", "pypi\n", "x" * 65]
INDEX_NAMES = ["..", "a/b/c", "noslash", "pypi/..", "pypi/sta ble", "pypi/+simple", "@x/y", "root/pypi;", "../../etc"]

REFUSALS = [
    *together(
        ("pypi_server_backend", "must be one of: devpi, pypiserver", "teapot", ""),
        ("pypi_server_deployment", "must be one of: container, systemd, supervisord", "pigeon"),
        ("pypi_server_threads", "int", "many"),
    ),
    Refusal(
        "pypi_server_authenticate",
        "upload",
        "must be one or more of: list, download, update",
        PYPISERVER | {"pypi_server_authenticate": ["list", "upload"]},
    ),
    *together(
        ("pypi_server_fallback_url", "the http or https address of a simple index", "ftp://x/", "https://x/;"),
        ("pypi_server_packages_index", "the http or https address of a simple index", "file:///etc/"),
        (
            "pypi_server_packages_directory",
            "an absolute path of at least two parts",
            *("packages", "/", "/srv", "/srv/../etc", "/srv/a b", "/srv/$(id)", "/srv/a:/etc"),
        ),
        **PYPISERVER,
    ),
    *pypiserver("pypi_server_packages_directory", "is no directory", "/etc/hostname"),
    *pypiserver("pypi_server_packages_directory", "belongs to root", "/etc/ssl"),
    Refusal(
        "pypi_server_packages_directory",
        "/nowhere/wheels",
        "a directory that everybody may read",
        PYPISERVER | {"pypi_server_packages_directory": "/nowhere/wheels", "pypi_server_read_only": True},
    ),
    *(
        Refusal("pypi_server_packages", entry, allowed, PYPISERVER | {"pypi_server_packages": [entry]})
        for entry, allowed in [
            ({}, "one of requirement, requirements and file"),
            ({"file": "/etc/hostname", "requirement": "six"}, "one of requirement, requirements and file"),
        ]
    ),
    *(
        Refusal(
            "pypi_server_packages", next(iter(entry.values())), allowed, PYPISERVER | {"pypi_server_packages": [entry]}
        )
        for entry, allowed in [
            ({"requirement": "--index-url=http://x/"}, "a name with what may follow it"),
            ({"requirement": "six\nflask"}, "a name with what may follow it"),
            ({"file": "/nowhere/x.whl"}, "a file on the controller"),
            ({"requirements": "/nowhere/requirements.txt"}, "a file on the controller"),
        ]
    ),
    *(
        Refusal(
            "pypi_server_users",
            PASSWORD,
            "a plain password belongs into the key password",
            PYPISERVER | {"pypi_server_users": [{"name": "pypi"}, {"name": "alice", "password_hash": given}]},
        )
        for given in (PASSWORD, "$1$salt$hash", "{SHA}x", "$6$short", "$2y$05$short", "")
    ),
    Refusal(
        "pypi_server_users",
        PASSWORD,
        "allowed is one of them",
        PYPISERVER
        | {"pypi_server_users": [{"name": "pypi", "password": PASSWORD, "password_hash": "$6$salt$" + 86 * "x"}]},
    ),
    Refusal(
        "pypi_server_users",
        PASSWORD,
        "password_hash or upload, which devpi does not know",
        {"pypi_server_users": [{"name": "pypi"}, {"name": "alice", "upload": False}]},
    ),
    Refusal(
        "pypi_client_username",
        "pypi",
        "with a password and no hash of one",
        PYPISERVER | {"pypi_server_users": [{"name": "pypi", "password_hash": "$6$salt$" + 86 * "x"}]},
    ),
    *together(
        (
            "pypi_server_instance",
            "1 to 32 of a-z, 0-9 and dash",
            *("", "..", "a b", "a'b", 'a"b', "a\nb", "pypi\n", "a;b", "$(id)", "a\x07b", "\u0440ypi", "a\u202eb"),
            *("x" * 33, "-x", "x-", "UPPER", "a/b", Unsafe("{{ 7*7 }}")),
        ),
        ("pypi_server_image", "an image reference with a tag", "bad image", "devpi", "a:b:c d"),
        ("pypi_server_memory", "a whole number and one of k, m, g", *SIZES),
        ("pypi_server_threads", "a whole number from 1 to 256", 0, 257),
        ("pypi_server_port", "0 in a container", 3141),
    ),
    *together(
        ("nginx_proxy_port", "int", "abc", "8080x", 80.5, ""),
        ("nginx_proxy_tls", "must be one of: none, acme, provided, selfsigned", "off", False, "letsencrypt"),
    ),
    *together(
        ("nginx_proxy_image", "an image reference with a tag", "bad image"),
        (
            "nginx_proxy_server_name",
            "a host name of a-z, 0-9, dash and dots",
            *HOST_NAMES,
            *("a\nlocation / {return 200;}", "\uff41.example"),
        ),
        (
            "nginx_proxy_listen_address",
            "an IPv4 address of the host",
            *("999.1.1.1", "localhost;", "1.2.3", "", "::1"),
        ),
        ("nginx_proxy_port", "a whole number from 1 to 65535", 0, -1, 65536),
        ("nginx_proxy_max_body_size", "a whole number and one of k, m, g", *SIZES),
        ("nginx_proxy_page_cache", "a whole number and one of m, g, such as 64m", "64", "64k", "5g", "-1m"),
        ("nginx_proxy_memory", "a whole number and one of k, m, g", "1 g"),
    ),
    *refusals("pypi_page_max_age", "a whole number of seconds from 0 to 86400", "soon", -1, 86401, 1.5),
    *(
        Refusal(
            "nginx_proxy_server_aliases",
            name,
            "a host name of a-z",
            {"nginx_proxy_server_aliases": ["{{ inventory_hostname }}.example", name]},
        )
        for name in ("b;c", "b.example\n")
    ),
    *refusals(
        "nginx_proxy_listen_address", "an IPv4 address of the host", "999.1.1.1", "localhost;", "1.2.3", "", "::1"
    ),
    *nested("pypi_server_users", "1 to 64 of a-z, 0-9, dot, dash", **{name: {"name": name} for name in NAMES}),
    *nested("pypi_server_users", "1 to 64 of a-z, 0-9, dot, dash", **{"a/b": {"name": "a/b", "password": PASSWORD}}),
    *nested("pypi_server_indexes", "allowed is user/index", **{name: {"name": name} for name in INDEX_NAMES}),
    *nested("pypi_server_indexes", "Declare it", **{"pypi/gone": {"name": "pypi/stable", "bases": ["pypi/gone"]}}),
    *nested("pypi_server_indexes", "Declare it", alice={"name": "alice/stable"}),
    *nested("pypi_server_indexes", "Add the address", **{"pypi/up": {"name": "pypi/up", "type": "mirror"}}),
    *nested("pypi_server_indexes", "must be one of: stage, mirror", castle={"name": "pypi/x", "type": "castle"}),
    *(
        Refusal("pypi_server_options", option, "any option of devpi-server but", {"pypi_server_options": {option: "x"}})
        for option in ("host", "unix-socket", "serverdir", "secretfile", "role", "requests-only", "help")
    ),
    *(
        Refusal("pypi_server_options", option, "the long name of an option", {"pypi_server_options": {option: value}})
        for option, value in {"--threads": 1, "a: b": 1, "Theme": "x", "theme\n": "x", "trusted-proxy": "a\nb"}.items()
    ),
    *(
        Refusal("pypi_server_options", "theme", "the long name of an option", {"pypi_server_options": {"theme": value}})
        for value in (None, ["x"], {"x": "y"})
    ),
    *(
        Refusal("pypi_server_options", value, "that names root", {"pypi_server_options": {"restrict-modify": value}})
        for value in ("", "alice", "rooty,:root")
    ),
    *(
        Refusal(
            "pypi_server_groups", shown, "users that pypi_server_users declares", {"pypi_server_groups": {"t": team}}
        )
        for shown, team in ((["bob"], ["pypi", "bob"]), (["root"], ["root"]), ("pypi", "pypi"), (["@u"], ["@u"]))
    ),
    Refusal(
        "pypi_server_indexes",
        "@gone",
        "the groups that pypi_server_groups declares (@team)",
        {
            "pypi_server_groups": {"team": ["pypi"]},
            "pypi_server_indexes": [{"name": "pypi/x", "acl_upload": ["@team", "@gone"]}],
        },
    ),
    *(
        Refusal(
            "pypi_server_indexes",
            [constraint],
            "for the type constrained",
            {"pypi_server_indexes": [{"name": "pypi/x", "type": kind, "constraints": [constraint]}]},
        )
        for kind, constraint in (
            ("stage", "spam"),
            *(("constrained", bad) for bad in ("spam>", "a b", "a[x]", "*>1")),
        )
    ),
    *(
        Refusal(variable, PASSWORD, "1 to 200 characters and no control characters", {variable: given})
        for password in (PASSWORD + "\n", PASSWORD * 10, "")
        for variable, given in (
            ("pypi_server_root_password", password),
            ("pypi_server_users", [{"name": "pypi", "password": password}]),
        )
    ),
    Refusal(
        "pypi_server_users",
        ["pypi", "pypi", "root/pypi", "pypi/stable"],
        "each name once",
        {"pypi_server_users": [{"name": "pypi"}, {"name": "pypi"}]},
    ),
    *refusals("pypi_client_username", "a user that pypi_server_users declares", "nobody"),
    *refusals("pypi_verify_username", "a user that pypi_server_users declares", "nobody"),
    *refusals("pypi_client_username", "a user's name in lower case", "a;b", "../x"),
    *refusals("pypi_verify_index", "user/index in lower case", "stable", "pypi/..", "pypi/x y"),
    Refusal(
        "nginx_proxy_vhosts",
        ["pypi.wheelhouse.test", "pypi.wheelhouse.test"],
        "each name once",
        {
            "nginx_proxy_server_name": "pypi.wheelhouse.test",
            "pypi_vhosts": [{"template": "site.conf.j2", "server_name": "pypi.wheelhouse.test"}],
        },
    ),
    *together(
        ("nginx_proxy_tls_port", "a whole number from 1 to 65535", 0, 70000),
        ("nginx_proxy_webroot", "an absolute path", "webroot", "/", "/srv/../etc/x", "/srv/a b"),
        **TLS,
    ),
    *tls("nginx_proxy_tls_port", "two ports", PORT_OF_BOTH),
    *tls("nginx_proxy_ca_file", "a file on the controller with the CA", "/nowhere/ca.pem"),
    Refusal(
        "nginx_proxy_certificate",
        "/nowhere/index.pem",
        "two files on the controller",
        TLS | {"nginx_proxy_tls": "provided", "nginx_proxy_certificate": "/nowhere/index.pem"},
    ),
    *together(
        (
            "certbot_email",
            "an e-mail address",
            *("", "nobody", "a@b", "a b@example.com", "a@example.com\n", "a@ex;ample.com"),
        ),
        ("certbot_agree_tos", "only true", False),
        (
            "certbot_server",
            "the https address of an ACME directory",
            *("http://acme.example.com/dir", "acme.example.com", "https://a b/dir"),
        ),
        ("certbot_profile", "at most 64 letters", "short lived", "a\nserver = x"),
        ("certbot_renewal_interval", "a whole number of seconds from 10 to 86400", 0, 9, 86401),
        ("certbot_http_port", "a whole number from 1 to 65535", 0),
        ("certbot_http_address", "an IPv4 address of the host", "::", "localhost"),
        ("certbot_image", "an image reference with a tag", "certbot"),
        **ACME,
    ),
    *together(
        ("certbot_key_type", "must be one of: ecdsa, rsa", "ed25519"),
        ("certbot_challenge", "must be one of: webroot, standalone, dns", "tls-alpn"),
        ("certbot_deployment", "must be one of: container, virtualenv, distribution", "snap"),
        ("certbot_renewal", "must be one of: auto, systemd, cron, loop, none", "daily"),
        **ACME,
    ),
    *acme("nginx_proxy_server_name", "a host name that the ACME server can connect to", "localhost", "pypi.localhost"),
    *acme("nginx_proxy_server_name", "If the ACME server does give certificates for addresses", "192.0.2.7"),
    *acme("nginx_proxy_server_name", "a host name of a-z", "*.example.com"),
    Refusal("certbot_options", [], "the option authenticator", ACME | {"certbot_challenge": "dns"}),
    Refusal("certbot_eab_kid", PASSWORD, "both or none", ACME | {"certbot_eab_hmac_key": PASSWORD}),
    *(
        Refusal(
            "certbot_eab_kid", PASSWORD, "as base64url", ACME | {"certbot_eab_kid": kid, "certbot_eab_hmac_key": key}
        )
        for kid, key in ((f"{PASSWORD}\nserver = x", "aaaa"), ("kid", f"{PASSWORD}\n"), ("kid", f"{PASSWORD} x"))
    ),
    *(
        Refusal("certbot_options", shown, "values on one line", ACME | {"certbot_options": options})
        for shown, options in {
            "--server": {"--server": "x"},
            "a b": {"a b": 1},
            "logs-dir": {"logs-dir": f"{PASSWORD}\nserver = x"},
        }.items()
    ),
    Refusal("certbot_files", "../x", "up to 100 letters", ACME | {"certbot_files": {"../x": "y"}}),
    *refusals("container_image_source", "must be one of: build, pull, archive", "teleport"),
    Refusal("container_image_archive", "nothing", "a file on the controller", {"container_image_source": "archive"}),
    Refusal(
        "container_image_archive",
        "/nowhere/devpi.tar",
        "a file on the controller",
        {"container_image_source": "archive", "container_image_archive": "/nowhere/devpi.tar"},
    ),
    *together(
        ("container_image_reference", "an image reference with a tag", "bad ref", "devpi"),
        ("container_image_base", "an image reference", "debian trixie", "$(id)"),
        ("container_image_base_suite", "the code name of a Debian release", "Trixie", "a/../b"),
        ("container_image_min_free", "a whole number and one of k, m, g, t", "2 GB", "0g"),
    ),
]
if not LONG:  # one value for each thing that may be wrong; `make test-long` has them all
    REFUSALS = list({(refusal.variable, refusal.allowed): refusal for refusal in REFUSALS}.values())
HOSTS = {}  # what the inventory sets on each
for refusal in REFUSALS:
    given = refusal.given or {refusal.variable: refusal.value}
    bad = {name: value for name, value in given.items() if name == refusal.variable}
    HOSTS[refusal.host] = given | HOSTS.get(refusal.host, {}) | bad


@pytest.fixture(scope="module")
def port():
    """A port of this machine that nobody holds, below those that the kernel hands out by itself."""
    for candidate in range(20000, 32000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", candidate)):
                return candidate
    raise AssertionError("no free port below 32000")


@pytest.fixture(scope="module")
def up_pypi(tmp_path_factory):
    """Run up_pypi.yml in check mode against hosts that are all this machine."""

    def up_pypi(hosts):
        variables = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        inventory = tmp_path_factory.mktemp("inventory") / "hosts.yml"
        inventory.write_text(yaml.safe_dump({"pypi": {"vars": variables, "hosts": hosts}}))
        return play("up_pypi.yml", inventory, "--check", "--forks=8")

    return up_pypi


def hosts_with(values, port):
    """One host per entry: an address of its own, so that they claim nothing from each other."""
    return {
        f"host{number}": {
            "ansible_host": f"127.0.{1 + number // 250}.{1 + number % 250}",
            "nginx_proxy_port": port,
            "pypi_server_instance": f"refused-{number}",
            **given,
        }
        for number, given in enumerate(values)
    }


@pytest.fixture(scope="module")
def refused(up_pypi, port):
    """The run that meets every bad value."""
    return up_pypi(hosts_with(HOSTS.values(), port))


@pytest.mark.parametrize("refusal", REFUSALS, ids=[ascii(str(refusal)) for refusal in REFUSALS])
def test_bad_value_is_refused_before_the_first_change(refused, refusal):
    host = f"host{list(HOSTS).index(refusal.host)}"
    assert refused.stats[host]["failures"] == 1
    assert refused.stats[host]["changed"] == 0
    assert refused.plays[host] <= FIRST_PLAYS

    message = refused.messages[host]
    assert refusal.variable in message
    assert any(shown in message for shown in refusal.shown), message
    assert refusal.allowed in message


def test_refusing_shows_no_password(refused):
    assert PASSWORD not in refused.output


def test_every_host_that_is_refused_fails_the_run(refused):
    assert refused.returncode != 0
    assert set(refused.messages) == {f"host{number}" for number in range(len(HOSTS))}


@pytest.fixture(scope="module")
def fleet(up_pypi, port):
    """Hosts whose values are good one by one, on a machine where they cannot be had."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        names = ["same_port", "same_port_too", "same_name", "same_name_too", "port_taken", "no_root"]
        names += ["same_host_name", "same_host_name_too", "no_python"]
        hosts = dict(zip(names, hosts_with([{}] * len(names), port).values(), strict=True))
        hosts["same_port_too"]["ansible_host"] = hosts["same_port"]["ansible_host"]
        hosts["same_name_too"].update(hosts["same_name"], nginx_proxy_port=port + 1)
        hosts["port_taken"]["nginx_proxy_port"] = taken.getsockname()[1]
        for name in ("same_host_name", "same_host_name_too", "port_taken"):  # the port of the last is another
            hosts[name]["nginx_proxy_server_name"] = "pypi.wheelhouse.test"
        hosts["no_python"]["ansible_python_interpreter"] = "/nowhere/python3"
        # Whoever runs the tests, root included, becomes nobody by a command that always fails.
        hosts["no_root"].update(ansible_become_user="nobody", ansible_become_exe="/bin/false")
        return up_pypi(hosts)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("same_port", ["both claim port", "nginx_proxy_port"]),
        ("same_port_too", ["both claim port", "nginx_proxy_port"]),
        ("same_name", ["both claim the name refused-2", "pypi_server_instance"]),
        ("same_name_too", ["both claim the name refused-2", "pypi_server_instance"]),
        ("port_taken", [f"with process id {os.getpid()}", "nginx_proxy_port", "free port"]),
        ("no_root", ["takes root", "ARGS='-K'", "asks for its password"]),
        ("same_host_name", ["both claim the host name pypi.wheelhouse.test with port", "nginx_proxy_server_name"]),
        ("same_host_name_too", ["both claim the host name pypi.wheelhouse.test with port", "nginx_proxy_server_name"]),
        ("no_python", ["no Python as /nowhere/python3", "3.11 or newer", "ansible_python_interpreter"]),
    ],
)
def test_host_that_cannot_have_its_place_is_refused_before_the_first_change(fleet, host, words):
    assert fleet.stats[host]["failures"] == 1
    assert fleet.stats[host]["changed"] == 0
    assert fleet.plays[host] <= FIRST_PLAYS
    for word in words:
        assert word in fleet.messages[host]
