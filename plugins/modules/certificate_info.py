#!/usr/bin/python
# Copyright: The wheelhouse.pypi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_info
short_description: Read what a TLS client makes of a certificate
version_added: "0.1.0"
description:
  - Look at a certificate as a TLS client does, of a server that runs, or of a pair of files before they go live.
  - A handshake is made for it, over the network or in memory, so it is OpenSSL that judges names, dates, purpose, the
    chain to a CA and whether the key belongs to the certificate.
  - A certificate that clients refuse is no failure but an entry of RV(problems), and all entries are told together.
    The module fails if there is nothing to look at.
  - Certificates are judged by what clients with Python 3.11 accept. If the stricter rules of Python 3.13
    (C(VERIFY_X509_STRICT)) refuse one, it is warned of. Python on the host makes no difference.
  - As clients of today do, it looks for names in the subjectAltName alone, and speaks TLS 1.2 or newer.
author:
  - The wheelhouse.pypi contributors (!UNKNOWN)
requirements:
  - Python >= 3.11
attributes:
  check_mode:
    description: Changes nothing, ever.
    support: full
  diff_mode:
    description: Changes nothing, so there is nothing to show.
    support: N/A
  idempotent:
    description: Changes nothing.
    support: full
options:
  host:
    description:
      - Look at the server of this name or IP address, which is also the name it is asked for (SNI).
      - One of O(host), O(path) and O(content) is required.
    type: str
  port:
    description: The port of O(host), from 1 to 65535.
    type: int
    default: 443
  connect_to:
    description: Connect to this name or address instead, and still ask for O(host).
    type: str
  path:
    description: A file with the certificate chain in PEM, leaf first.
    type: path
  content:
    description: The same as O(path), but the text itself.
    type: str
  privatekey_path:
    description:
      - A file with the private key of the certificate, in PEM and without a passphrase. It may be the file O(path).
      - With O(path) or O(content), it or O(privatekey_content) is required.
    type: path
  privatekey_content:
    description: The same as O(privatekey_path), but the text itself.
    type: str
  names:
    description:
      - Names and IP addresses that clients use. The certificate has to cover each. Write an international name in its
        C(xn--) form.
      - With O(host), the server is asked for each of them, and the default is O(host).
      - With O(path) or O(content), no name is looked for by default.
    type: list
    elements: str
  ca_path:
    description:
      - A file with the CA certificates that clients trust, in PEM.
      - Without O(ca_path) and O(ca_content) those of the host's system are taken.
    type: path
  ca_content:
    description: The same as O(ca_path), but the text itself.
    type: str
  timeout:
    description: How many seconds each connection to O(host) may take to be made, and each answer, from 1 to 3600.
    type: int
    default: 10
seealso:
  - module: community.crypto.x509_certificate_info
  - module: community.crypto.get_certificate
"""

EXAMPLES = r"""
- name: Look at what a server shows to clients
  wheelhouse.pypi.certificate_info:
    host: pypi.example.com
  register: shown

- name: Expect that clients are content, for two weeks at least
  ansible.builtin.assert:
    that:
      - shown.problems == []
      - shown.old_protocols == []
      - shown.left > 14 * 24 * 3600

- name: Look at a server that has no name yet, with a CA of one's own
  wheelhouse.pypi.certificate_info:
    host: pypi.example.com
    connect_to: 192.0.2.10
    port: 8443
    ca_path: /etc/ssl/example/ca.pem

- name: Look at a pair before it goes live
  wheelhouse.pypi.certificate_info:
    path: /etc/ssl/example/pypi.pem
    privatekey_path: /etc/ssl/example/pypi.key
    names: [pypi.example.com, 192.0.2.10]
  register: pair

- name: Refuse a bad pair
  ansible.builtin.assert:
    that: pair.problems == []
    fail_msg: "{{ pair.problems | join(' ') }}"
"""

RETURN = r"""
problems:
  description: Why clients refuse the certificate, and what to do, a sentence or more each. Empty if they accept it.
  returned: success
  type: list
  elements: str
  sample: ["The certificate of pypi.example.com:443 expired on 2026-07-01T10:00:00Z. Renew it."]
warnings:
  description:
    - What some clients refuse, such as those with Python 3.13, and what could not be found out.
    - Ansible shows them by itself.
  returned: if there are any
  type: list
  elements: str
  sample: ["The certificate in pypi.pem is accepted by clients with Python 3.11, and refused by stricter ones ..."]
sha256:
  description: The fingerprint of the certificate, SHA-256 in small hex digits.
  returned: success
  type: str
  sample: c99fd8d9b0b9a5d8ae6e7ef41ea51fb3c1b4b8ff2ee7bd5a8fc2dd7b2ed5b0f6
names:
  description: The names and IP addresses that it covers, those of its subjectAltName.
  returned: success
  type: list
  elements: str
  sample: [pypi.example.com, 192.0.2.10]
issuer:
  description: Who issued it, as it says itself.
  returned: success
  type: str
  sample: C=XX, O=Example, CN=Example CA
serial_number:
  description: Its serial number, hex as C(openssl x509 -serial) shows it.
  returned: success
  type: str
  sample: 04A1B2C3D4
not_before:
  description: When its life begins, ISO 8601 in UTC.
  returned: success
  type: str
  sample: "2026-04-02T10:00:00Z"
not_after:
  description: When its life ends, ISO 8601 in UTC.
  returned: success
  type: str
  sample: "2026-07-01T10:00:00Z"
lifetime:
  description: The seconds from RV(not_before) to RV(not_after).
  returned: success
  type: int
  sample: 7776000
left:
  description: The seconds from now to RV(not_after), by the clock of the host. Negative once it expired.
  returned: success
  type: int
  sample: 5184000
left_share:
  description: RV(left) as a share of RV(lifetime), from 0.0, expired, to 1.0.
  returned: success
  type: float
  sample: 0.6667
privatekey_mode:
  description: The mode of O(privatekey_path), octal. If it lets group or others read, that is one of RV(problems).
  returned: with O(privatekey_path)
  type: str
  sample: "0600"
protocol:
  description: The TLS version that a client and O(host) agree on.
  returned: with O(host)
  type: str
  sample: TLSv1.3
old_protocols:
  description:
    - Which of C(TLSv1) and C(TLSv1.1) the server accepts. These are no problem for clients, but often
      for who runs the server.
    - Null if it is not known to accept any, but not all could be tried. The warning then says why.
  returned: with O(host)
  type: list
  elements: str
  sample: []
"""

# ruff: noqa: E402 (documentation first)
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.wheelhouse.pypi.plugins.module_utils._certificate import CertificateError, Look


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str"},
            "port": {"type": "int", "default": 443},
            "connect_to": {"type": "str"},
            "path": {"type": "path"},
            "content": {"type": "str"},
            "privatekey_path": {"type": "path"},
            "privatekey_content": {"type": "str", "no_log": True},
            "names": {"type": "list", "elements": "str"},
            "ca_path": {"type": "path"},
            "ca_content": {"type": "str"},
            "timeout": {"type": "int", "default": 10},
        },
        required_one_of=[("host", "path", "content"), ("host", "privatekey_path", "privatekey_content")],
        required_by={"connect_to": "host"},
        mutually_exclusive=[
            ("host", "path", "content"),
            ("host", "privatekey_path", "privatekey_content"),
            ("ca_path", "ca_content"),
        ],
        supports_check_mode=True,
    )
    try:
        look = Look(module.params)
        look()
    except CertificateError as error:
        module.fail_json(msg=str(error))
    for warning in look.warnings:
        module.warn(warning)
    module.exit_json(changed=False, **look.result)


if __name__ == "__main__":
    main()
