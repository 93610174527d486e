"""The weekly digest: when, once, to whom, what stands in it, and pictures that a mail program shows."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone, translation

from aha.models import AhaMoment, KeptReach
from aha.moments.reach import WEEKS
from experiments.models import Analysis, Experiment
from insight_site.models import Digest, DigestMail, DigestRecipient, ShareLink, ToldState
from insight_site.notify import digest
from insight_site.notify.digest import gather
from insight_site.notify.digest_letters import say_digest, standalone
from tests.experiments.make import do
from tests.experiments.make_readout import make_readout, started, stored
from tests.insight_site.notices.make import SITE, configure, reader
from tests.insight_site.notices.places import mail_server, parts
from tests.insight_site.notices.test_telling import weeks

pytestmark = pytest.mark.django_db
MONDAY = date(2026, 3, 2)


@pytest.fixture(autouse=True)
def _site(settings: Any) -> None:
    configure(settings)


def moment(last: float = 0.3) -> AhaMoment:
    row = AhaMoment.objects.create(key="m", name="Three friends", behaviour="f", times=3, days=7)
    KeptReach.objects.create(moment=row, weeks=WEEKS.store(weeks([0.3] * 9 + [last])), counted_at=timezone.now())
    return row


def at(text: str) -> datetime:
    return timezone.make_aware(datetime.fromisoformat(text))


def test_week__what_ran__to_the_second() -> None:
    row = started("exp", name="Hint")
    begin, end = at("2026-03-02T00:00:00"), at("2026-03-09T00:00:00")

    def ran(**stamps: datetime | None) -> int:
        Experiment.objects.filter(pk=row.pk).update(**stamps)
        return len(gather(MONDAY).ran)

    second = timedelta(seconds=1)
    assert ran(started_at=end - second, stopped_at=None) == 1
    assert ran(started_at=end) == 0
    assert ran(started_at=begin - timedelta(days=30), stopped_at=begin) == 1
    assert ran(stopped_at=begin - second) == 0


def test_week__what_was_decided__to_the_second() -> None:
    row = stored("exp", make_readout())
    begin, end = at("2026-03-02T00:00:00"), at("2026-03-09T00:00:00")

    def decided(finished: datetime) -> int:
        Analysis.objects.filter(pk=row.pk).update(finished_at=finished)
        return len(gather(MONDAY).decided)

    second = timedelta(seconds=1)
    assert [decided(one) for one in (begin - second, begin, end - second, end)] == [0, 1, 1, 0]


def test_words__all_four_parts() -> None:
    stored("exp", make_readout(), moment=True)
    Experiment.objects.update(name="Hint: add friends", planned_end=timezone.localdate() - timedelta(days=1))
    Analysis.objects.update(finished_at=timezone.now())
    AhaMoment.objects.all().update(status="candidate")
    KeptReach.objects.create(
        moment=AhaMoment.objects.get(), weeks=WEEKS.store(weeks([0.3] * 9 + [0.2])), counted_at=timezone.now()
    )
    row = Experiment.objects.get()
    for kind in ("sample_ratio", "guardrail"):
        ToldState.objects.create(kind=kind, subject=f"experiments.Experiment:{row.pk}", state="x", since=timezone.now())
    ToldState.objects.create(kind="sample_ratio", subject="experiments.Experiment:999", state="x", since=timezone.now())

    words = say_digest(gather(timezone.localdate() - timedelta(days=3)))

    assert [one.name for one in words.ran] == ["Hint: add friends"]
    assert "of 1,000 planned users" in words.ran[0].text
    assert [one.text for one in words.decided] == ["The behaviour causes a gain"]
    assert [one.light for one in words.hands] == ["bad", "bad", "warn"]
    assert words.summary == "1 experiment ran, 1 was decided, 3 things need a hand"
    (shown,) = words.moments
    assert shown.light == "warn"
    assert shown.text.startswith("20.0% (95%: ")
    assert shown.sheet.markup().count("<circle") == 10


def test_stopped__waits_for_a_conclusion() -> None:
    started("exp")
    do("exp", "stop")

    assert [one.code for one in gather(timezone.localdate()).hands] == ["to_conclude"]


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-03-09T07:59:59", "2026-03-02T08:00:00"),
        ("2026-03-09T08:00:00", "2026-03-09T08:00:00"),
        ("2026-03-15T23:59:59", "2026-03-09T08:00:00"),
    ],
)
def test_due__its_weekday_and_hour(now: str, due: str) -> None:
    assert digest.last_due(at(now)) == at(due)


def test_made_once__on_its_day__and_not_long_after() -> None:
    DigestRecipient.objects.create(email="boss@example.org")

    def made(text: str) -> bool:
        return digest.make_when_due(at(text))

    assert not made("2026-03-11T08:00:01")  # two days late
    assert made("2026-03-11T08:00:00")
    assert not made("2026-03-11T08:00:00")
    assert Digest.objects.get().week == MONDAY
    assert not made("2026-03-16T07:59:00")
    assert made("2026-03-16T08:00:00")
    assert DigestMail.objects.count() == 2


def test_nobody_to_send_it_to__makes_none() -> None:
    DigestRecipient.objects.create(email="boss@example.org", enabled=False)

    assert not digest.make_when_due()


def send_all(settings: Any) -> list[Any]:
    with mail_server(settings) as mails:
        assert digest.make_when_due(at("2026-03-09T08:00:00"))
        digest.deliver_due()
        digest.deliver_due()
    return mails.letters


def test_mail__in_both_languages__with_pictures_inside_and_a_link_to_read_it(settings: Any) -> None:
    moment()
    started("exp", name="Hint")
    for language in ("en", "ko"):
        DigestRecipient.objects.create(email=f"{language}@example.org", language=language)
    DigestRecipient.objects.create(email="off@example.org", enabled=False)

    letters = send_all(settings)

    assert sorted(letter["To"] for letter in letters) == ["en@example.org", "ko@example.org"]
    for letter in letters:
        text, page = parts(letter)
        assert f'lang="{letter["To"][:2]}"' in page
        (picture,) = [part for part in letter.walk() if part.get_content_type() == "image/png"]
        assert picture["Content-ID"] == "<m0@insight>"
        assert 'src="cid:m0@insight"' in page
        assert picture.get_content()[:8] == b"\x89PNG\r\n\x1a\n"
        assert f"{SITE}/shared/" in text
        assert f"{SITE}/notices/stop/" in text
        assert letter["List-Unsubscribe-Post"]
    assert ShareLink.objects.get().run_label == "insight_site.Digest"
    assert set(DigestMail.objects.values_list("tries", flat=True)) == {1}


def test_a_mail_that_isnt_taken__is_tried_again__the_others_arrive(settings: Any) -> None:
    for name in ("boss", "gone"):
        DigestRecipient.objects.create(email=f"{name}@example.org")
    with mail_server(settings) as mails:
        mails.refused.add("gone@example.org")
        digest.make_when_due(at("2026-03-09T08:00:00"))
        assert digest.deliver_due() == {"sent": 1, "failed": 1, "given_up": 0}
        for _try in range(8):
            DigestMail.objects.filter(next_try_at__isnull=False).update(next_try_at=timezone.now())
            last = digest.deliver_due()
    assert last == {"sent": 0, "failed": 0, "given_up": 0}
    assert DigestMail.objects.get(recipient__email="gone@example.org").tries == 8


def test_send_now__to_ones_own_address__keeps_nothing(settings: Any) -> None:
    user = reader("ann", language="ko")
    with mail_server(settings) as mails:
        assert digest.send_now(user.pk)
        assert not digest.send_now(999)

    assert [letter["To"] for letter in mails.letters] == ["ann@example.org"]
    assert not Digest.objects.exists()


def test_standalone__needs_nothing_else() -> None:
    moment()
    with translation.override("ko"):
        page = standalone(gather(timezone.localdate()))

    assert 'lang="ko"' in page
    assert "data:image/svg+xml;base64," in page
    assert "<script" not in page
    assert "<link" not in page


def test_command__tries_an_address(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with mail_server(settings) as mails:
        call_command("notices", "--test", "me@example.org")
    assert [letter["To"] for letter in mails.letters] == ["me@example.org"]
    assert "took it" in capsys.readouterr().out
