#!/usr/bin/python
# Copyright: The wheelhouse.pypi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_container
short_description: Run a service in a container that may do no more than it needs
version_added: "1.0.0"
description:
  - Runs a container whose root is read-only, without any capability and without a way to more privileges, with an init
    process, and with as much memory and as many processes as it is given. It starts again unless it is stopped, and its
    log is kept in three files of 10 MB.
  - One that is as told is found so with C(docker container inspect), without a start of Python on the host. Else it is
    M(community.docker.docker_container) that makes it so; what it needs on the host is needed then, and the command
    C(docker) always. With Podman too.
author:
  - The wheelhouse.pypi contributors (!UNKNOWN)
attributes:
  action:
    description: It asks from the controller, through the connection of the task.
    support: full
  check_mode:
    description: Tells what would change.
    support: full
  diff_mode:
    description: Shows what M(community.docker.docker_container) shows.
    support: full
options:
  name:
    description: Name of the container.
    type: str
    required: true
  image:
    description: Image to run, as a reference with a tag. It has to be there; nothing is pulled.
    type: str
    required: true
  instance:
    description: Instance that the container is a part of, which becomes its label C(wheelhouse.pypi.instance).
    type: str
    required: true
  network:
    description: The one network that it is in. It is made where there is none of that name.
    type: str
    required: true
  memory:
    description: Memory that it may have at most, as a number with one of C(k), C(m), C(g).
    type: str
    required: true
  pids_limit:
    description: Number of processes and threads that it may have at most.
    type: int
    required: true
  tmp_size:
    description:
      - Size of its C(/tmp), which is in memory, as a number with one of C(k), C(m), C(g). Nothing can be run from
        there.
    type: str
    required: true
  mounts:
    description:
      - Volumes and paths of the host that it sees, as C(mounts) of M(community.docker.docker_container). Volumes are
        made where missing.
    type: list
    elements: dict
    default: []
  env:
    description: Environment of its process, beside what the image has.
    type: dict
    default: {}
  groups:
    description: Names or numbers of groups that its user is in as well.
    type: list
    elements: str
    default: []
  published_ports:
    description: Ports of the host that lead to it, each as C(address:port:port of the container).
    type: list
    elements: str
    default: []
seealso:
  - module: community.docker.docker_container
"""

EXAMPLES = r"""
- name: Run the index
  wheelhouse.pypi.service_container:
    name: example-index
    image: wheelhouse/devpi:6.20.3
    instance: example
    network: example
    memory: 1g
    pids_limit: 512
    tmp_size: 64m
    mounts:
      - {type: volume, source: example-data, target: /data}
  register: example_run

- name: Wait until it answers
  wheelhouse.pypi.look:
    commands:
      health: [docker, exec, example-index, healthcheck]
  register: example_look
  until: example_look.commands.health.rc == 0
  retries: 100
  when: example_run.health != 'healthy'
"""

RETURN = r"""
health:
  description: What the engine says of its health, or nothing where its image has no health check.
  returned: success
  type: str
  sample: healthy
container:
  description: What M(community.docker.docker_container) returns of it.
  returned: when it was not as told
  type: dict
"""
