"""Pages of AHA discovery: who may see and do what, in both languages, and refusals as sentences."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.test import Client

from aha.models import AhaMoment, KeptReach, Study
from aha.moments import promote, reach
from aha.moments.claims import ExperimentFinding, ReachWeek, WeeklyReach
from aha.study.numbers import Interval
from aha.tasks import count_reach
from reporting.document import dump
from runs.models import Job
from runs.refusals import Refused
from stats.results import NotComputable, Reason
from tests.aha.make_report import INPUTS, report, result
from tests.aha.report.test_page import later_report

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    cache.clear()


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(User.objects.create_user("ann"))
    return client


@pytest.fixture
def editor(client: Client) -> Client:
    person = User.objects.create_user("pm")
    person.user_permissions.set(Permission.objects.filter(codename__in=("add_study", "add_ahamoment")))
    client.force_login(person)
    return client


def study(**more: Any) -> Study:
    values: dict[str, Any] = {
        "title": "First",
        "status": "done",
        "inputs": dump(INPUTS),
        **result(),
        "as_of": datetime(2026, 3, 1, tzinfo=UTC),
    }
    return Study.objects.create(**{**values, **more})


def moment(**more: Any) -> AhaMoment:
    return promote.promote_candidate(study=study(), behaviour="friend_add", times=2, days=3, **more)


def weekly(*_args: object, **_more: object) -> WeeklyReach:
    missing = NotComputable(Reason.NO_DATA)
    return WeeklyReach(
        (
            ReachWeek(date(2026, 1, 5), 500, 500, 200, Interval(0.4, 0.36, 0.44), complete=True),
            ReachWeek(date(2026, 1, 12), 500, 400, 180, Interval(0.45, 0.4, 0.5), complete=True),
            ReachWeek(date(2026, 1, 19), 90, 40, 36, Interval(0.9, 0.8, 0.95), complete=False),
            ReachWeek(date(2026, 1, 26), 90, 0, 0, missing, complete=False),
        ),
        "2026-01-20T00:00:00",
    )


def page(client: Client, path: str, language: str = "en", **more: Any) -> str:
    answer = client.get(path, headers={"accept-language": language}, **more)
    assert answer.status_code == 200, path
    return answer.content.decode().replace("\u00a0", " ")


def test_buttons__without_permission__are_not_shown(viewer: Client) -> None:
    row = study()

    assert "New study" not in page(viewer, "/aha/studies/")
    assert "/promote/" not in page(viewer, f"/aha/studies/{row.pk}/candidates/1/")
    assert "Promote</button>" not in page(viewer, f"/aha/studies/{row.pk}/")
    assert "Write one by hand" not in page(viewer, "/aha/moments/")


# ── Studies ───────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("language", "nothing", "found"),
    [
        ("en", "No study yet.", "One behaviour is worth an experiment."),
        ("ko", "아직 탐색이 없습니다.", "실험할 만한 행동이 하나 있습니다."),
    ],
)
def test_studies__empty_then_one__in_both_languages(viewer: Client, language: str, nothing: str, found: str) -> None:
    assert nothing in page(viewer, "/aha/studies/", language)

    study()

    assert found in page(viewer, "/aha/studies/", language)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "These are correlations. Only an experiment can show whether a behaviour is the cause."),
        ("ko", "상관관계입니다. 행동이 원인인지는 실험으로만 알 수 있습니다."),
    ],
)
def test_study__done__first_the_claim_then_numbers_and_pictures(viewer: Client, language: str, said: str) -> None:
    row = study()

    text = page(viewer, f"/aha/studies/{row.pk}/", language)
    method = page(viewer, f"/aha/studies/{row.pk}/?tab=method", language)

    assert text.count(said) == 1
    assert text.index("<strong>58%</strong>") < text.index("21%")
    assert "1,050" in method
    assert f"/pictures/aha.Study/{row.pk}/{language}/curve.figure" in text
    assert ("40.0% (37.0 to 43.1)" if language == "en" else "40.0% (37.0~43.1)") in text
    assert "negative control" in method or "음성 대조" in method
    assert f"/aha/studies/{row.pk}/candidates/1/" in text


def test_study__nothing_found__says_why(viewer: Client) -> None:
    small = NotComputable(Reason.STUDY_TOO_SMALL)
    row = study(payload=dump(report(floor=small, model=small, luck=small, active=small, candidates=(), judged=())))

    text = page(viewer, f"/aha/studies/{row.pk}/")

    assert "A study needs at least 200 eligible users" in text
    assert "ranking.figure" not in text


def test_study__behaviours_came_later__a_button_asks_the_users_since(editor: Client) -> None:
    made = later_report("2026-01-12")
    row = study(**result(made))

    text = page(editor, f"/aha/studies/{row.pk}/")
    lists = [page(editor, address) for address in ("/aha/studies/", "/")]

    assert f'href="/aha/studies/new/?again={row.pk}&amp;first_date=2026-01-12"' in text
    assert "Run again with signups from Jan 12, 2026" in text
    for shown in (text, *lists):
        assert "One behaviour beats luck but can&#x27;t be ranked" in shown
        assert "better than luck does" not in shown
    form = page(editor, f"/aha/studies/new/?again={row.pk}&first_date=2026-01-12")
    assert 'name="first_date" value="2026-01-12"' in form


@pytest.mark.parametrize(
    ("status", "said"), [("queued", "queued"), ("failed", "It broke."), ("cancelled", "cancelled")]
)
def test_study__not_done__shows_how_far_or_why(viewer: Client, status: str, said: str) -> None:
    row = study(status=status, payload=None, reason="It broke." if status == "failed" else "")

    text = page(viewer, f"/aha/studies/{row.pk}/")

    assert said in text
    assert ('hx-trigger="every 1s"' in text) is (status == "queued")


def test_progress__htmx__fragment_and_refresh_when_it_ended(viewer: Client) -> None:
    row = study(status="running", payload=None, stage="steps", share=0.5)
    path = f"/aha/studies/{row.pk}/progress/"

    running = viewer.get(path, headers={"HX-Request": "true"})
    Study.objects.filter(pk=row.pk).update(status="done")
    ended = viewer.get(path, headers={"HX-Request": "true"})

    assert "searching for jumps" in running.content.decode()
    assert "HX-Refresh" not in running.headers
    assert ended.headers["HX-Refresh"] == "true"
    assert "HX-Request" in ended.headers["Vary"]
    assert viewer.get(path).status_code == 302


def test_cancel__waiting_then_ended__is_cancelled_then_refused(editor: Client) -> None:
    row = study(status="queued", payload=None)

    editor.post(f"/aha/studies/{row.pk}/cancel/")
    again = editor.post(f"/aha/studies/{row.pk}/cancel/", follow=True)

    row.refresh_from_db()
    assert row.status == "cancelled"
    assert "nothing to cancel" in again.content.decode()


# ── Candidates ────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("language", "said"), [("en", "Adjustment helps to rank candidates"), ("ko", "보정 결과는 우선순위를 정하는 데만")]
)
def test_candidate__all_its_evidence(viewer: Client, language: str, said: str) -> None:
    row = study()

    answer, evidence, method = (
        page(viewer, f"/aha/studies/{row.pk}/candidates/1/{tab}", language)
        for tab in ("", "?tab=evidence", "?tab=method")
    )

    assert 'id="venn"' in answer
    assert "c1-" not in answer
    assert said in evidence
    assert all(f"c1-{slug}.figure" in evidence for slug in ("ladder", "weeks", "segments"))
    assert all(f"c1-{slug}.figure" in method for slug in ("stack", "heat", "pareto", "dose"))


@pytest.mark.parametrize(("status", "place"), [("done", 0), ("done", 2), ("running", 1)])
def test_candidate__unknown_place_or_study_not_done__is_not_found(viewer: Client, status: str, place: int) -> None:
    row = study(status=status)

    assert viewer.get(f"/aha/studies/{row.pk}/candidates/{place}/").status_code == 404


def test_promote__once_and_again__freezes_then_refuses(editor: Client) -> None:
    path = f"/aha/studies/{study().pk}/candidates/1/promote/"

    first = editor.post(path, {"name": "Two friends"})
    again = editor.post(path, {"name": ""})

    made = AhaMoment.objects.get()
    assert first.headers["Location"] == f"/aha/moments/{made.key}/"
    assert (made.name, made.created_by and made.created_by.username) == ("Two friends", "pm")
    assert promote.is_intact(made)
    assert "This candidate is an AHA moment already." in str(again.context["form"].errors)


def test_venn__htmx_and_plain__fragment_and_page(viewer: Client) -> None:
    path = f"/aha/studies/{study().pk}/venn/?behaviour=friend_add&days=3&times=1"

    fragment = viewer.get(path, headers={"HX-Request": "true"})
    whole = viewer.get(path)

    assert fragment.content.decode().lstrip().startswith('<div id="venn">')
    assert "<header" in whole.content.decode()
    assert "HX-Request" in whole.headers["Vary"]
    assert "at least once within 3 days: 43" in fragment.content.decode()


def test_venn__korean_after_english__is_not_the_cached_one(viewer: Client) -> None:
    path = f"/aha/studies/{study().pk}/venn/?behaviour=friend_add&days=3&times=1"

    assert "at least once" in page(viewer, path)
    assert "3일 이내 friend_add 1회 이상" in page(viewer, path, "ko")


@pytest.mark.slow
@pytest.mark.parametrize(
    "query",
    ["", "behaviour=friend_add&days=9&times=1", "behaviour=x&days=3&times=1", "behaviour=friend_add&days=x&times=1"],
)
def test_venn__nonsense__is_not_found(viewer: Client, query: str) -> None:
    assert viewer.get(f"/aha/studies/{study().pk}/venn/?{query}").status_code == 404


# ── AHA moments ───────────────────────────────────────────────────────────────
def test_moments__with_and_without_evidence__one_line_each(viewer: Client) -> None:
    moment()
    by_hand = promote.create_moment(
        name="Guild", behaviour="chat", times=1, days=7, signup_event="signup", retention="window:14-20"
    )
    promote.record_verdict(moment=by_hand, code="HARMS", finding=ExperimentFinding())

    text = page(viewer, "/aha/moments/")

    assert "Retained: 58% against 21% (training part); adjusted difference: +8.0 points." in text
    assert "An experiment found that it harms retention." in text
    assert "Nobody has measured it yet." in text


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "In the last complete week 45.0% of the new users did it, in the week before 40.0%."),
        ("ko", "신규 사용자의 45.0%가 도달"),
    ],
)
def test_moment__evidence_and_weekly_reach(
    viewer: Client, monkeypatch: pytest.MonkeyPatch, language: str, said: str
) -> None:
    monkeypatch.setattr(reach, "weekly_reach", weekly)
    row = moment()
    count_reach(row.pk)

    text = page(viewer, f"/aha/moments/{row.key}/", language)

    assert said in text
    assert "<svg" in text
    assert ("45.0% (40.0 to 50.0)" if language == "en" else "45.0% (40.0") in text
    text = page(viewer, f"/aha/moments/{row.key}/?tab=method", language)
    assert ("+8.0 (+5.0 to +11.0)" if language == "en" else "+8.0 (+5.0") in text


def test_moment__reach_not_counted_yet__is_asked_for_once_and_followed(viewer: Client) -> None:
    row = moment()
    KeptReach.objects.all().delete()
    Job.objects.all().delete()

    text = page(viewer, f"/aha/moments/{row.key}/")
    part = page(viewer, f"/aha/moments/{row.key}/reach/")

    assert [job.arguments for job in Job.objects.filter(task=reach.TASK)] == [[row.pk]]
    assert "is being counted" in text
    assert f'hx-get="/aha/moments/{row.key}/reach/"' in part


def test_moment__counted__asks_no_warehouse_and_no_more_than_a_few_rows(
    viewer: Client, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    monkeypatch.setattr(reach, "weekly_reach", weekly)
    row = moment()
    count_reach(row.pk)
    monkeypatch.setattr(reach, "weekly_reach", lambda *_: pytest.fail("a page must not ask the warehouse"))

    with django_assert_max_num_queries(14):
        page(viewer, f"/aha/moments/{row.key}/")


def test_moment__changed_evidence__is_said(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "weekly_reach", weekly)
    row = moment()
    AhaMoment.objects.filter(pk=row.pk).update(evidence={**row.evidence, "pick_share": 0.99})

    assert "somebody changed it" in page(viewer, f"/aha/moments/{row.key}/")


def test_moment__no_events_yet__shows_the_sentence(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> WeeklyReach:
        raise Refused("There are no events yet.")

    monkeypatch.setattr(reach, "weekly_reach", refuse)
    row = moment()
    count_reach(row.pk)

    assert "There are no events yet." in page(viewer, f"/aha/moments/{row.key}/")
