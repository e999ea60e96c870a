# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every verb twice, and in check mode: the second time and there nothing is written, and the difference is the same."""

from __future__ import annotations

import pytest
from scripted_http import PASSWORD, TOKEN, URL

UPSTREAM = "https://mirror.example.com/simple/"
READ = "/pypi/stable?no_projects="
MISSING = {"status": 404, "message": "The stage pypi/stable could not be found."}
STAGE = {
    "type": "stage",
    "volatile": True,
    "bases": ["root/a", "root/b"],
    "acl_upload": ["pypi", ":ANONYMOUS:"],
    "acl_toxresult_upload": [":ANONYMOUS:"],
    "mirror_whitelist": ["foo-bar", "spam"],
    "mirror_whitelist_inheritance": "intersection",
}
CONSTRAINED = {**STAGE, "type": "constrained", "constraints": ["*", "django<6,>=4.2"]}
MIRROR = {"type": "mirror", "volatile": False, "mirror_url": UPSTREAM, "title": "Upstream"}


def named(index):
    return {"name": "pypi/stable", **index}


def everything(stable=None, **root):
    indexes = {name: {"type": "stage", "volatile": True, "bases": bases} for name, bases in root.items()}
    pypi = {"username": "pypi", "indexes": {} if stable is None else {"stable": stable}}
    return {"root": {"username": "root", "indexes": indexes}, "pypi": pypi}


@pytest.mark.parametrize(
    ("args", "body", "stored"),
    [
        ({}, {"type": "stage"}, STAGE),
        (
            {"bases": ["root/a", "root/b"], "acl_upload": [], "volatile": False, "title": ""},
            {"type": "stage", "bases": ["root/a", "root/b"], "acl_upload": [], "volatile": False},
            {**STAGE, "acl_upload": [], "volatile": False},
        ),
        (
            {"mirror_whitelist": ["Foo_Bar", "foo.bar", "spam"], "acl_upload": [":anonymous:", "pypi", "pypi"]},
            {"type": "stage", "mirror_whitelist": ["foo-bar", "spam"], "acl_upload": [":ANONYMOUS:", "pypi"]},
            STAGE,
        ),
        (
            {"type": "mirror", "mirror_url": UPSTREAM, "mirror_no_project_list": False, "mirror_cache_expiry": 0},
            {"type": "mirror", "mirror_url": UPSTREAM, "mirror_no_project_list": False, "mirror_cache_expiry": 0},
            {**MIRROR, "mirror_no_project_list": False, "mirror_cache_expiry": 0},
        ),
        (
            {"type": "constrained", "constraints": ["Django >= 4.2, < 6", "zope.interface", "*", "zope_interface"]},
            {"type": "constrained", "constraints": ["django<6,>=4.2", "zope-interface", "*"]},
            {**CONSTRAINED, "constraints": ["django<6,>=4.2", "zope-interface", "*"]},
        ),
    ],
)
def test_create(args, body, stored, http, run):
    server = everything(a=[], b=[])
    http.expect("GET", READ, **MISSING).expect("GET", "/", result=server).login()
    predicted = run("devpi_index", check=True, name="pypi/stable", **args)
    assert predicted["index"] == named(body)

    http.expect("GET", READ, **MISSING).expect("GET", "/", result=server).login()
    http.expect("PUT", "/pypi/stable", body, result=stored).expect("GET", READ, result=stored)
    made = run("devpi_index", name="pypi/stable", **args)
    assert made["changed"]
    assert made["diff"] == predicted["diff"] == {"before": {}, "after": named(body)}
    assert made["index"] == named(stored)

    http.expect("GET", READ, result=stored)
    again = run("devpi_index", name="pypi/stable", **args)
    assert not again["changed"]
    assert again["index"] == named(stored)


@pytest.mark.parametrize(
    ("before", "args", "after"),
    [
        (STAGE, {"bases": ["root/b", "root/a"]}, {"bases": ["root/b", "root/a"]}),
        (STAGE, {"bases": []}, {"bases": []}),
        (STAGE, {"volatile": False}, {"volatile": False}),
        (STAGE, {"acl_upload": []}, {"acl_upload": []}),
        (STAGE, {"acl_upload": [":authenticated:"]}, {"acl_upload": [":AUTHENTICATED:"]}),
        (STAGE, {"mirror_whitelist": ["*"]}, {"mirror_whitelist": ["*"]}),
        (STAGE, {"mirror_whitelist_inheritance": "union"}, {"mirror_whitelist_inheritance": "union"}),
        (STAGE, {"title": "a=b, c", "custom_data": {"k": [1]}}, {"title": "a=b, c", "custom_data": {"k": [1]}}),
        (STAGE, {"custom_data": ["", 1, "two", "two"]}, {"custom_data": ["", 1, "two", "two"]}),
        (STAGE, {"custom_data": {}}, {"custom_data": {}}),
        (MIRROR, {"mirror_cache_expiry": 60}, {"mirror_cache_expiry": 60}),
        (MIRROR, {"mirror_use_external_urls": False}, {"mirror_use_external_urls": False}),
        (MIRROR, {"mirror_url": UPSTREAM + "x/", "volatile": True}, {"mirror_url": UPSTREAM + "x/", "volatile": True}),
        (CONSTRAINED, {"bases": []}, {"bases": []}),
        (CONSTRAINED, {"constraints": []}, {"constraints": []}),
        (CONSTRAINED, {"constraints": ["pip!=24.*"], "type": "constrained"}, {"constraints": ["pip!=24.*"]}),
        # devpi-constrained heeds this one only in its normalised spelling.
        ({**CONSTRAINED, "constraints": ["Django"]}, {"constraints": ["Django"]}, {"constraints": ["django"]}),
        ({"type": "castle", "volatile": True}, {"bases": []}, {"bases": []}),
    ],
)
def test_change(before, args, after, http, run):
    diff = {"before": named(before), "after": named({**before, **after})}
    for check in (True, False):
        http.expect("GET", READ, result=before)
        if "bases" in args:
            http.expect("GET", "/", result=everything(before, a=[], b=[]))
        http.login()
        if not check:
            http.expect("PATCH", "/pypi/stable", after, result={**before, **after})
            http.expect("GET", READ, result={**before, **after})
        result = run("devpi_index", check=check, name="pypi/stable", **args)
        assert result["changed"]
        assert result["diff"] == diff
        assert result["index"] == diff["after"]

    http.expect("GET", READ, result={**before, **after})
    assert not run("devpi_index", name="pypi/stable", **args)["changed"]


def test_what_is_given_empty_is_removed(http, run):
    before = {**MIRROR, "description": "D", "custom_data": 1, "mirror_web_url_fmt": "https://mirror.example.com/{name}"}
    after = {"type": "mirror", "volatile": True, "mirror_url": UPSTREAM}
    args = dict.fromkeys(("title", "description", "custom_data", "mirror_web_url_fmt"), "")
    removal = ["title-=", "description-=", "custom_data-=", "mirror_web_url_fmt-="]
    http.expect("GET", READ, result=before).login()
    http.expect("PATCH", "/pypi/stable", {"volatile": True}, result={}).expect(
        "PATCH", "/pypi/stable", removal, result={}
    )
    http.expect("GET", READ, result=after)
    made = run("devpi_index", name="pypi/stable", volatile=True, **args)
    assert made["diff"] == {"before": named(before), "after": named(after)}

    http.expect("GET", READ, result=after)
    assert not run("devpi_index", name="pypi/stable", volatile=True, **args)["changed"]


@pytest.mark.parametrize(
    "args",
    [
        {"acl_upload": [":anonymous:", "pypi"]},
        {"mirror_whitelist": ["Spam", "Foo_.Bar"]},
        {"bases": ["root/a", "root/b", "root/a"]},
        {"title": "", "description": None},
        {"volatile": "yes", "type": "stage"},
    ],
)
def test_what_devpi_would_store_as_it_is_changes_nothing(args, http, run):
    http.expect("GET", READ, result=STAGE)
    assert not run("devpi_index", name="pypi/stable", **args)["changed"]


def test_the_order_of_constraints_changes_nothing(http, run):
    http.expect("GET", READ, result=CONSTRAINED)
    assert not run("devpi_index", name="pypi/stable", constraints=["Django >= 4.2, < 6", "*"])["changed"]


@pytest.mark.parametrize(
    ("before", "args", "told"),
    [
        (STAGE, {"type": "mirror", "mirror_url": UPSTREAM}, "Expected pypi/stable to be a mirror, got a stage"),
        (MIRROR, {"type": "stage"}, "Expected pypi/stable to be a stage, got a mirror"),
        (STAGE, {"mirror_url": UPSTREAM}, "Expected only options of a stage for pypi/stable, got mirror_url."),
        (None, {"mirror_cache_expiry": 1}, "Expected only options of a stage for pypi/stable, got mirror_c"),
        (MIRROR, {"bases": [], "acl_upload": []}, "only options of a mirror for pypi/stable, got acl_upload, bases."),
        (STAGE, {"constraints": []}, "Expected only options of a stage for pypi/stable, got constraints."),
        (MIRROR, {"constraints": ["*"]}, "Expected only options of a mirror for pypi/stable, got constraints."),
        (CONSTRAINED, {"mirror_url": UPSTREAM}, "Expected only options of a constrained for pypi/stable, got mirror_u"),
        (None, {"type": "mirror"}, "Expected mirror_url for the new mirror pypi/stable, got none"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_are_refused(before, args, told, http, run):
    http.expect("GET", READ, **({"result": before} if before else MISSING))
    assert told in run("devpi_index", name="pypi/stable", **args)["msg"]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ({"mirror_url": ""}, "Expected mirror_url to be a URL"),
        ({"mirror_url": "mirror.example.com/simple/"}, "Expected mirror_url to be a URL"),
        ({"mirror_url": "https://mirror.example.com/\n"}, "Expected mirror_url to be a URL"),
        ({"mirror_cache_expiry": -1}, "Expected mirror_cache_expiry in seconds, 0 or more, got -1."),
        ({"acl_upload": ["pypi", ""]}, "Expected acl_upload to be a list of names, got '' in it."),
        ({"acl_upload": [" pypi"]}, "got ' pypi' in it"),
        ({"acl_toxresult_upload": ["pypi\n"]}, "got 'pypi\\n' in it"),
        ({"mirror_whitelist": ["spam*"]}, "got 'spam*' in it"),
        ({"mirror_whitelist": ["spam\n"]}, "got 'spam\\n' in it"),
        ({"bases": ["root/\u0430"]}, "got 'root/\\u0430' in it"),
        *(
            ({"constraints": ["*", bad]}, f"'django>=4.2,<6', or '*', got {bad!a} in it.")
            for bad in (
                "",
                "spam eggs",
                "spam>",
                "spam >> 1",
                "*>=1",
                "spam; x",
                "spam[x]",
                "spam @ x",
                "# spam",
                "spam\n",
            )
        ),
        ({"constraints": ["Spam>1", "spam<3"]}, "one constraint for each project, got two for spam."),
        ({"mirror_whitelist_inheritance": "none"}, "value of mirror_whitelist_inheritance must be one of"),
    ],
)
def test_values_that_devpi_would_choke_on_are_refused_before_any_request(args, told, run):
    assert told in run("devpi_index", name="pypi/stable", **args)["msg"]


@pytest.mark.parametrize(
    ("server", "bases", "told"),
    [
        ({"root": {"username": "root"}}, [], "Expected user pypi of pypi/stable to exist, got only root. Create it"),
        (
            everything(a=[], b=[]),
            ["root/a", "root/c"],
            "Expected bases that exist, got root/c. There are: root/a, root/b.",
        ),
    ],
)
def test_a_missing_user_or_base_is_refused_and_only_a_warning_in_check_mode(server, bases, told, http, run):
    http.expect("GET", READ, **MISSING).expect("GET", "/", result=server)
    assert told in run("devpi_index", name="pypi/stable", bases=bases)["msg"]

    http.expect("GET", READ, **MISSING).expect("GET", "/", result=server).login()
    predicted = run("devpi_index", check=True, name="pypi/stable", bases=bases)
    assert predicted["changed"]
    assert told in str(predicted["warnings"])


@pytest.mark.parametrize(
    ("server", "bases", "trail"),
    [
        (everything(STAGE), ["pypi/stable"], "pypi/stable -> pypi/stable"),
        (
            everything(STAGE, a=["root/b"], b=["pypi/stable"]),
            ["root/a"],
            "pypi/stable -> root/a -> root/b -> pypi/stable",
        ),
        (everything(STAGE, a=["root/b"], b=["root/a", "pypi/stable"]), ["root/a"], "root/b -> pypi/stable"),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_bases_that_lead_back_are_refused(check, server, bases, trail, http, run):
    http.expect("GET", READ, result=STAGE).expect("GET", "/", result=server)
    message = run("devpi_index", check=check, name="pypi/stable", bases=bases)["msg"]
    assert message.startswith("Expected bases that do not lead back to pypi/stable, got")
    assert trail in message


def test_a_new_index_that_is_its_own_base_is_refused(http, run):
    http.expect("GET", READ, **MISSING).expect("GET", "/", result=everything())
    assert "got pypi/stable -> pypi/stable." in run("devpi_index", name="pypi/stable", bases=["pypi/stable"])["msg"]


def test_a_cycle_among_other_indexes_is_no_concern(http, run):
    http.expect("GET", READ, result=STAGE).expect(
        "GET", "/", result=everything(STAGE, a=["root/b"], b=["root/a"])
    ).login()
    assert run("devpi_index", check=True, name="pypi/stable", bases=["root/a"])["changed"]


def test_delete(http, run):
    diff = {"before": named(STAGE), "after": {}}
    for check in (True, False):
        http.expect("GET", READ, result=STAGE).expect("GET", "/", result=everything(STAGE)).login()
        if not check:
            http.expect("DELETE", "/pypi/stable", status=201, message="index pypi/stable deleted")
        result = run("devpi_index", check=check, name="pypi/stable", state="absent")
        assert result["changed"]
        assert result["diff"] == diff
        assert result["index"] == {}

    http.expect("GET", READ, **MISSING)
    assert not run("devpi_index", name="pypi/stable", state="absent")["changed"]


def test_delete_of_what_is_not_volatile_needs_force(http, run):
    http.expect("GET", READ, result=MIRROR)
    message = run("devpi_index", name="pypi/stable", state="absent")["msg"]
    assert "Expected pypi/stable to be volatile" in message
    assert "force: true" in message

    http.expect("GET", READ, result=MIRROR).expect("GET", "/", result=everything(MIRROR)).login()
    http.expect("PATCH", "/pypi/stable", {"volatile": True}, result=MIRROR)
    http.expect("DELETE", "/pypi/stable", status=201, message="deleted")
    assert run("devpi_index", name="pypi/stable", state="absent", force=True)["changed"]


def test_delete_of_what_others_build_on_needs_force(http, run):
    server = everything(STAGE, a=["pypi/stable"], b=["root/a"])
    http.expect("GET", READ, result=STAGE).expect("GET", "/", result=server)
    assert "pypi/stable is a base of root/a." in run("devpi_index", name="pypi/stable", state="absent")["msg"]

    http.expect("GET", READ, result=STAGE).expect("GET", "/", result=server).login()
    http.expect("DELETE", "/pypi/stable", status=201, message="deleted")
    assert run("devpi_index", name="pypi/stable", state="absent", force=True)["changed"]


def test_credentials_in_mirror_urls_are_never_shown(http, run_module):
    old, new = (f"https://bot:{word}@mirror.example.com/simple/" for word in ("0ld-secret", "n3w-secret"))
    http.expect("GET", READ, result={**MIRROR, "mirror_url": old}).login()
    http.expect("PATCH", "/pypi/stable", {"mirror_url": new}, result={**MIRROR, "mirror_url": new})
    http.expect("GET", READ, result={**MIRROR, "mirror_url": new})
    args = {"url": URL, "login_password": PASSWORD, "name": "pypi/stable", "mirror_url": new}
    made = run_module("devpi_index", args, secrets=[TOKEN, "0ld-secret", "n3w-secret"])
    assert made["changed"]
    assert made["index"]["mirror_url"] == "https://********@mirror.example.com/simple/"
