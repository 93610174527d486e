"""Share links: what they show, to whom, until when."""

import io
import json
import logging
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from aha.models import Study
from insight_site.exports import takeaway
from insight_site.models import ShareLink
from reporting.document import dump
from tests.aha.make_report import INPUTS, report

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh() -> None:
    cache.clear()


@pytest.fixture
def study() -> Study:
    return Study.objects.create(title="Spring", status="done", inputs=dump(INPUTS), payload=dump(report()))


def person(name: str, *permissions: str) -> User:
    user = User.objects.create_user(name)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def test_create_link__token__is_stored_only_as_its_digest(study: Study) -> None:
    link, token = takeaway.create_link(run=study, days=7, by=None)

    stored = ShareLink.objects.values().get()
    assert token not in str(stored)
    assert len(token) >= 43
    assert timedelta(days=6.9) < link.expires_at - timezone.now() <= timedelta(days=7)
    assert takeaway.find_link(token) == link
    assert takeaway.find_link(token[:-1]) is None


@pytest.mark.parametrize("days", [0, 1, 8, 3650])
def test_create_link__days_that_are_not_offered__refused(study: Study, days: int) -> None:
    with pytest.raises(ValueError, match="days must be one of"):
        takeaway.create_link(run=study, days=days, by=None)


@pytest.mark.slow
def test_shared__live_link__shows_the_report_to_a_stranger(client: Client, study: Study) -> None:
    link, token = takeaway.create_link(run=study, days=7, by=None)

    answer = client.get(f"/shared/{token}/")

    text = answer.content.decode()
    assert answer.status_code == 200
    assert "Spring" in text
    assert "<form" not in text
    assert "/aha/" not in text
    assert answer["X-Robots-Tag"] == "noindex, nofollow"
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["Content-Security-Policy"].startswith("default-src 'none'")
    assert "no-store" in answer["Cache-Control"]
    link.refresh_from_db()
    assert link.last_used_at is not None


@pytest.mark.slow
def test_shared__korean_stranger__reads_korean(client: Client, study: Study) -> None:
    _, token = takeaway.create_link(run=study, days=7, by=None)

    assert "집계 대상" in client.get(f"/shared/{token}/", headers={"accept-language": "ko"}).content.decode()


@pytest.mark.parametrize("seconds", [-1, 0])
def test_shared__expired__410_and_a_plain_sentence(client: Client, study: Study, seconds: int) -> None:
    link, token = takeaway.create_link(run=study, days=7, by=None)
    ShareLink.objects.filter(pk=link.pk).update(expires_at=timezone.now() + timedelta(seconds=seconds))

    answer = client.get(f"/shared/{token}/")

    assert answer.status_code == 410
    assert "It has expired, or somebody ended it." in answer.content.decode()
    assert "Spring" not in answer.content.decode()
    assert answer["X-Robots-Tag"] == "noindex, nofollow"


def test_shared__revoked__410(client: Client, study: Study) -> None:
    link, token = takeaway.create_link(run=study, days=7, by=None)
    takeaway.revoke_link(link=link)

    assert client.get(f"/shared/{token}/").status_code == 410


def test_shared__run_deleted__410(client: Client, study: Study) -> None:
    _, token = takeaway.create_link(run=study, days=7, by=None)
    study.delete()

    assert client.get(f"/shared/{token}/").status_code == 410


@pytest.mark.slow
def test_shared__unknown_tokens__404_then_429_and_no_lockout_of_valid_links(client: Client, study: Study) -> None:
    _, token = takeaway.create_link(run=study, days=7, by=None)
    there: dict[str, Any] = {"REMOTE_ADDR": "203.0.113.77"}  # an address that no other test guesses from

    with patch("insight_site.access.limits.time.time", return_value=600.0):
        answers = [client.get(f"/shared/guess{number}/", **there).status_code for number in range(60)]
        valid = [client.get(f"/shared/{token}/", **there).status_code for _ in range(4)]

    assert answers == [404] * 20 + [429] * 40
    assert valid == [200] * 4


def test_share__with_permission__shows_the_link_once(client: Client, study: Study) -> None:
    client.force_login(person("pm", "add_sharelink"))
    page = f"/aha/studies/{study.pk}/"

    answer = client.post(f"/share/aha.Study/{study.pk}/", {"days": "30", "next": page}, follow=True)

    link = ShareLink.objects.get()
    text = answer.content.decode()
    assert answer.redirect_chain == [(page, 302)]
    assert text.count("http://testserver/shared/") == 1
    assert link.created_by is not None
    assert link.created_by.username == "pm"
    assert "http://testserver/shared/" not in client.get(page).content.decode()


@pytest.mark.slow
@pytest.mark.parametrize("days", ["", "x", "8"])
def test_share__bad_days__says_so_and_makes_nothing(client: Client, study: Study, days: str) -> None:
    client.force_login(person("pm", "add_sharelink"))

    answer = client.post(f"/share/aha.Study/{study.pk}/", {"days": days, "next": "https://evil.example/"}, follow=True)

    assert "Choose how long the link shall work." in answer.content.decode()
    assert answer.redirect_chain == [("/", 302)]
    assert not ShareLink.objects.exists()


def test_share__without_permission__403_and_no_form(client: Client, study: Study) -> None:
    client.force_login(person("ann"))

    assert client.post(f"/share/aha.Study/{study.pk}/", {"days": "7"}).status_code == 403
    assert f"/share/aha.Study/{study.pk}/" not in client.get(f"/aha/studies/{study.pk}/").content.decode()


@pytest.mark.parametrize(
    ("name", "permissions", "status"),
    [("maker", ("add_sharelink",), 302), ("other", ("add_sharelink",), 403), ("boss", ("delete_sharelink",), 302)],
)
def test_revoke__by_its_maker_or_who_may_delete(
    client: Client, study: Study, name: str, permissions: tuple[str, ...], status: int
) -> None:
    user = person(name, *permissions)
    maker = user if name == "maker" else person("somebody", "add_sharelink")
    link, _ = takeaway.create_link(run=study, days=7, by=maker)
    client.force_login(user)

    assert client.post(f"/share/{link.pk}/revoke/").status_code == status

    link.refresh_from_db()
    assert link.is_live == (status == 403)


def test_live_links__ended_ones__are_left_out(study: Study) -> None:
    live, _ = takeaway.create_link(run=study, days=7, by=None)
    old, _ = takeaway.create_link(run=study, days=7, by=None)
    ended, _ = takeaway.create_link(run=study, days=7, by=None)
    ShareLink.objects.filter(pk=old.pk).update(expires_at=timezone.now())
    takeaway.revoke_link(link=ended)

    assert list(takeaway.live_links(study)) == [live]


def test_shared__fails_inside__its_token_is_in_no_log(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    _, token = takeaway.create_link(run=study, days=7, by=None)

    def fail(*_args: object, **_more: object) -> str:
        raise RuntimeError("broken")

    monkeypatch.setattr(takeaway, "as_html", fail)
    logs = logging.getLogger("django.request")
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logging.getLogger().handlers[0].formatter)
    logs.addHandler(handler)
    try:
        answer = Client(raise_request_exception=False).get(f"/shared/{token}/")
    finally:
        logs.removeHandler(handler)

    assert answer.status_code == 500
    assert "Internal Server Error: /shared/…/" in json.loads(written.getvalue())["event"]
    assert token not in written.getvalue()
