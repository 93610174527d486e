"""From the table to a real mail server and a real webhook receiver: tries, digests of a day, giving up, forgetting."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from experiments.webhook_messages import WAITS
from insight_site.models import Notice, NoticeChannel, NoticeChoice
from insight_site.notify.delivering import deliver_due, forget_old, send_again
from insight_site.notify.preferences import read_stop
from runs.queue.status import NOTICES, counted
from runs.refusals import Refused
from tests.experiments.make_readout import started
from tests.insight_site.notices.make import SITE, configure, due, everything, reader, work
from tests.insight_site.notices.places import mail_server, parts, receiver

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _site(settings: Any) -> None:
    configure(settings, private=True)


def test_mail__is_signed_off_by_the_site__and_has_a_link_to_stop(settings: Any) -> None:
    user = everything()
    started(name="Hint: add friends")
    work()
    with mail_server(settings) as mails:
        assert deliver_due() == {"sent": 1, "failed": 0, "given_up": 0}
        assert deliver_due() == {"sent": 0, "failed": 0, "given_up": 0}

    (letter,) = mails.letters
    text, page = parts(letter)
    assert letter["Subject"] == "Started: Hint: add friends"
    assert letter["To"] == user.email
    assert f"{SITE}/experiments/exp/" in text
    assert f"{SITE}/experiments/exp/" in page
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = letter["List-Unsubscribe"].replace("\r\n", "").replace(" ", "").strip("<>")
    assert link.startswith(f"{SITE}/notices/stop/")
    assert read_stop(link.removeprefix(f"{SITE}/notices/stop/").strip("/")) == ("person", user.pk, "started")
    assert link in text
    row = Notice.objects.get()
    assert (row.state, row.tries, row.next_try_at) == ("sent", 1, None)


def test_a_name_with_a_line_break__stays_one_header(settings: Any) -> None:
    everything()
    started(name="Hint\r\nBcc: eve@example.org")
    work()
    with mail_server(settings) as mails:
        deliver_due()

    (letter,) = mails.letters
    assert letter["Bcc"] is None
    assert "eve@example.org" in letter["Subject"]


def test_a_day__comes_as_one_mail__and_not_before_its_hour(settings: Any) -> None:
    reader("daily", everything=True, timings={"started": "daily", "stopped": "daily"})
    for key in ("one", "two", "three"):
        started(key, name=key.title())
    work()
    with mail_server(settings) as mails:
        assert deliver_due()["sent"] == 0
        due()
        assert deliver_due()["sent"] == 3

    (letter,) = mails.letters
    assert letter["Subject"] == "3 notices of Insight"
    assert all(name in parts(letter)[1] for name in ("One", "Two", "Three"))


def test_language__of_the_reader_and_of_the_channel(settings: Any) -> None:
    reader("en", everything=True, language="en")
    reader("ko", everything=True, language="ko")
    started()
    work()
    with mail_server(settings) as mails:
        deliver_due()

    assert {'lang="en"' in parts(letter)[1] for letter in mails.letters} == {True, False}
    assert sum('lang="ko"' in parts(letter)[1] for letter in mails.letters) == 1


@pytest.mark.slow
def test_channel__gets_title_text_and_link(settings: Any) -> None:
    with receiver() as hook:
        NoticeChannel.objects.create(name="team", secret_address=hook.url, kinds=["started"])
        started(name="Hint")
        work()
        assert deliver_due()["sent"] == 1

    (body,) = hook.bodies
    assert body["title"] == "Started: Hint"
    assert "has started" in body["message"]
    assert f"{SITE}/experiments/exp/" in body["message"]


def test_a_server_that_is_away__is_tried_so_often__and_then_given_up(settings: Any) -> None:
    everything()
    started()
    work()
    with mail_server(settings) as mails:
        mails.refused.add("all@example.org")
        outcomes = []
        for _try in range(len(WAITS) + 2):
            outcomes.append(deliver_due())
            due()

    assert [one["failed"] for one in outcomes] == [1] * len(WAITS) + [0, 0]
    assert [one["given_up"] for one in outcomes] == [0] * len(WAITS) + [1, 0]
    row = Notice.objects.get()
    assert (row.state, row.tries, row.trouble) == ("given_up", 8, "SMTPRecipientsRefused")
    assert {(way, how): n for way, how, n in counted(NOTICES)} == {("mail", "failed"): 7, ("mail", "given_up"): 1}

    send_again(notice=row)
    with mail_server(settings) as mails:
        assert deliver_due()["sent"] == 1
    assert len(mails.letters) == 1
    with pytest.raises(Refused):
        send_again(notice=Notice.objects.get())


def test_a_try__is_counted_before_it_is_made(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    everything()
    started()
    work()

    def dies(*_: Any) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("insight_site.notify.delivering._try", dies)
    with pytest.raises(KeyboardInterrupt):
        deliver_due()

    row = Notice.objects.get()
    assert row.tries == 1
    assert row.next_try_at is not None
    assert row.next_try_at > timezone.now()


def test_meanwhile__they_chose_never__or_left__or_the_row_went(settings: Any) -> None:
    one, two, three = (reader(name, everything=True) for name in ("one", "two", "three"))
    started()
    work()
    NoticeChoice.objects.filter(user=one).update(timings={"started": "never"})
    User.objects.filter(pk=two.pk).update(is_active=False)
    three.groups.clear()
    with mail_server(settings) as mails:
        assert deliver_due() == {"sent": 0, "failed": 0, "given_up": 0}

    assert mails.letters == []
    assert set(Notice.objects.values_list("state", flat=True)) == {"dropped"}


def test_old_notices__go_after_ninety_days__what_waits_stays(settings: Any) -> None:
    everything()
    started()
    work()
    row = Notice.objects.get()
    days = timezone.now() - timedelta(days=90)
    for ended, left in ((None, 1), (days + timedelta(minutes=1), 1), (days - timedelta(minutes=1), 0)):
        Notice.objects.filter(pk=row.pk).update(ended_at=ended)
        forget_old()
        assert Notice.objects.count() == left


def test_an_account_that_is_deleted__takes_its_notices_along() -> None:
    user = everything()
    NoticeChannel.objects.create(owner=user, name="mine", secret_address="slack://x")
    started()
    work()
    assert Notice.objects.count() == 2

    user.delete()

    assert (Notice.objects.count(), NoticeChannel.objects.count(), NoticeChoice.objects.count()) == (0, 0, 0)
