# SPDX-License-Identifier: GPL-3.0-or-later
"""Renewal as it happens for years: by the timer, under load; and issuances by a server that rejects good nonces."""

import os
import threading
import time
from pathlib import Path

import pytest
import requests
from commands import LONG, poll
from conftest import NAME, play, served

PAGE = f"https://{NAME}/pypi/stable/+simple/"


@pytest.mark.parametrize(("rejected", "issuances"), [(5, 100 if LONG else 2), (20, 50 if LONG else 2)])
def test_every_issuance_succeeds_although_good_nonces_are_rejected(index, acme, rejected, issuances):
    acme.restart(PEBBLE_WFE_NONCEREJECT=rejected)
    seconds = []
    for number in range(issuances):
        begun = time.monotonic()
        done = index.renew("--force")
        seconds.append(time.monotonic() - begun)
        assert done.returncode == 0, f"issuance {number}: {done.stderr}"
        assert f"issued {NAME}" in done.stdout
        assert f"changed {NAME}" in done.stdout
    print(
        f"{issuances} of {issuances} at {rejected} % rejected nonces, {sum(seconds) / issuances:.1f} s each, "
        f"{max(seconds):.1f} s at most"
    )


class Load:
    """Ten requests a second, half of them over a connection of their own and half over one that is kept."""

    def __init__(self, trusted):
        self._trusted = trusted
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._go_on, args=(kept,)) for kept in (True, False)]
        self.answers, self.failures = 0, []

    def _go_on(self, kept):
        session = requests.Session()
        while not self._end.wait(0.2):
            if not kept:
                session.close()
            try:
                answer = session.get(PAGE, verify=str(self._trusted), timeout=10)
                answer.raise_for_status()
                self.answers += 1
            except requests.RequestException as error:
                self.failures.append(f"{time.strftime('%X')} {error!r}")

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def every_ten_seconds():
    """The timer looks every ten seconds, set by the play, and as before afterwards."""

    usual = ("up_pypi.yml", "--tags", "certbot")
    result = play(*usual, "--extra-vars", '{"certbot_renewal_interval": 10}')
    assert result.returncode == 0, str(result)
    yield
    result = play(*usual)
    assert result.returncode == 0, str(result)


def test_short_lived_certificate_is_renewed_by_the_timer_and_no_request_fails(index, acme, trusted, every_ten_seconds):
    roots = trusted.read_text()
    acme.restart(ACME_VALIDITY=120)
    trusted.write_text(roots + acme.root())
    assert index.renew("--force").returncode == 0  # the first one of two minutes
    renewals, latest = [], served()
    assert (latest.not_valid_after_utc - latest.not_valid_before_utc).total_seconds() <= 121
    with Load(trusted) as load:
        while len(renewals) < (20 if LONG else 1):
            before = latest
            poll(lambda before=before: served() != before, 120)
            now, latest = time.time(), served()
            assert latest.serial_number != before.serial_number
            left = before.not_valid_after_utc.timestamp() - now
            assert left > 0, "renewed before it expired"
            issued = float(
                index.run("stat", "--dereference", "--format", "%Y", f"{index.lineage}/fullchain.pem").stdout
            )
            assert now - issued <= 30, "the new one is served soon after it was written"
            renewals.append((left, now - issued))
    assert load.failures == []
    margins, delays = zip(*renewals, strict=True)
    print(
        f"{len(renewals)} renewals, {load.answers} requests, 0 failed; served within {max(delays):.1f} s of issuance "
        f"and at least {min(margins):.0f} s before expiry"
    )
    assert load.answers >= 9 * 20
    acme.restart()
    assert index.renew("--force").returncode == 0  # one of ninety days again


def test_certificate_that_nobody_renews_is_told_by_verification(index, acme):
    """With renewal stopped, verification says so when less than a third of the lifetime is left."""
    index.run("systemctl", "stop", "wheelhouse-pypi-renewal.timer")
    roots = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "ca.pem")
    acme.restart(ACME_VALIDITY=120)
    kept = roots.read_text()
    roots.write_text(acme.root() + kept)
    assert index.renew("--force").returncode == 0
    poll(lambda: (served().not_valid_after_utc.timestamp() - time.time()) < 35, 120)
    result = play("playbooks/verify.yml")
    assert result.returncode != 0
    assert result.says("of its lifetime of 2.0 minutes are left"), str(result)
    acme.restart()
    roots.write_text(acme.root() + kept)
    assert index.renew("--force").returncode == 0
    index.run("systemctl", "start", "wheelhouse-pypi-renewal.timer")


def test_certificate_that_no_site_wants_any_more_is_not_renewed_and_is_there_when_one_does(index, acme):
    usual = ("up_pypi.yml", "--tags", "nginx_proxy,certbot")
    timer = ("systemctl", "is-active", "wheelhouse-pypi-renewal.timer")
    orders, before = acme.orders(), served()
    result = play(*usual, "--extra-vars", "nginx_proxy_tls=selfsigned")
    assert result.returncode == 0, str(result)
    assert "CA of pypi" in served().issuer.rfc4514_string()
    assert index.run(*timer, check=False).stdout.strip() == "inactive"
    result = play(*usual)
    assert result.returncode == 0, str(result)
    assert (served(), acme.orders()) == (before, orders)
    assert index.run(*timer).stdout.strip() == "active"
