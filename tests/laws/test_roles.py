# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a role's files say about its variables is one story."""

from __future__ import annotations

import re

import pytest
import yaml
from tree import ROLES, ROOT, committed, load, name

every_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
BY_NAME = sorted((role.name for role in ROLES), key=len, reverse=True)
VARIABLE = re.compile(rf"\b(?:__)?({'|'.join(BY_NAME)})_[a-z0-9_]*[a-z0-9]\b")


@every_role
def test_defaults_and_specification_name_the_same_variables(role):
    """Whoever reads one of the two files must not miss a variable that only the other knows."""
    assert set(role.defaults) | role.without_default == set(role.options)
    assert not set(role.defaults) & role.without_default


@every_role
def test_defaults_and_specification_agree_on_values(role):
    """`ansible-doc -t role` shows the specification's values, the role uses those of defaults/main.yml.

    A number that a template chooses has no place there; the description tells the numbers that it may be.
    """
    for point, entry in role.entry_points.items():
        for option, spec in entry.get("options", {}).items():
            default = role.defaults.get(option)
            if spec["type"] == "int" and isinstance(default, str):
                assert "default" not in spec, f"{option} of entry point {point}"
                told = re.findall(r"V\((\d+)\)", spec["description"])
                assert told == re.findall(r"\d+", default), f"{option} of entry point {point}"
            else:
                assert ("default" in spec) == (option in role.defaults), f"{option} of entry point {point}"
                assert spec.get("default") == default, f"{option} of entry point {point}"
            assert not (spec.get("required") and option in role.defaults), f"{option} of entry point {point}"


@every_role
def test_variables_carry_the_name_of_their_role(role):
    """All variables of a play share one namespace; the prefix says whose each is, and `__` that it is nobody else's.

    What a role tells another that it includes has that one's name.
    """
    assert not [option for option in role.options if not option.startswith(f"{role.name}_")]
    told = {option for other in ROLES for option in other.options}
    assert not [result for result in role.results - told if not re.match(rf"(__)?{role.name}_", result)]


def test_every_variable_of_a_role_is_known():
    """A misspelt variable is silently ignored by Ansible. Internal ones (`__`) end at the border of their role.

    The exception is a template in templates/, which runs inside the role that renders it and may use what that role is.
    """
    known = {role.name: set(role.options) | role.results for role in ROLES}
    strays = []
    for path in committed():
        inside = path.relative_to(ROOT).parts
        if inside[0] == "tests":
            continue  # these speak of wrong names on purpose
        for match in VARIABLE.finditer(path.read_text(errors="replace")):
            variable, role = match[0], match[1]
            at_home = inside[:2] == ("roles", role) or inside[0] == "templates"
            if variable not in known[role]:
                strays.append(f"{name(path)}: {variable} is unknown to the role {role}")
            elif variable.startswith("__") and not at_home:
                strays.append(f"{name(path)}: {variable} is internal to the role {role}")
    assert not sorted(set(strays))


def test_roles_run_the_images_that_are_made_by_default():
    """The roles that run an image and the one that makes it are strangers; their defaults have to meet all the same."""
    by_name = {role.name: role for role in ROLES}
    versions = load(ROOT / "roles/container_image/vars/main.yml")["__container_image_versions"]
    made = {image: f"wheelhouse/{image}:{version}" for image, version in versions.items()}
    server = by_name["pypi_server"].defaults
    for backend in by_name["pypi_server"].options["pypi_server_backend"]["choices"]:
        assert f"'{backend}:{versions[backend]}'" in server["pypi_server_image"]
    assert by_name["nginx_proxy"].defaults["nginx_proxy_image"] == made["nginx"]
    assert by_name["certbot"].defaults["certbot_image"] == made["certbot"]


def test_images_are_named_after_the_version_they_are_made_with():
    """A pin that moves without its name would leave the image before in use."""
    versions = load(ROOT / "roles/container_image/vars/main.yml")["__container_image_versions"]
    for image, package in {"devpi": "devpi-server", "pypiserver": "pypiserver", "certbot": "certbot"}.items():
        pins = (ROOT / f"roles/container_image/files/{image}/requirements.in").read_text()
        assert re.search(rf"^{package}(\[\w+\])?=={re.escape(versions[image])} ", pins, re.MULTILINE)


@every_role
def test_role_has_a_readme_that_repeats_no_default(role):
    """A few lines tell what a role is for and how to use it. A value that is told twice is wrong in one place."""
    readme = role.path / "README.md"
    assert readme.is_file(), f"{name(readme)} is missing"
    repeated = [
        line
        for line in readme.read_text().splitlines()
        for option, value in role.defaults.items()
        if option in line and value and re.search(rf"(?<![\w./-]){re.escape(str(value))}(?![\w/-])", line)
    ]
    assert not repeated


@every_role
def test_example_of_a_role_gives_what_it_requires(role):
    """The first example of a role's README is a play that people copy."""
    example = re.search(r"```yaml\n(.*?)```", (role.path / "README.md").read_text(), re.DOTALL)
    [play] = yaml.safe_load(example[1])
    [used] = [{"role": entry} if isinstance(entry, str) else entry for entry in play["roles"]]
    assert used["role"] == f"wheelhouse.pypi.{role.name}"
    main = role.entry_points["main"].get("options", {})
    assert {option for option, spec in main.items() if spec.get("required")} <= set(used) - {"role"} <= set(main)
