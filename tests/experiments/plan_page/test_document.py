"""The plan as one page: what it says, its files, and its comments."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from experiments.models import Experiment, PlanComment
from experiments.models.review import SECTIONS
from experiments.plan_page.document import sections
from experiments.plan_page.known_numbers import known_of
from tests.experiments.make import draft, running

pytestmark = pytest.mark.django_db
NASTY = "<script>alert(1)</script> **bold** [x](http://evil)"


def comment(client: Client, row: Experiment, text: str, section: str = "arms", **more: str) -> str:
    address = reverse("experiments:plan_comment", args=[row.key])
    return client.post(address, {"section": section, "text": text, **more})["Location"]


def test_sections__of_a_plan__stand_in_their_order() -> None:
    row = draft(
        "exp", guardrail_metrics=["on_day:1"], guardrail_rules={"on_day:1": {"direction": "higher", "margin": 0.01}}
    )

    found = sections(row, known_of(row, ask=False))

    assert tuple(one.slug for one in found) == SECTIONS
    said = {one.slug: " ".join([*one.texts, *one.items, *(value for _label, value in one.lines)]) for one in found}
    assert "a loss of 1.0 points or more is harm" in said["guardrails"]
    assert "The nudge is empty" in said["risks"]
    assert "1,000" in said["size"]


@pytest.mark.parametrize(("form", "kind"), [("md", "text/markdown"), ("html", "text/html"), ("osf", "text/plain")])
def test_export__every_form__is_a_file_with_the_plan(admin_client: Client, form: str, kind: str) -> None:
    row = draft("exp", name=NASTY, hypothesis=NASTY, nudge="A banner")

    answer = admin_client.get(reverse("experiments:plan_export", args=[row.key, form]))

    text = answer.content.decode()
    assert answer["Content-Type"] == f"{kind}; charset=utf-8"
    assert 'filename="plan-exp.' in answer["Content-Disposition"]
    assert "A banner" in text
    if form == "html":
        assert "<script>" not in text
    if form == "md":
        assert "\\*\\*bold\\*\\*" in text
        assert "[x](" not in text
    if form == "osf":
        headings = [line for line in text.splitlines() if line.isupper()]
        assert headings[:3] == ["PREREGISTRATION OF AN EXPERIMENT", "STUDY INFORMATION", "HYPOTHESES"]


def test_export__unknown_form__is_not_found(admin_client: Client) -> None:
    draft("exp")

    assert admin_client.get("/experiments/exp/plan/export/docx/").status_code == 404


def test_comment__with_markup__is_shown_as_text_with_its_author_and_can_be_resolved(admin_client: Client) -> None:
    row = draft("exp")

    to = comment(admin_client, row, NASTY)
    page = admin_client.get(to.partition("#")[0]).content.decode()
    one = PlanComment.objects.get()
    admin_client.post(reverse("experiments:settle_comment", args=[row.key, one.pk]))
    one.refresh_from_db()

    assert to == "/experiments/exp/plan/review/#plan-arms"
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page
    assert "1 open comment" in page
    assert (one.by, one.is_open) == (one.resolved_by, False)
    assert "Comments on the plan" in admin_client.get("/experiments/exp/history/").content.decode()
    admin_client.post(reverse("experiments:settle_comment", args=[row.key, one.pk]))
    one.refresh_from_db()
    assert one.is_open


@pytest.mark.parametrize(
    ("text", "section", "sentence"),
    [
        ("", "arms", "Write something before you send it."),
        ("x" * 2_001, "arms", "at most 2,000 characters"),
        ("x", "nowhere", "Select a valid choice"),
    ],
)
def test_comment__that_can_not_be__is_refused_with_a_sentence(
    admin_client: Client, text: str, section: str, sentence: str
) -> None:
    row = draft("exp")

    to = comment(admin_client, row, text, section)

    assert PlanComment.objects.count() == 0
    assert sentence in admin_client.get(to.partition("#")[0]).content.decode()


def test_comment__next_elsewhere__stays_on_the_site(admin_client: Client) -> None:
    row = running("exp")

    assert comment(admin_client, row, "x", next="https://evil.example/") == "/experiments/exp/#plan-arms"
    assert comment(admin_client, row, "x", next="/experiments/exp/plan/") == "/experiments/exp/plan/#plan-arms"


def test_comment__without_the_permission__is_forbidden_and_the_plan_is_read_all_the_same(client: Client) -> None:
    row = draft("exp")
    reader = User.objects.create_user("reader", password="x")
    client.force_login(reader)
    address = reverse("experiments:plan_comment", args=[row.key])

    refused = client.post(address, {"section": "arms", "text": "x"}).status_code
    page = client.get("/experiments/exp/plan/")
    reader.user_permissions.add(Permission.objects.get(codename="add_plancomment"))
    allowed = client.post(address, {"section": "arms", "text": "x"}).status_code

    assert (refused, page.status_code, allowed) == (403, 200, 302)
    assert "Send the comment" not in page.content.decode()
