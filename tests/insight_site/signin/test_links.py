"""Links to set a password: who gets one, what the page tells, what they are good for."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core import mail
from django.core.cache import caches
from django.test import Client

from insight_site import first_start, tasks
from insight_site.models import AuditEntry, Preference, SignIn
from insight_site.signin import accounts
from runs.models import Job
from tests.insight_site.signin.make import HOME, PASSWORD, events, inside, log_in, person, superuser

pytestmark = pytest.mark.django_db
NEW = "quite another phrase"


@pytest.fixture(autouse=True)
def _fresh() -> None:
    caches["signin"].clear()


def ask(client: Client, email: str, **more: Any) -> Any:
    return client.post("/password/forgotten/", {"email": email}, REMOTE_ADDR=HOME, **more)


def deliver() -> None:
    """What a worker does with the jobs that wait."""
    for job in Job.objects.filter(task=accounts.TASK, state="waiting").order_by("pk"):
        tasks.send_password_link(*job.arguments)
        Job.objects.filter(pk=job.pk).update(state="done")


def path_in(message: Any) -> str:
    found = re.search(r"http://testserver(/password/\S+)", message.body)
    assert found is not None
    return found[1]


def test_reset__by_the_link_of_the_mail__sets_a_password_and_ends_sessions(client: Client) -> None:
    ann, elsewhere = person(), Client()
    log_in(elsewhere)
    ask(client, "ANN@example.org")
    deliver()
    path = path_in(mail.outbox[0])

    page = client.get(path, follow=True)
    assert "For the account ann" in page.content.decode()
    client.post(page.request["PATH_INFO"], {"new_password1": NEW, "new_password2": NEW})

    ann.refresh_from_db()
    assert ann.check_password(NEW)
    assert not inside(client)  # the second factor, if there is one, is still to come
    assert elsewhere.get("/account/").status_code == 302
    assert "This link has ended" in Client().get(path, follow=True).content.decode()
    assert mail.outbox[0].to == ["ann@example.org"]


@pytest.mark.parametrize("case", ["known", "unknown", "inactive", "provider"])
def test_reset__answer_rows_and_jobs__are_the_same_for_all(client: Client, case: str) -> None:
    person(is_active=case != "inactive")
    if case == "provider":
        User.objects.update(password="!")
    email = "nobody@example.org" if case == "unknown" else "ann@example.org"

    answer = ask(client, email)
    deliver()

    assert (answer.status_code, answer["Location"]) == (302, "/password/sent/")
    assert (events().count("link"), Job.objects.filter(task=accounts.TASK).count()) == (1, 1)
    assert len(mail.outbox) == (case == "known")
    assert email not in str(list(Job.objects.values())) + str(list(SignIn.objects.values()))


def test_reset__asked_often__fills_no_mailbox(client: Client) -> None:
    person()
    for number in range(10):
        client.post("/password/forgotten/", {"email": "ann@example.org"}, REMOTE_ADDR=f"203.0.113.{number}")
    deliver()

    assert len(mail.outbox) == accounts.SENT_AN_HOUR


def test_reset__many_addresses_from_one_place__is_stopped(client: Client) -> None:
    answers = [ask(client, f"n{number}@example.org") for number in range(11)]

    assert [answer.status_code for answer in answers] == [302] * 10 + [200]
    assert "Too many links" in answers[-1].content.decode()


def test_reset__weak_password__is_refused(client: Client) -> None:
    person()
    ask(client, "ann@example.org")
    deliver()
    page = client.get(path_in(mail.outbox[0]), follow=True)

    answer = client.post(page.request["PATH_INFO"], {"new_password1": "123456789012", "new_password2": "123456789012"})

    assert answer.status_code == 200
    assert User.objects.get().check_password(PASSWORD)


def test_mail__of_a_korean_account__is_korean_and_names_the_host_that_was_asked(client: Client, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["insight.example"]
    Preference.objects.create(user=person(), language="ko")

    ask(client, "ann@example.org", headers={"host": "insight.example"})
    deliver()

    assert "http://insight.example/password/" in mail.outbox[0].body
    assert client.post("/password/forgotten/", {"email": "a@b.c"}, headers={"host": "evil.example"}).status_code == 400


def test_invite__by_an_administrator__reaches_accounts_without_a_password(client: Client) -> None:
    new = User.objects.create_user("new", "new@example.org")
    without = User.objects.create_user("without")
    client.force_login(superuser())

    form = {"action": "invite", "_selected_action": [new.pk, without.pk]}
    answer = client.post("/admin/auth/user/", form, follow=True)
    deliver()

    assert [message.to for message in mail.outbox] == [["new@example.org"]]
    text = answer.content.decode()
    assert "1 link is on its way" in text
    assert "not yours to change: without" in text
    page = Client()
    opened = page.get(path_in(mail.outbox[0]), follow=True)
    page.post(opened.request["PATH_INFO"], {"new_password1": NEW, "new_password2": NEW})
    log_in(page, "new", NEW)
    assert inside(page)


def test_invite__by_an_admin_who_is_no_superuser__sends_no_link_of_a_superuser(client: Client) -> None:
    boss = superuser()
    admin = person("admin", is_staff=True)
    admin.groups.add(Group.objects.get(name="Admin"))
    client.force_login(admin)

    client.post("/admin/auth/user/", {"action": "invite", "_selected_action": [boss.pk]})
    deliver()

    assert mail.outbox == []


def test_operators_link__once_used__stands_in_no_audit_log(client: Client) -> None:
    path = accounts.operator_path(person())

    client.post(path)

    assert inside(client)
    assert AuditEntry.objects.get().object_id == ""


@pytest.mark.parametrize("path_of", [accounts.operator_path, accounts.password_path])
def test_link__in_a_line_of_the_log__is_not_readable(path_of: Any) -> None:
    path = path_of(person())

    line = first_start.masked(None, "", {"event": f"Internal Server Error: {path}"})

    assert path.strip("/").rpartition("/")[2] not in line["event"]
