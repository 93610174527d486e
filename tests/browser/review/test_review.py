"""Author, reviewer, start: three people in front of their pages; and from a template to a plan that may start."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone

from experiments.models import Experiment, PlanTemplate, ReviewAnswer, ReviewItem, TemplateUse
from experiments.plan import drafts
from experiments.plan.templates import save_as_template
from tests.experiments.make import draft
from tests.marks import first_in_ci

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]
CRASHES = "min_events:crash:0-6:1"


def somebody(name: str, role: str = "PM") -> User:
    user = User.objects.create_user(name, password="correct horse")
    user.groups.add(Group.objects.get(name=role))
    return user


def overflow(page: Any) -> int:
    found: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found


def ask_and_hear_of_a_change(mine: Any, theirs: Any, reviewer: User) -> None:
    # The author may not start, and asks.
    mine.goto("/experiments/guild/plan/review/")
    assert mine.locator("#start button[type=submit]").is_disabled()
    mine.locator(f"#review input[name=reviewers][value='{reviewer.pk}']").check()
    mine.fill("#id_ask_note", "https://tickets.example/7")
    mine.locator(".ask-review button[type=submit]").click()
    mine.locator("form[action$='/review/withdraw/']").wait_for()
    assert mine.locator(".answer").count() == 0, "an author answers nothing"

    # The reviewer finds it, asks for a change.
    theirs.goto("/experiments/-/reviews/")
    theirs.locator("#waiting a").first.click()
    theirs.locator(".answer").wait_for()
    theirs.fill("#id_answer", "No guardrail.")
    theirs.locator(".answer button[value=changes]").click()
    theirs.locator("#review .tag.bad").first.wait_for()


@pytest.mark.parametrize("language", first_in_ci(["en", "ko"]))
def test_review__from_author_to_reviewer_to_start(
    open_page: Callable[..., Any], transactional_db: None, language: str
) -> None:
    author, reviewer = somebody("ann"), somebody("ben")
    ReviewItem.objects.create(text="Legal has seen it", text_ko="법무팀 확인", required=True)
    row = draft("guild", by=author, name="Guild invite", nudge="A banner.")
    mine = open_page(language, author)
    theirs = open_page(language, reviewer)
    for page in (mine, theirs):
        page.set_default_timeout(60_000)

    ask_and_hear_of_a_change(mine, theirs, reviewer)

    # The author changes the plan, ticks the team's own check and asks again.
    drafts.update_draft(
        key=row.key,
        by=author,
        guardrail_metrics=[CRASHES],
        guardrail_rules={CRASHES: {"direction": "lower", "margin": 0.01}},
    )
    mine.goto("/experiments/guild/plan/review/")
    own = mine.locator(".checks li").filter(has_text="법무팀 확인" if language == "ko" else "Legal has seen it")
    own.locator("summary").click()
    own.locator("textarea").fill("Kim")
    own.locator("button[type=submit]").first.click()
    mine.locator(".ask-review button[type=submit]").click()
    mine.locator("form[action$='/review/withdraw/']").wait_for()

    # Approved, changed, void; approved again, started.
    theirs.goto("/experiments/guild/plan/")
    theirs.locator(".answer button[value=approved]").click()
    theirs.locator("#review .tag.good").first.wait_for()
    drafts.update_draft(key=row.key, by=author, nudge="A louder banner.")
    mine.goto("/experiments/guild/plan/review/")
    if language == "en":
        assert "changed after its approval" in mine.locator("#start").inner_text()
    assert mine.locator("#start button[type=submit]").is_disabled()
    mine.locator(".ask-review button[type=submit]").click()
    mine.locator("form[action$='/review/withdraw/']").wait_for()
    theirs.goto("/experiments/guild/plan/")
    theirs.locator(".answer button[value=approved]").click()
    theirs.locator("#review .tag.good").first.wait_for()
    mine.goto("/experiments/guild/plan/review/")
    mine.locator("#start button[type=submit]").click()
    mine.locator("input[name=sure]").check()  # nobody knows how many users come
    mine.locator("#start button[type=submit]").click()
    mine.wait_for_url("**/experiments/guild/")

    assert Experiment.objects.get().status == "running"
    assert list(ReviewAnswer.objects.values_list("kind", "by__username")) == [
        ("changes", "ben"),
        ("approved", "ben"),
        ("approved", "ben"),
    ]
    mine.goto("/experiments/guild/history/")
    assert mine.locator("#reviewed li").count() == 6


@pytest.mark.parametrize("language", first_in_ci(["ko", "en"]))
def test_template__from_a_plan_to_a_template_to_a_plan(
    open_page: Callable[..., Any], transactional_db: None, language: str
) -> None:
    author = somebody("ann")
    draft("source", by=author, name="Spring banner", alpha=0.1, nudge="A banner.")
    page = open_page(language, author)
    page.set_default_timeout(60_000)

    page.goto("/experiments/source/")
    page.locator(".doings summary").click()
    page.locator(".doings a[href$='/template/']").click()
    page.fill("#id_name", "Banner in the lobby")
    page.fill("#id_name_ko", "로비 배너")
    page.fill("#id_description", "For the lobby.")
    page.locator("input[name=fixed][value=alpha]").check()
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url("**/experiments/-/templates/banner-in-the-lobby/")

    page.goto("/experiments/-/new/")
    shown = page.locator(".from-template a").filter(has_text="로비 배너" if language == "ko" else "Banner in the lobby")
    shown.click()
    page.wait_for_url("**template=banner-in-the-lobby")
    page.fill("#id_name", "Summer banner")
    page.locator(".plan-actions button[name=go]").click()
    page.wait_for_url("**/plan/**")

    row = Experiment.objects.get(name="Summer banner")
    assert (row.alpha, row.planned_end, TemplateUse.objects.get().version) == (0.1, None, 1)
    page.goto(f"/experiments/{row.key}/plan/")
    page.locator("#template").wait_for()
    page.locator("#template form button").click()
    page.locator("#template").wait_for()
    assert page.locator("#template form").count() == 0
    drafts.update_draft(key=row.key, by=author, alpha=0.05, planned_end=timezone.localdate() + timedelta(days=30))
    page.goto(f"/experiments/{row.key}/plan/")
    assert page.locator("#template tbody tr").count() == 1


@pytest.mark.parametrize("width", first_in_ci([360, 1440]))
def test_pages__at_any_width__do_not_overflow(
    open_page: Callable[..., Any], transactional_db: None, width: int
) -> None:
    author, _ = somebody("ann"), somebody("ben")
    row = draft("guild", by=author, name="Guild invite")
    ReviewItem.objects.create(text="Legal has seen it", required=True)
    save_as_template(experiment=row, key="banner", name="Banner in the lobby", fixed=["alpha"])
    assert PlanTemplate.objects.count() == 1
    page = open_page("ko", author)
    page.set_viewport_size({"width": width, "height": 844})

    for path in ("-/reviews/", "-/templates/", "-/templates/banner/", "-/new/?template=banner", "guild/plan/"):
        page.goto(f"/experiments/{path}")
        assert overflow(page) == 0, path
    page.goto("/experiments/guild/template/")
    assert overflow(page) == 0
