"""Guesses: how many, who is locked out by them, and who isn't."""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth import hashers
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, RequestFactory

from insight_site.models import SignIn
from insight_site.signin import throttle
from insight_site.signin.sign_in_record import NOTED
from tests.insight_site.signin.make import (
    CAFE,
    ELSEWHERE,
    HOME,
    PASSWORD,
    events,
    failures,
    inside,
    later,
    log_in,
    person,
)

pytestmark = pytest.mark.django_db


def may(name: str, address: str) -> bool:
    return throttle.locked_until(RequestFactory().post("/login/", REMOTE_ADDR=address), name) is None


def test_pair__tenth_failure__locks_the_right_password_out_for_a_quarter_of_an_hour(client: Client) -> None:
    person()
    for _ in range(throttle.PAIR):
        assert "too many" not in log_in(client, password="wrong").content.decode().lower()

    locked = log_in(client)

    assert not inside(client)
    assert "Try again in 15 minutes" in locked.content.decode()
    later(minutes=14)
    log_in(client)
    assert not inside(client)
    later(minutes=2)
    log_in(client)
    assert inside(client)


def test_pair__further_ten__locks_longer_each_time() -> None:
    person()
    for lock in (15, 30, 60):
        failures("ann", HOME, throttle.PAIR)
        later(minutes=lock - 1)
        assert not may("ann", HOME)
        later(minutes=1.1)
        assert may("ann", HOME)


def test_pair__locked__others_behind_the_same_address_and_the_owner_elsewhere_come_in() -> None:
    person()
    person("bob")
    failures("ann", HOME, throttle.PAIR)
    bob, ann = Client(), Client()

    log_in(bob, "bob", address=HOME)
    log_in(ann, "ann", address=ELSEWHERE)

    assert inside(bob)
    assert inside(ann)


def test_name__guessed_from_everywhere__is_open_from_where_its_owner_logged_in_before(client: Client) -> None:
    person()
    log_in(client, address=HOME)
    for place in range(throttle.NAME // 5):
        failures("ann", f"198.51.100.{place}", 5)

    assert not may("ann", ELSEWHERE)
    assert may("ann", HOME)
    assert may("bob", ELSEWHERE)
    later(hours=1.1)
    assert may("ann", ELSEWHERE)


def test_place__a_list_of_names__is_stopped_generously() -> None:
    for number in range(throttle.PLACE):
        assert may(f"name{number}", CAFE)
        failures(f"name{number}", CAFE, 1)

    assert not may("another", CAFE)
    assert may("another", HOME)
    later(minutes=15.1)
    assert may("another", CAFE)


def test_place__ipv6__is_the_customers_whole_network() -> None:
    failures("ann", "2001:db8:1:2::1", throttle.PAIR)

    assert not may("ann", "2001:db8:1:2:ffff::9")
    assert may("ann", "2001:db8:1:3::1")


@pytest.mark.parametrize("written", ["ANN", " ann ", "ａnn"])
def test_pair__name_written_otherwise__is_the_same_name(written: str) -> None:
    failures("ann", HOME, throttle.PAIR)

    assert not may(written, HOME)


def test_unknown_name__is_counted_told_and_hashed_like_a_known_one(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    person()
    hashed: list[str] = []
    encode = hashers.PBKDF2PasswordHasher.encode

    def counted(self: Any, password: str, *more: Any, **named: Any) -> str:
        hashed.append(password)
        return str(encode(self, password, *more, **named))

    monkeypatch.setattr(hashers.PBKDF2PasswordHasher, "encode", counted)
    answers = {}
    for name in ("ann", "nobody"):
        hashed.clear()
        texts = [log_in(client, name, "wrong").content.decode() for _ in range(throttle.PAIR + 2)]
        answers[name] = ([text.split("<h1>")[1].replace(name, "X").split("csrf")[0] for text in texts], list(hashed))

    assert answers["ann"] == answers["nobody"]
    assert len(answers["ann"][1]) == throttle.PAIR


def test_record__of_a_failure__names_no_stranger_and_no_password(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    person()
    with caplog.at_level(logging.INFO):
        log_in(client, "my secret typed as a name", "hunter2hunter2")
        log_in(client, "ann", "hunter2hunter2")

    stored = str(list(SignIn.objects.values()))
    lines = caplog.text
    assert [row.username for row in SignIn.objects.order_by("pk")] == ["", "ann"]
    assert lines.count("signin.failed") == 2
    for secret in ("my secret", "hunter2"):
        assert secret not in stored + lines


@pytest.mark.slow
def test_flood__of_refused_tries__fills_no_table(client: Client) -> None:
    failures("ann", HOME, throttle.PAIR)
    for _ in range(5):
        log_in(client, "ann", "wrong")
    assert events().count("locked") == 1

    failures("x", CAFE, throttle.PLACE)
    for number in range(NOTED + 5):
        log_in(client, f"n{number}", "wrong", address=CAFE)

    assert events().count("locked") == 1 + NOTED
    assert events().count("failed") == throttle.PAIR + throttle.PLACE


def test_flood__of_forged_links__fills_no_table(client: Client) -> None:
    for _ in range(NOTED + 5):
        assert client.get("/login/link/forged/", REMOTE_ADDR=HOME).status_code == 403
    client.get("/login/link/forged/", REMOTE_ADDR=CAFE)

    assert events() == ["refused"] * (NOTED + 1)


@pytest.mark.parametrize("name", ["a\x00b", "x" * 400, "\ud800"])
def test_login__name_that_no_database_holds__is_wrong_like_any(client: Client, name: str) -> None:
    sent = name.encode("utf-8", "replace").decode()

    assert log_in(client, sent, "wrong\x00").status_code == 200


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_pair__many_tries_at_once__no_more_are_hashed_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    person()
    tried: list[str] = []
    monkeypatch.setattr(throttle, "authenticate", lambda request, **more: tried.append("x"))

    def guess(_number: int) -> None:
        try:
            throttle.check_password(RequestFactory().post("/login/", REMOTE_ADDR=HOME), "ann", "wrong")
        except throttle.Locked:
            pass
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(guess, range(60)))

    assert 1 <= len(tried) <= throttle.PAIR
    assert SignIn.objects.filter(event="failed").count() == len(tried)


def test_success__starts_the_count_anew_but_only_for_this_pair(client: Client) -> None:
    person()
    person("bob")
    failures("ann", HOME, throttle.PAIR - 1)
    failures("bob", HOME, throttle.PAIR - 1)

    log_in(client)
    failures("ann", HOME, 1)
    failures("bob", HOME, 1)

    assert may("ann", HOME)
    assert not may("bob", HOME)


def test_deactivated_account__right_password__is_told_like_a_wrong_one(client: Client) -> None:
    person(is_active=False)
    person("bob")

    right = log_in(client).content.decode()
    wrong = log_in(client, "bob", "wrong").content.decode()

    assert right.split('role="alert">')[1].split("</div>")[0] == wrong.split('role="alert">')[1].split("</div>")[0]
    assert not inside(client)
    assert User.objects.get(username="ann").check_password(PASSWORD)
