"""Pages of notices: choices, places, links to unsubscribe, the digest, and channels in the admin and over HTTP."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import signing
from django.test import Client
from django.utils import timezone

from experiments.models import Experiment
from insight_site.models import AuditEntry, Digest, DigestRecipient, NoticeChannel, NoticeChoice
from insight_site.notify.digest import gather
from insight_site.notify.digest_letters import RECORD
from insight_site.notify.notice_kinds import KINDS
from insight_site.notify.preferences import PERSON, RECIPIENT, SALT, stop_link, timing_of
from runs.models import Job
from tests.experiments.api.make import Api
from tests.experiments.make_readout import started
from tests.insight_site.notices.make import SITE, configure, reader

pytestmark = pytest.mark.django_db
SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def chosen(user: User) -> dict[str, str]:
    choice = NoticeChoice.objects.filter(user=user).first()
    return {kind.key: timing_of(kind, choice) for kind in KINDS}


def test_choices__shown_as_they_are__kept_as_they_are_sent() -> None:
    user = reader("ann")
    client = client_of(user)
    before = chosen(user)
    page = client.get("/account/notices/").content.decode()
    assert "A planned analysis is due" in page
    assert "A part of the site needs a hand" not in page  # of administrators

    sent = {**{key: value for key, value in before.items() if key != "part_unwell"}, "verdict": "daily"}
    assert client.post("/account/notices/", {**sent, "everything": "1"}).status_code == 302

    assert chosen(user) == {**before, "verdict": "daily"}
    assert NoticeChoice.objects.get(user=user).everything
    assert client.post("/account/notices/", {**sent, "verdict": "hourly"}).status_code == 422
    assert chosen(user)["verdict"] == "daily"


def test_choices__of_somebody_who_sees_no_experiments__offer_none() -> None:
    page = client_of(reader("ann", role="")).get("/account/notices/").content.decode()

    assert "A planned analysis is due" not in page
    assert "A computation that I asked for fails" in page


def test_a_place__is_added_tried_and_never_shown_again() -> None:
    user = reader("ann")
    client = client_of(user)
    wrong = client.post("/account/notices/places/", {"url": "syslog://", "name": "x"})
    assert wrong.status_code == 422
    assert "syslog://" in wrong.content.decode()
    assert NoticeChannel.objects.count() == 0

    assert client.post("/account/notices/places/", {"url": SLACK, "name": "Mine"}).status_code == 302
    row = NoticeChannel.objects.get(owner=user)
    assert row.secret_address == SLACK
    assert Job.objects.get(task="insight_site.tasks.try_channel").arguments == [row.pk]
    page = client.get("/account/notices/").content.decode()
    assert "Mine" in page
    assert "TIiajkdnlazkcOXrIdevi7FQ" not in page + str(list(AuditEntry.objects.values_list("before", "after")))

    stranger = client_of(reader("eve", role="Admin"))
    assert stranger.post(f"/account/notices/places/{row.pk}/", {"remove": ""}).status_code == 404
    assert client.post(f"/account/notices/places/{row.pk}/", {"test": ""}).status_code == 302
    assert Job.objects.filter(task="insight_site.tasks.try_channel").count() == 2
    assert client.post(f"/account/notices/places/{row.pk}/", {"remove": ""}).status_code == 302
    assert not NoticeChannel.objects.exists()


def path_of(link: str) -> str:
    return link.removeprefix(SITE)


@pytest.mark.parametrize(("kind", "left"), [("verdict", True), ("*", False)])
def test_stop__a_get_asks_only__a_post_without_a_cookie_stops(settings: Any, kind: str, left: bool) -> None:
    configure(settings)
    user = reader("ann")
    path = path_of(stop_link(PERSON, user.pk, kind))
    strict = Client(enforce_csrf_checks=True)
    assert strict.get(path).status_code == 200
    assert chosen(user)["verdict"] == "at_once"

    answer = strict.post(path, {"List-Unsubscribe": "One-Click"})

    assert answer.status_code == 200
    assert chosen(user)["verdict"] == "never"
    assert (chosen(user)["started"] != "never") is left
    assert "ann" not in answer.content.decode()


def test_stop__everything_by_the_second_button__and_the_digest(settings: Any) -> None:
    configure(settings)
    user, boss = reader("ann"), DigestRecipient.objects.create(email="boss@example.org")
    Client().post(path_of(stop_link(PERSON, user.pk, "verdict")), {"everything": ""})
    assert set(chosen(user).values()) == {"never"}

    path = path_of(stop_link(RECIPIENT, boss.pk))
    assert Client().get(path).status_code == 200
    assert DigestRecipient.objects.get().enabled
    Client().post(path)
    boss.refresh_from_db()
    assert (boss.enabled, boss.stopped_at is not None) == (False, True)


@pytest.mark.slow
def test_stop__a_token_of_nobody__is_404_and_counted(settings: Any) -> None:
    configure(settings)
    forged = signing.dumps([PERSON, 1, "*"], salt="another")
    gone = signing.dumps([PERSON, 999, "*"], salt=SALT, compress=True)

    assert Client().get(f"/notices/stop/{gone}/").status_code == 404
    answers = [Client().get(f"/notices/stop/{forged}/").status_code for _ in range(25)]
    assert set(answers) == {404, 429}


def test_digest__preview_sent_week_and_share_link(settings: Any) -> None:
    configure(settings)
    row = started(name="Hint: add friends")
    Experiment.objects.filter(pk=row.pk).update(started_at=timezone.now() - timedelta(days=1))
    user = reader("ann", role="Analyst")
    client = client_of(user)
    preview = client.get("/digest/").content.decode()
    assert "Hint: add friends" in preview
    assert "Nobody was sent it" in preview

    week = date(2026, 1, 5)
    Digest.objects.create(week=week, record=RECORD.store(gather(timezone.localdate())), made_at=timezone.now())
    assert "Nobody was sent it" not in client.get("/digest/").content.decode()
    assert client.get("/digest/2026-01-05/").status_code == 200
    assert client.get("/digest/2026-01-06/").status_code == 404
    assert client.get("/digest/2026-13-45/").status_code == 404

    page = client.post("/digest/2026-01-05/share/", follow=True).content.decode()
    link = page.split("/shared/")[1].split("/")[0]
    shared = Client().get(f"/shared/{link}/")
    assert shared.status_code == 200
    assert "Hint: add friends" in shared.content.decode()
    assert "script" not in shared["Content-Security-Policy"]
    Digest.objects.all().delete()
    assert Client().get(f"/shared/{link}/").status_code == 410


def test_digest__send_me_one_now__asks_a_worker() -> None:
    user = reader("ann")
    client_of(user).post("/digest/to-me/")
    assert Job.objects.get(task="insight_site.tasks.send_digest_now").arguments == [user.pk]

    nobody = reader("mute")
    User.objects.filter(pk=nobody.pk).update(email="")
    assert "no e-mail address" in client_of(nobody).post("/digest/to-me/", follow=True).content.decode()


def test_admin__a_channel_keeps_its_address_when_it_is_left_empty() -> None:
    root = User.objects.create_superuser("root", "root@example.org", "correct horse")
    client = client_of(root)
    add = "/admin/insight_site/noticechannel/add/"
    form = {"name": "Team", "language": "ko", "kinds": ["started", "verdict"], "enabled": "on"}
    assert client.post(add, {**form, "url": ""}).status_code == 200
    assert client.post(add, {**form, "url": "syslog://"}).status_code == 200
    assert not NoticeChannel.objects.exists()

    assert client.post(add, {**form, "url": SLACK}).status_code == 302
    row = NoticeChannel.objects.get()
    assert (row.secret_address, row.service, row.kinds, row.language) == (SLACK, "Slack", ["started", "verdict"], "ko")
    change = f"/admin/insight_site/noticechannel/{row.pk}/change/"
    assert "TIiajkdnlazkcOXrIdevi7FQ" not in client.get(change).content.decode()

    assert client.post(change, {**form, "kinds": ["stopped"], "url": ""}).status_code == 302
    row.refresh_from_db()
    assert (row.secret_address, row.kinds) == (SLACK, ["stopped"])
    own = NoticeChannel.objects.create(owner=root, name="mine", secret_address="slack://x")
    assert client.get(f"/admin/insight_site/noticechannel/{own.pk}/change/").status_code == 302
    for page in ("noticechannel", "digestrecipient", "notice"):
        assert client.get(f"/admin/insight_site/{page}/").status_code == 200


def test_api__a_channel_and_a_recipient() -> None:
    api = Api("admin", "admin:*")
    made = api("POST", "/api/v1/notice-channels", {"name": "t", "url": SLACK, "kinds": ["started"], "language": "ko"})
    assert made.status_code == 201
    assert made.json()["service"] == "Slack"
    assert "TIiajk" not in made.content.decode()
    path = f"/api/v1/notice-channels/{made.json()['id']}"
    assert api("PATCH", path, {"enabled": False}).json()["enabled"] is False
    assert NoticeChannel.objects.get().secret_address == SLACK
    assert api("POST", "/api/v1/notice-channels", {"name": "t", "url": "syslog://", "kinds": []}).status_code >= 400
    assert api("POST", "/api/v1/notice-channels", {"name": "t", "url": SLACK, "kinds": ["all"]}).status_code == 400
    assert api("DELETE", path, None).status_code == 204

    boss = api("POST", "/api/v1/digest-recipients", {"email": "boss@example.org"})
    assert boss.status_code == 201
    assert api("POST", "/api/v1/digest-recipients", {"email": "boss@example.org"}).status_code == 400
    assert len(api("GET", "/api/v1/digest-recipients", None).json()["results"]) == 1
    reading = Api("admin", "reports:read")
    assert reading("GET", "/api/v1/digest-recipients", None).status_code == 403
