# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What two servers may say, and what the module makes of it. tests/system/test_move.py asks real ones."""

from __future__ import annotations

import base64
import io
import zipfile
from pathlib import Path

import pytest
import requests
from ansible_collections.wheelhouse.pypi.plugins.modules import index_copy
from requests.adapters import HTTPAdapter
from scripted_indexes import DEVPI, NEW, OLD, PASSWORD, TOKEN, ScriptedIndexes

INDEX = "pypi/stable"
UPLOAD = f"{NEW}{INDEX}/"
CA = "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n"


def wheel(name, version="1.0", **fields):
    fields = {key.replace("_", "-"): value for key, value in fields.items()}
    metadata = {"Metadata-Version": "2.1", "Name": name, "Version": version, **fields}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        text = "".join(f"{key}: {value}\n" for key, value in metadata.items())
        archive.writestr(f"{name}-{version}.dist-info/METADATA", text)
    return f"{name}-{version}-py3-none-any.whl", out.getvalue()


A, B = wheel("a"), wheel("b", Requires_Python=">=3.9")


@pytest.fixture
def servers(monkeypatch):
    script = ScriptedIndexes()

    def send(adapter, request, **settings):
        return script.send(adapter, request, **settings)

    monkeypatch.setattr(HTTPAdapter, "send", send)
    yield script
    never = script.answers.keys() - {call[:2] for call in script.asked}
    assert not never, f"never called: {never}"


@pytest.fixture
def copy(servers, run_module, tmp_path):
    """Copy from the old server, a pypiserver, to the new one, a devpi, unless told otherwise."""

    def copy(source=None, destination=None, check=False):
        servers.read_only = check
        sides = {
            "source": {"kind": "pypiserver", "url": OLD, **(source or {})},
            "destination": {
                **{"kind": "devpi", "url": NEW, "index": INDEX, "username": "mover", "password": PASSWORD},
                **(destination or {}),
            },
        }
        arguments = {**sides, "_ansible_check_mode": check, "_ansible_remote_tmp": str(tmp_path)}
        return run_module("index_copy", arguments, secrets=[PASSWORD, TOKEN])

    return copy


def there(version, file):
    return (version, *file)


def why(result, name):
    (left,) = [left for left in result["left"] if left["filename"] == name]
    return left["reason"]


def test_check_mode_says_what_would_be_copied(servers, copy):
    servers.pypiserver(OLD, a=A, b=B).login(NEW).devpi(NEW, INDEX, a=there("1.0", A))
    servers.answers = {key: answers for key, answers in servers.answers.items() if not key[1].endswith(".whl")}
    result = copy(check=True)
    assert result["changed"]
    assert (result["copied"], result["present"], result["compared"], result["left"]) == ([B[0]], [A[0]], 0, [])


def test_copy_to_devpi_with_metadata(servers, copy):
    servers.pypiserver(OLD, b=B).login(NEW).devpi(NEW, INDEX).on("POST", UPLOAD).devpi(NEW, INDEX, b=there("1.0", B))
    result = copy()
    assert (result["copied"], result["compared"], result["left"]) == ([B[0]], 1, [])
    form = servers.uploads[B[0]]
    assert form["content"] == B[1]
    assert {key: form[key] for key in (":action", "name", "version", "requires_python", "filetype", "pyversion")} == {
        ":action": ["file_upload"],
        "name": ["b"],
        "version": ["1.0"],
        "requires_python": [">=3.9"],
        "filetype": ["bdist_wheel"],
        "pyversion": ["py3"],
    }
    logins = {url: login for method, url, login, _settings in servers.asked if method == "POST"}
    assert logins[UPLOAD] == "Basic " + base64.b64encode(f"mover:{TOKEN}".encode()).decode()


def test_copy_to_pypiserver_without_metadata(servers, copy):
    servers.devpi(OLD, INDEX, b=there("1.0", B)).pypiserver(NEW).pypiserver(NEW, b=B).on("POST", NEW)
    side = {"kind": "pypiserver", "index": None, "username": None, "password": None}
    result = copy({"kind": "devpi", "index": INDEX}, side)
    assert (result["copied"], result["compared"], result["left"]) == ([B[0]], 1, [])
    assert servers.uploads[B[0]].keys() >= {"name", "version", "content"}
    assert "requires_python" not in servers.uploads[B[0]]
    assert {login for _method, _url, login, _settings in servers.asked} == {None}


@pytest.mark.parametrize(
    ("name", "metadata", "form"),
    [
        ("a-1.0b0-py3-none-any.whl", {"version": "1.0-beta"}, {"name": ["a"], "version": ["1.0b0"]}),
        ("a-1.0_l-py3-none-any.whl", {"version": "1.0+l"}, {"name": ["a"], "version": ["1.0+l"]}),
        ("a-1.0-1build-py3-none-any.whl", {"version": "1.0"}, {"name": ["a"], "version": ["1.0"]}),
        ("a-1.0-py3-none-any.whl", {"Name": "other"}, {"name": ["a"], "version": ["1.0"]}),
        ("a-1.0-py3-none-any.whl", {"Metadata_Version": "2.0"}, {"metadata_version": ["2.0"]}),
        ("a-1.0-py3-none-any.whl", {"Metadata_Version": "nonsense", "Summary": "x\n y"}, {"name": ["a"]}),
        ("a-1.0.tar.gz", None, {"name": ["a"], "version": ["1.0"], "filetype": ["sdist"]}),
        ("a-1.0.linux-x86_64.tgz", None, {"version": ["1.0"]}),
        ("a-1.0-1.noarch.rpm", None, {"version": ["1.0"]}),
        ("a-1.0-py2.7.egg", None, {"version": ["1.0"], "filetype": ["bdist_egg"]}),
        ("A_.a-1.0.msi", None, {"name": ["a-a"], "version": ["1.0"], "filetype": ["bdist_msi"]}),
    ],
)
def test_the_form_fits_the_name_of_the_file(name, metadata, form, servers, copy, monkeypatch):
    monkeypatch.setattr(index_copy, "check_whole", lambda _path: None)
    project = "a-a" if name.startswith("A_") else "a"
    file = (name, wheel("a", **metadata)[1] if metadata else b"no archive")
    servers.pypiserver(OLD, **{project: file}).login(NEW).devpi(NEW, INDEX).on("POST", UPLOAD)
    servers.devpi(NEW, INDEX, **{project: there("1.0", file)})
    assert copy()["compared"] == 1
    assert {key: servers.uploads[name].get(key) for key in form} == form


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("..%2F..%2Fevil-1.0.whl", "other characters"),
        ("%2E%2E", "other characters"),
        (".hidden-1.0.whl", "other characters"),
        ("-a-1.0.whl", "other characters"),
        ("a%00-1.0.whl", "other characters"),
        ("a%20b-1.0.tar.gz", "other characters"),
        ("\u0430-1.0.tar.gz", "other characters"),
        ("a-1.0.tar.gz.asc", "does not take this kind of file"),
        ("a-1.0.tar.xz", "does not take this kind of file"),
        ("a-1.0.doc.zip", "does not take this kind of file"),
        ("a.tar.gz", "no version"),
    ],
)
def test_names_that_cannot_be_carried(name, said, servers, copy):
    link = f'<a href="../../packages/{name}">x</a>'
    servers.on("GET", f"{OLD}simple/", '<a href="a/">a</a>').on("GET", f"{OLD}simple/a/", link)
    servers.login(NEW).devpi(NEW, INDEX)
    result = copy(check=True)
    (left,) = result["left"]
    assert said in left["reason"]
    assert left["by_nature"]
    assert not result["copied"]


def test_what_is_with_a_release_and_is_none(servers, copy):
    links = [
        {"rel": rel, "href": f"{OLD}{INDEX}/+f/aaa/bbb/{name}", "hash_spec": "md5=x"}
        for rel, name in (("doczip", "a-1.0.doc.zip"), ("toxresult", "a.whl.toxresult-1"), ("strange", "a-1.0.zip"))
    ]
    links.append({"rel": "releasefile", "href": f"{OLD}other/base/+f/aaa/bbb/a-2.0.zip"})
    result = {"1.0": {"name": "a", "version": "1.0", "+links": links}, "0.1": {"name": "a", "version": "0.1"}}
    servers.on("GET", f"{OLD}{INDEX}", {"result": {"type": "stage", "projects": ["a", "gone"]}}, **DEVPI)
    servers.on("GET", f"{OLD}{INDEX}/a?ignore_bases=", {"result": result}, **DEVPI)
    servers.on("GET", f"{OLD}{INDEX}/gone?ignore_bases=", {"message": "none"}, 404, **DEVPI)
    servers.login(NEW).devpi(NEW, "pypi/new")
    found = copy({"kind": "devpi", "index": INDEX}, {"index": "pypi/new"})
    assert not found["changed"]
    assert [left["filename"] for left in found["left"]] == ["a-1.0.doc.zip", "a-1.0.zip", "a.whl.toxresult-1"]
    assert all(left["by_nature"] for left in found["left"])


def test_one_that_fails_stops_no_other(servers, copy):
    servers.pypiserver(OLD, a=A, b=B).login(NEW).devpi(NEW, INDEX)
    servers.answers["GET", f"{OLD}packages/{A[0]}"] = [(b"gone", 410, "Gone", {}, None)]
    servers.on("POST", UPLOAD).devpi(NEW, INDEX, b=there("1.0", B))
    result = copy()
    assert result["failed"]
    assert result["changed"]
    assert (result["copied"], result["compared"]) == ([B[0]], 1)
    assert "got 410 'Gone'" in why(result, A[0])
    assert result["msg"].startswith(f"Not everything is at {INDEX} at {NEW}:\n{A[0]}: Expected HTTP status 200")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"status": 413, "reason": "Request Entity Too Large"}, "Raise the limit for uploads"),
        ({"status": 400, "body": "<pre>Bad filename:\n x</pre>"}, "got 400 'Bad filename: x'"),
        ({"status": 302, "Location": "https://x/"}, "It redirects to https://x/. Check url and kind, and write"),
        ({"status": 500, "reason": "Internal"}, "Read the log of the destination's server."),
        ({"error": requests.ConnectionError("torn")}, "got none: torn."),
    ],
)
def test_uploads_that_are_refused(answer, said, servers, copy):
    servers.pypiserver(OLD, a=A).login(NEW).devpi(NEW, INDEX).on("POST", UPLOAD, **answer)
    result = copy()
    assert said in why(result, A[0])
    assert not result["copied"]
    assert not result["changed"]


@pytest.mark.parametrize("status", [401, 403])
def test_who_may_not_upload_is_not_asked_again(status, servers, copy):
    many = {f"a{number}": wheel(f"a{number}") for number in range(50)}
    servers.pypiserver(OLD, **many).login(NEW).devpi(NEW, INDEX).on("POST", UPLOAD, status=status, reason="Not you")
    servers.answers = {key: value for key, value in servers.answers.items() if not key[1].startswith(f"{OLD}packages/")}
    for name, content in many.values():
        servers.answers["GET", f"{OLD}packages/{name}"] = [(content, 200, "OK", {}, None)]
        servers.asked.append(("GET", f"{OLD}packages/{name}", None, {}))  # not all of them need be asked for
    result = copy()
    assert f"got {status} 'Not you'" in result["msg"]
    assert "Check username and password" in result["msg"]
    assert not result["copied"]
    assert len([1 for method, url, *_rest in servers.asked if (method, url) == ("POST", UPLOAD)]) < 20


@pytest.mark.parametrize("known", [True, False])
def test_other_content_at_the_destination(known, servers, copy):
    other = (A[0], b"other")
    servers.pypiserver(OLD, a=A).login(NEW).devpi(NEW, INDEX, a=there("1.0", other))
    if not known:  # a listing with weaker hashes or none: only the bytes tell
        link = f'<a href="../../packages/{A[0]}#md5=00">x</a>'
        servers.answers["GET", f"{OLD}simple/a/"] = [(link.encode(), 200, "OK", {}, None)]
    else:
        servers.answers = {key: answer for key, answer in servers.answers.items() if not key[1].endswith(".whl")}
    result = copy()
    assert result["failed"]
    assert "Nothing was overwritten: remove the one that is wrong" in why(result, A[0])
    assert result["compared"] == 0


def test_the_source_sends_what_it_does_not_list(servers, copy):
    servers.pypiserver(OLD, a=A).login(NEW).devpi(NEW, INDEX)
    servers.answers["GET", f"{OLD}packages/{A[0]}"] = [(B[1], 200, "OK", {}, None)]
    assert "lists it with SHA-256" in why(copy(), A[0])


@pytest.mark.parametrize(("after", "said"), [({}, "does not list it"), ({"a": ("1.0", A[0], b"x")}, "sends SHA-256")])
def test_what_does_not_arrive_whole_is_found(after, said, servers, copy, monkeypatch):
    monkeypatch.setattr(index_copy, "PATIENCE", 0)
    servers.pypiserver(OLD, a=A).login(NEW).devpi(NEW, INDEX).on("POST", UPLOAD).devpi(NEW, INDEX, **after)
    result = copy()
    assert result["failed"]
    assert said in why(result, A[0])
    assert result["compared"] == 0


def test_what_is_listed_late_is_waited_for(servers, copy):
    servers.pypiserver(OLD, a=A, b=B).login(NEW).devpi(NEW, INDEX, b=there("1.0", B)).on("POST", UPLOAD)
    servers.devpi(NEW, INDEX, b=there("1.0", B)).devpi(NEW, INDEX, a=there("1.0", A), b=there("1.0", B))
    assert copy()["compared"] == 2


def test_a_project_that_goes_while_it_is_listed(servers, copy):
    servers.on("GET", f"{OLD}simple/", '<a href="a/">a</a>').on("GET", f"{OLD}simple/a/", '<a href="b.zip">b</a>', 404)
    servers.login(NEW).devpi(NEW, INDEX)
    result = copy()
    assert (result["changed"], result["left"]) == (False, [])


def test_a_name_that_stands_for_two_files(servers, copy):
    links = "".join(f'<a href="../../packages/{folder}/a-1.0.zip#sha256={folder}">x</a>' for folder in ("1", "2"))
    links += "".join(f'<a href="../../packages/{folder}/a-2.0.zip#sha256=33">x</a>' for folder in ("1", "2"))
    servers.on("GET", f"{OLD}simple/", '<a href="a/">a</a>').on("GET", f"{OLD}simple/a/", links)
    servers.login(NEW).devpi(NEW, INDEX)
    result = copy(check=True)
    assert result["failed"]
    assert "lists several files of that name" in why(result, "a-1.0.zip")
    assert result["copied"] == ["a-2.0.zip"]


def test_links_to_other_servers_are_not_followed(servers, copy):
    servers.on("GET", f"{OLD}simple/", '<a href="https://elsewhere.example.com/a/">a</a>').login(NEW)
    result = copy({"username": "reader", "password": PASSWORD})
    assert "to link to what is below http://old.example.com/, got https://elsewhere.example.com/a/" in result["msg"]


def test_no_password_out_of_a_file_that_nobody_named(servers, copy, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text(f"default login me password {PASSWORD}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    servers.pypiserver(OLD).login(NEW).devpi(NEW, INDEX)
    copy()
    assert {login for _method, url, login, _settings in servers.asked if url.startswith(OLD)} == {None}


def test_certificates_are_checked_against_what_is_given(servers, copy, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    trusted = {}
    send = servers.send

    def look(adapter, request, **settings):
        trusted[request.url] = (
            settings["verify"] if request.url.startswith(OLD) else Path(settings["verify"]).read_text()
        )
        return send(adapter, request, **settings)

    servers.send = look
    servers.pypiserver(OLD).login(NEW).devpi(NEW, INDEX)
    assert not copy(destination={"ca_content": CA})["changed"]
    assert trusted[f"{NEW}{INDEX}"] == CA
    assert trusted[f"{OLD}simple/"] not in (False, "/nowhere")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (requests.exceptions.SSLError("certificate verify failed"), "Name the CA in ca_content"),
        (requests.exceptions.ReadTimeout("timed out"), "or raise timeout"),
        (requests.ConnectionError("refused"), "got none: refused. Check url, and that the server runs"),
    ],
)
def test_no_answer(error, said, servers, copy):
    servers.on("GET", f"{OLD}simple/", error=error).login(NEW)
    assert said in copy()["msg"]


@pytest.mark.parametrize(
    ("sides", "said"),
    [
        ({"destination": {"index": "stable"}}, "destination: Expected index to be user/index"),
        ({"destination": {"index": None}}, "Expected the index of the devpi server that is the destination, got none."),
        ({"source": {"index": INDEX}}, "Expected no index of the pypiserver that is the source, got 'pypi/stable'."),
        ({"source": {"url": "old.example.com"}}, "source: Expected url to be the base URL"),
        ({"source": {"url": f"http://me:{PASSWORD}@x/"}}, "Expected url to be the base URL"),
        ({"source": {"username": "me"}}, "Expected username and password of the source, got only its username."),
        ({"destination": {"username": ""}}, "got only its password"),
        ({"source": {"kind": "devpi", "url": NEW, "index": INDEX}}, "Expected two indexes, got pypi/stable at"),
        ({"source": {"kind": "teapot"}}, "value of kind must be one of: devpi, pypiserver, got: teapot"),
        ({"timeout": 0}, "Expected timeout in seconds, 1 or more, got 0."),
    ],
)
def test_bad_input_is_refused_before_any_request(sides, said, servers, copy, run_module, tmp_path):
    if "timeout" in sides:
        both = {"source": {"kind": "pypiserver", "url": OLD}, "destination": {"kind": "pypiserver", "url": NEW}}
        result = run_module("index_copy", {**both, **sides, "_ansible_remote_tmp": str(tmp_path)})
    else:
        result = copy(**sides)
    assert said in result["msg"]
    assert not servers.asked


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"status": 404, **DEVPI}, "Expected an index pypi/stable at https://new.example.com/sub/, got none."),
        ({"body": {"result": {"type": "mirror"}}, **DEVPI}, "got a mirror. Name another index."),
        ({"body": {"result": {}}, "X-Devpi-Server-Version": "7.0.0"}, "got 7.0.0, which has another API"),
        ({"body": "<html>"}, "got another server. Check url and kind."),
        ({"status": 502, "reason": "Bad Gateway"}, "got 502 'Bad Gateway'"),
    ],
)
def test_destinations_that_cannot_be_written_to(answer, said, servers, copy):
    servers.pypiserver(OLD).login(NEW).on("GET", f"{NEW}{INDEX}", **answer)
    assert said in copy()["msg"]


def test_a_wrong_password(servers, copy):
    servers.on("POST", f"{NEW}+login", {"message": "no"}, 401, **DEVPI)
    assert "https://new.example.com/sub/ does not accept the password of 'mover'" in copy()["msg"]


@pytest.mark.parametrize("missing", ["No module named 'twine'", "twine 6.1.0"])
def test_without_twine(missing, servers, copy, monkeypatch):
    monkeypatch.setattr(index_copy, "MISSING", missing)
    said = copy()["msg"]
    assert f"got: {missing}." in said
    assert "-m pip install requests 'twine>=7,<8'" in said
