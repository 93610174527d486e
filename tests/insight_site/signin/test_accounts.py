"""Sessions and accounts that end: at once, everywhere, with what their owner left open."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from aha.models import Study
from events.models import Source
from insight_site import tasks
from insight_site.access import keys
from insight_site.exports import takeaway
from insight_site.models import SignIn
from insight_site.signin import accounts, session_life
from reporting.document import dump
from runs.refusals import Refused
from tests.aha.make_report import INPUTS, report
from tests.insight_site.signin.make import events, inside, later, log_in, person, superuser

pytestmark = pytest.mark.django_db


@pytest.fixture
def study() -> Study:
    return Study.objects.create(title="Spring", status="done", inputs=dump(INPUTS), payload=dump(report()))


def move(client: Client, **names: float) -> None:
    """Let a session be older."""
    session = client.session
    for name, seconds in names.items():
        session[getattr(session_life, name)] = time.time() - seconds
    session.save()


@pytest.mark.slow
def test_deactivate__in_the_admin__ends_sessions_and_links_and_names_keys(client: Client, study: Any) -> None:
    ann, admin = person(), Client()
    _link, token = takeaway.create_link(run=study, days=7, by=ann)
    row, _key = keys.issue_key(
        name="shop", source=Source.objects.create(name="shop"), kind="server", scopes=["events:write"], created_by=ann
    )
    log_in(client)
    assert client.get(f"/shared/{token}/").status_code == 200
    admin.force_login(superuser())

    answer = admin.post("/admin/auth/user/", {"action": "deactivate", "_selected_action": [ann.pk]}, follow=True)

    assert client.get("/account/").status_code == 302
    assert client.get(f"/shared/{token}/").status_code == 410
    assert Session.objects.count() == 1
    assert f"Share links that stopped: 1. API keys that go on: {row}" in answer.content.decode()
    page = admin.get(f"/admin/auth/user/{ann.pk}/change/").content.decode()
    assert "shop" in page
    assert "(stopped)" in page
    assert events("ann")[-2:] == ["deactivated", "ended"]


def test_activate_again__old_sessions_stay_ended(client: Client) -> None:
    ann = person()
    log_in(client)

    accounts.set_active(user=ann, active=False, request=None)
    accounts.set_active(user=ann, active=True, request=None)

    assert client.get("/account/").status_code == 302


@pytest.mark.parametrize("way", ["form", "action"])
def test_deactivate__last_superuser__is_refused(client: Client, way: str) -> None:
    root = superuser()
    client.force_login(root)

    if way == "action":
        client.post("/admin/auth/user/", {"action": "deactivate", "_selected_action": [root.pk]})
    else:
        form = client.get(f"/admin/auth/user/{root.pk}/change/").context["adminform"].form
        data = {name: value for name, value in form.initial.items() if value not in (None, False, [])}
        data |= {"is_active": "", "date_joined_0": "2026-01-01", "date_joined_1": "00:00", "is_superuser": "on"}
        client.post(f"/admin/auth/user/{root.pk}/change/", data)

    root.refresh_from_db()
    assert root.is_active
    with pytest.raises(Refused):
        accounts.set_active(user=root, active=False, request=None)


@pytest.mark.parametrize("way", ["delete", "delete many", "give it up"])
def test_superuser__cannot_end_their_own_rights_in_the_admin(client: Client, way: str) -> None:
    root, other = superuser(), superuser("other")
    client.force_login(root)

    if way == "delete":
        client.post(f"/admin/auth/user/{root.pk}/delete/", {"post": "yes"})
    elif way == "delete many":
        both = {"action": "delete_selected", "_selected_action": [root.pk, other.pk], "post": "yes"}
        client.post("/admin/auth/user/", both)
    else:
        data = {"username": "root", "is_active": "on", "is_staff": "on", "is_superuser": ""}
        data |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00"}
        assert client.post(f"/admin/auth/user/{root.pk}/change/", data).status_code == 302

    assert User.objects.get(username="root").is_superuser


def test_delete__account__takes_its_share_links_along(study: Any) -> None:
    ann = person()
    _link, token = takeaway.create_link(run=study, days=7, by=ann)

    ann.delete()

    assert Client().get(f"/shared/{token}/").status_code == 404


@pytest.mark.parametrize(
    ("older", "open_"),
    [
        ({"BEGAN": 13 * 86_400, "SEEN": 60}, True),
        ({"BEGAN": 15 * 86_400, "SEEN": 60}, False),
        ({"BEGAN": 86_400, "SEEN": 23 * 3600}, True),
        ({"BEGAN": 2 * 86_400, "SEEN": 25 * 3600}, False),
    ],
)
def test_session__too_old_or_idle__ends(client: Client, older: dict[str, float], open_: bool) -> None:
    person()
    log_in(client)
    move(client, **older)

    assert (client.get("/account/").status_code == 200) is open_
    assert ("ended" in events("ann")) is not open_
    assert UserSession.objects.exists() is open_


def test_session__used_all_the_time__still_ends_after_its_days(client: Client) -> None:
    person()
    log_in(client)
    move(client, BEGAN=13 * 86_400, SEEN=3600)
    client.get("/account/")

    move(client, BEGAN=14.1 * 86_400)

    assert client.get("/account/").status_code == 302


def test_session__of_before_the_update__begins_its_life_with_the_next_request(client: Client) -> None:
    client.force_login(person())
    session = client.session
    del session[session_life.BEGAN], session[session_life.SEEN]
    session.save()

    assert client.get("/account/").status_code == 200
    assert client.session[session_life.BEGAN] == pytest.approx(time.time(), abs=10)


def test_requests__within_a_minute__write_no_session(client: Client, django_assert_num_queries: Any) -> None:
    person()
    log_in(client)
    client.get("/account/")
    before = client.session[session_life.SEEN]

    client.get("/account/")

    assert client.session[session_life.SEEN] == before
    move(client, SEEN=61)
    client.get("/account/")
    assert client.session[session_life.SEEN] > before - 1


def test_account_page__lists_sessions_and_ends_others(client: Client) -> None:
    person()
    browser = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
    other, third = Client(headers={"user-agent": browser}), Client()
    for one in (other, third, client):
        log_in(one)
    text = client.get("/account/").content.decode()
    assert "Chrome, Windows" in text
    assert text.count("203.0.113.7") == 3

    client.post("/account/sessions/end/", {"session": UserSession.objects.get(user_agent=browser).pk})
    assert [one.get("/account/").status_code for one in (client, other, third)] == [200, 302, 200]
    client.post("/account/sessions/end/")
    assert [one.get("/account/").status_code for one in (client, other, third)] == [200, 302, 302]


def test_account_page__session_of_another_person__cannot_be_ended(client: Client) -> None:
    person()
    person("bob")
    bob = Client()
    log_in(bob, "bob")
    log_in(client)

    for session in (UserSession.objects.get(user__username="bob").pk, "x", "9" * 30):
        client.post("/account/sessions/end/", {"session": session})

    assert bob.get("/account/").status_code == 200


def test_end_sessions__also_those_that_no_list_knows(client: Client) -> None:
    ann = person()
    log_in(client)
    UserSession.objects.all().delete()

    assert accounts.end_sessions(user=ann, request=None) == 1
    assert client.get("/account/").status_code == 302


def test_administrator__ends_the_sessions_of_a_person(client: Client) -> None:
    ann, admin = person(), Client()
    log_in(client)
    admin.force_login(superuser())

    admin.post("/admin/auth/user/", {"action": "end_sessions", "_selected_action": [ann.pk]})

    assert client.get("/account/").status_code == 302
    assert SignIn.objects.filter(event="ended").get().note == "1 sessions by root"


def test_record__old_rows_and_sessions__are_forgotten_each_night(client: Client, settings: Any) -> None:
    person()
    log_in(client)
    later(days=settings.SIGNIN_DAYS - 1)
    assert tasks.forget_sign_ins() == 0
    Session.objects.update(expire_date="2020-01-01T00:00:00Z")
    later(days=2)

    assert tasks.forget_sign_ins() == 2
    assert not Session.objects.exists()


def test_record__in_the_admin__is_read_and_never_written(client: Client) -> None:
    log_in(client, "nobody", "wrong")
    row = SignIn.objects.get()
    admin = person("admin", is_staff=True)
    admin.groups.add(Group.objects.get(name="Admin"))
    client.force_login(admin)

    assert client.get("/admin/insight_site/signin/").status_code == 200
    assert client.get("/admin/insight_site/sharelink/").status_code == 200
    assert client.get("/admin/insight_site/signin/add/").status_code == 403
    for page in ("change", "delete"):
        assert client.post(f"/admin/insight_site/signin/{row.pk}/{page}/", {"post": "yes"}).status_code == 403
    assert SignIn.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize(
    "model", ["account/emailaddress", "mfa/authenticator", "socialaccount/socialapp", "usersessions/usersession"]
)
def test_pages_of_allauth__in_the_admin__are_not_there(client: Client, model: str) -> None:
    client.force_login(superuser())

    assert client.get(f"/admin/{model}/").status_code == 404


def test_set_roles__gives_and_takes_and_keeps_groups_of_ones_own() -> None:
    ann = person()
    ann.groups.add(Group.objects.get(name="PM"), Group.objects.create(name="Choir"))

    accounts.set_roles(user=ann, roles=["Admin"], request=None)

    ann = User.objects.get()
    assert set(ann.groups.values_list("name", flat=True)) == {"Admin", "Choir"}
    assert ann.is_staff
    with pytest.raises(Refused):
        accounts.set_roles(user=ann, roles=["King"], request=None)
    assert inside(Client()) is False


@pytest.mark.parametrize("one", ["²", "9" * 5000, "x", "-1"])
def test_account_page__session_that_is_no_number__ends_nothing(client: Client, one: str) -> None:
    client.force_login(person())

    assert client.post("/account/sessions/end/", {"session": one}).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_deactivate__last_two_superusers_at_once__leaves_one(monkeypatch: pytest.MonkeyPatch) -> None:
    both, look = [superuser("one"), superuser("two")], accounts.refuse_if_last

    def look_slowly(user: User) -> None:
        look(user)
        time.sleep(0.3)  # so that each has looked before the other is done

    def deactivate(user: User) -> None:
        try:
            with suppress(Refused):
                accounts.set_active(user=user, active=False, request=None)
        finally:
            connection.close()

    monkeypatch.setattr(accounts, "refuse_if_last", look_slowly)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(deactivate, both))

    assert User.objects.filter(is_active=True).count() == 1
