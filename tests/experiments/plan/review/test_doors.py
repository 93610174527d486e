"""The review on pages and over REST: who sees and may do what, keys that act for their makers, the log."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from events.models import Source
from experiments.models import Experiment, PlanComment, ReviewAnswer, ReviewItem, ReviewPolicy, ReviewRequest
from experiments.plan import drafts, moves
from experiments.plan.lifecycle import Action
from insight_site.access.keys import issue_key
from insight_site.models import AuditEntry
from tests.experiments.api.make import PLAN
from tests.experiments.make import draft
from tests.experiments.plan.review.people import approved, asked, logged_in, somebody, two

pytestmark = pytest.mark.django_db
ROOT = "/api/v1/experiments"


class Key:
    """Calls with a key that somebody made."""

    def __init__(self, maker: User | None) -> None:
        source, _ = Source.objects.get_or_create(name="app")
        scopes = ("admin:*", "reports:read")
        self.key = issue_key(name="ci", source=source, kind="admin", scopes=scopes, created_by=maker)[1]

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        return Client().generic(
            method,
            path,
            json.dumps(body or {}),
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.key}"},
        )


def text(client: Client, path: str, language: str = "en") -> str:
    answer = client.get(path, headers={"accept-language": language})
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.content.decode()


# ── Pages ─────────────────────────────────────────────────────────────────────
@pytest.mark.slow
def test_panel__of_each_reader__offers_what_they_may() -> None:
    author, reviewer = two()
    asked(author)
    reader, admin = somebody("reader", "Analyst"), somebody("root", "Admin")
    seen = {one.username: text(logged_in(one), "/experiments/exp/plan/") for one in (author, reviewer, reader, admin)}

    answers = {name: "review/answer/" in page for name, page in seen.items()}
    assert answers == {"ann": False, "ben": True, "reader": False, "root": True}
    assert {name: "review/withdraw/" in page for name, page in seen.items()} == {
        "ann": True,
        "ben": False,
        "reader": False,
        "root": False,
    }
    assert all("The plan waits for its review." in page for page in seen.values())
    steps = {one.username: text(logged_in(one), "/experiments/exp/plan/review/") for one in (author, admin)}
    assert {name: 'name="without_review"' in page for name, page in steps.items()} == {"ann": False, "root": True}
    assert all("disabled" in page.split('id="start"')[1] for page in steps.values())


@pytest.mark.slow
def test_pages__ask_answer_start__lead_from_a_draft_to_a_running_experiment() -> None:
    author, reviewer = two()
    draft(by=author)
    mine, theirs = logged_in(author), logged_in(reviewer)

    mine.post("/experiments/exp/review/ask/", {"reviewers": [str(reviewer.pk)], "note": "Please."})
    page = text(theirs, "/experiments/-/reviews/")
    assert "you can answer" in page
    assert "you can answer" not in text(mine, "/experiments/-/reviews/")
    seen = text(theirs, "/experiments/exp/plan/").split('name="seen" value="')[1][:64]
    theirs.post("/experiments/exp/review/tick/", {"code": "links", "note": "https://x.example"})
    theirs.post("/experiments/exp/review/answer/", {"kind": "approved", "text": "Good.", "seen": seen})
    assert "The plan is approved as it stands." in text(mine, "/experiments/exp/plan/")
    mine.post("/experiments/exp/plan/review/", {"sure": "1", "why": ""})

    assert Experiment.objects.get().status == "running"
    history = text(mine, "/experiments/exp/history/")
    assert "asked for a review" in history
    assert "approved the plan" in history


@pytest.mark.slow
def test_page__of_a_void_approval__says_so_plainly_in_both_languages() -> None:
    author, reviewer = two()
    approved(author, reviewer)
    drafts.update_draft(key="exp", by=author, alpha=0.1)

    for path in ("plan/", "plan/review/", "", "do/start/"):
        assert "changed after its approval" in text(logged_in(author), f"/experiments/exp/{path}"), path
        text(logged_in(author), f"/experiments/exp/{path}", "ko")


def test_answer__by_post_of_an_author_or_a_reader__changes_nothing() -> None:
    author, _ = two()
    asked(author)
    reader = logged_in(somebody("reader", "Analyst"))
    given = {"kind": "approved", "seen": "x" * 64}

    assert logged_in(author).post("/experiments/exp/review/answer/", given, follow=True).status_code == 200
    for verb in ("ask", "withdraw", "answer", "tick", "untick"):
        assert reader.post(f"/experiments/exp/review/{verb}/", given).status_code == 403
    assert reader.post("/experiments/exp/review/other/", given).status_code == 404
    assert not ReviewAnswer.objects.exists()


def test_emergency__on_the_page__stands_on_every_tab_and_in_the_log() -> None:
    author, _ = two()
    draft(by=author)
    admin = logged_in(somebody("root", "Admin"))

    admin.post("/experiments/exp/plan/review/", {"without_review": "1", "sure": "1", "why": "The shop is <down>."})

    assert Experiment.objects.get().status == "running"
    for tab in ("", "health/", "plan/", "setup/", "history/"):
        page = text(admin, f"/experiments/exp/{tab}")
        assert "Started without a review." in page, tab
        assert "The shop is &lt;down&gt;." in page, tab
    entry = AuditEntry.objects.get(object_type="experiments.ReviewAnswer", action="created")
    assert (entry.actor, entry.after["kind"], entry.after["text"]) == ("root", "skipped", "The shop is <down>.")


def test_rule__is_changed_by_an_admin_alone_and_recorded() -> None:
    pm, admin = logged_in(somebody("ann")), logged_in(somebody("root", "Admin"))
    assert pm.post("/experiments/-/reviews/rule/", {"mode": "never"}).status_code == 403
    assert 'name="mode"' not in text(pm, "/experiments/-/reviews/")

    admin.post("/experiments/-/reviews/rule/", {"mode": "never"})
    admin.post("/experiments/-/reviews/rule/", {"mode": "nonsense"})

    assert ReviewPolicy.current().mode == "never"
    assert AuditEntry.objects.get(object_type="experiments.ReviewPolicy").after["mode"] == "never"


# ── REST ──────────────────────────────────────────────────────────────────────
@pytest.mark.slow
def test_rest__a_plan_written_with_a_key__has_its_maker_as_author() -> None:
    author, reviewer = two()
    key = Key(author)
    assert key("POST", ROOT, PLAN).status_code == 201
    assert key("POST", f"{ROOT}/guild/review/requests", {}).status_code == 201
    found = key("GET", f"{ROOT}/guild/review").json()
    assert (found["needed"], found["code"], found["authors"]) == (True, "asked", ["ann"])

    for refused in (key, Key(author), Key(None)):
        assert refused("POST", f"{ROOT}/guild/review/answers", {"kind": "approved"}).status_code == 409
    in_person = logged_in(author).post(
        f"{ROOT}/guild/review/answers", {"kind": "approved"}, content_type="application/json"
    )
    assert in_person.status_code == 409
    assert key("POST", f"{ROOT}/guild/start", {}).status_code == 409

    answer = Key(reviewer)("POST", f"{ROOT}/guild/review/answers", {"kind": "approved"})
    assert (answer.status_code, answer.json()["code"]) == (201, "approved")
    assert ReviewAnswer.objects.get().by == reviewer
    assert key("POST", f"{ROOT}/guild/start", {}).status_code == 200


def test_rest__a_draft_changed_with_the_reviewers_key__isnt_theirs_to_approve() -> None:
    author, reviewer = two()
    asked(author)
    Key(reviewer)("PATCH", f"{ROOT}/exp", {"alpha": 0.1})

    answer = logged_in(reviewer).post(
        f"{ROOT}/exp/review/answers", {"kind": "approved"}, content_type="application/json"
    )

    assert (answer.status_code, "somebody else has to approve it" in answer.json()["detail"]) == (409, True)


def test_rest__emergency__is_for_people_not_for_keys() -> None:
    author, _ = two()
    draft(by=author)
    admin = somebody("root", "Admin")
    body = {"without_review": True, "why": "Now."}

    assert Key(admin)("POST", f"{ROOT}/exp/start", body).status_code == 409
    assert logged_in(admin).post(f"{ROOT}/exp/start", body, content_type="application/json").status_code == 200
    assert ReviewAnswer.objects.get().text == "Now."


def test_rest__policy__by_a_pms_key__is_refused() -> None:
    author, _ = two()
    admin = somebody("root", "Admin")

    assert Key(author)("PATCH", "/api/v1/review-policy", {"mode": "never"}).status_code == 403
    assert Key(None)("PATCH", "/api/v1/review-policy", {"mode": "never"}).status_code == 403
    found = Key(admin)("PATCH", "/api/v1/review-policy", {"mode": "never"})
    assert (found.status_code, found.json()) == (200, {"mode": "never", "required": False})
    assert Key(None)("GET", "/api/v1/review-policy").json()["mode"] == "never"


@pytest.mark.slow
def test_rest__comments_ticks_items_and_withdrawal() -> None:
    author, reviewer = two()
    asked(author)
    key = Key(reviewer)
    made = key("POST", f"{ROOT}/exp/comments", {"section": "size", "text": "Why?"}).json()
    assert (made["by"], PlanComment.objects.get().text) == ("ben", "Why?")
    settled = key("PATCH", f"{ROOT}/exp/comments/{made['id']}", {"is_open": False}).json()
    assert settled["resolved_by"] == "ben"
    assert [one["id"] for one in key("GET", f"{ROOT}/exp/comments").json()["results"]] == [made["id"]]

    item = key("POST", "/api/v1/review-items", {"text": "Legal", "required": True}).json()
    assert key("PATCH", f"/api/v1/review-items/{item['id']}", {"text_ko": "법무"}).json()["text_ko"] == "법무"
    found = key("POST", f"{ROOT}/exp/review/ticks", {"code": f"item:{item['id']}", "note": "Kim"}).json()
    own = next(one for one in found["checks"] if one["label"])
    assert (own["state"], own["ticked_by"], own["note"], own["required"]) == ("ok", "ben", "Kim", True)
    assert ReviewItem.objects.count() == 1

    stale = key("POST", f"{ROOT}/exp/review/answers", {"kind": "approved", "fingerprint": "0" * 64})
    assert stale.status_code == 409
    assert key("PATCH", f"{ROOT}/exp/review/requests").json()["requests"][0]["state"] == "withdrawn"
    assert not ReviewRequest.objects.filter(state="open").exists()


def test_started__experiment__shows_what_was_approved() -> None:
    author, reviewer = two()
    approved(author, reviewer)
    moves.move(key="exp", action=Action.START, by=author)

    found = Key(None)("GET", f"{ROOT}/exp/review").json()

    assert (found["needed"], found["code"], found["checks"]) == (False, "approved", [])
    assert [one["by"] for one in found["answers"]] == ["ben"]
    assert "approved the plan" in text(logged_in(author), "/experiments/exp/plan/")
