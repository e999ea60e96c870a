# Copyright: The wheelhouse.pypi contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts to log in to over SSH, within seconds and without a container engine.

Each is a view of this machine's own file system that can be changed without changing the machine, with an sshd and a
sudo of its own on an address of loopback. Mounts and processes live in namespaces and are gone with them.
"""

from __future__ import annotations

import socket
import subprocess
from contextlib import contextmanager

from commands import poll

USER = "ordinary"  # may become root with the password
STRANGER = "stranger"  # has the same password, and may not
PASSWORD = "correct-horse-battery"

SCRIPT = r"""
set -eu
place=$1 port=$2 key=$3 user=$4 stranger=$5 password=$6
shift 6
mount -t tmpfs -o mode=0755 tmpfs "$place"
cd "$place"

view() { # NAME LOWER: a file system that may be changed, over LOWER
  mkdir -p "$1/changes" "$1/work" "$1/root"
  mount -t overlay -o "lowerdir=$2,upperdir=$1/changes,workdir=$1/work" overlay "$1/root"
  mount -t proc proc "$1/root/proc"
  mount --rbind /dev "$1/root/dev"
  mount -t tmpfs -o mode=0755 tmpfs "$1/root/run"
  mkdir "$1/root/run/sshd"
}

# Packages are unpacked and not installed: the machine's own apt and dpkg may be at work for somebody else.
mkdir -p packages/lists/partial packages/archives/partial
(
  cd packages
  apt() { apt-get -qq -o Dir::State::Lists="$PWD/lists" -o Dir::Cache="$PWD" -o APT::Sandbox::User=root "$@"; }
  apt update
  apt download openssh-server openssh-sftp-server libwrap0 sudo
)
view base /
for package in packages/*.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar --extract --keep-directory-symlink --directory base/root
done
rm -r packages
chroot base/root sh -eu -c '
  user=$1 stranger=$2 password=$3 key=$4
  id sshd >/dev/null 2>&1 || useradd --system --home-dir /run/sshd --shell /usr/sbin/nologin sshd
  ssh-keygen -q -A
  for name in "$user" "$stranger"; do
    useradd --create-home --shell /bin/sh "$name"
    echo "$name:$password" | chpasswd
    mkdir -p -m 0700 "/home/$name/.ssh"
    echo "$key" >"/home/$name/.ssh/authorized_keys"
    chown -R "$name:" "/home/$name/.ssh"
  done
  echo "$user ALL=(ALL) ALL" >/etc/sudoers
' sh "$user" "$stranger" "$password" "$key"
umount --recursive base/root

while [ $# -gt 0 ]; do # NAME ADDRESS CHANGE
  view "$1" base/changes:/
  chroot "$1/root" sh -eu -c "$3"'
exec "$@"' sh /usr/sbin/sshd -D -e -f /usr/share/openssh/sshd_config -o ListenAddress="$2:$port" -o PidFile=none &
  shift 3
done
wait
"""


@contextmanager
def ssh_hosts(place, changes):
    """Run one host per name, with what a shell script changes in it. Yields how Ansible reaches each.

    The script ends by running "$@", which starts the sshd, and may put a command before it.
    """
    key = place / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    addresses = {name: f"127.0.22.{number}" for number, name in enumerate(changes, 1)}
    with socket.create_server(("127.0.22.1", 0)) as probe:
        port = probe.getsockname()[1]
    views = place / "views"
    views.mkdir()
    words = [views, port, key.with_suffix(".pub").read_text(), USER, STRANGER, PASSWORD]
    words += [word for name, change in changes.items() for word in (name, addresses[name], change)]
    log = place / "hosts.log"
    with log.open("w") as output:
        hosts = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", SCRIPT, "sh", *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def answers(address):
        assert hosts.poll() is None, log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex((address, port)) == 0

    try:
        for address in addresses.values():
            poll(lambda address=address: answers(address), 120)
        yield {
            name: {
                "ansible_host": address,
                "ansible_port": port,
                "ansible_user": USER,
                "ansible_ssh_private_key_file": str(key),
                "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
            }
            for name, address in addresses.items()
        }
    finally:
        hosts.kill()  # which the namespaces and all that is in them do not survive
        hosts.wait()
