"""Pages of experiments: who may see and do what, what stands above what, and refusals as sentences."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.test import Client

from experiments.models import Analysis, Experiment
from tests.experiments.make import draft
from tests.experiments.make_readout import RUNNING, broken, make_readout, make_result, started, stored

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    cache.clear()
    monkeypatch.setattr("experiments.analyse.analyses.enqueue", lambda run: run)
    yield
    cache.clear()


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(User.objects.create_user("ann"))
    return client


@pytest.fixture
def analyst(client: Client) -> Client:
    person = User.objects.create_user("pm")
    person.user_permissions.set(Permission.objects.filter(codename="add_analysis"))
    client.force_login(person)
    return client


def page(client: Client, path: str = "", language: str = "en", **more: Any) -> str:
    answer = client.get(f"/experiments/{path}", headers={"accept-language": language, **more})
    assert answer.status_code == 200, path
    return answer.content.decode().replace("\u00a0", " ")


# ── Who may ───────────────────────────────────────────────────────────────────
def test_buttons__without_permission__are_not_shown(viewer: Client) -> None:
    stored(readout=make_result(**RUNNING))

    assert "Analyse now" not in page(viewer, "exp/")


def test_analysis__of_another_experiment__is_unknown(viewer: Client) -> None:
    row = stored("one")
    started("two")

    assert viewer.get(f"/experiments/two/{row.pk}/").status_code == 404


# ── Report ────────────────────────────────────────────────────────────────────
def test_report__of_a_final_gain__has_the_verdict_before_everything(viewer: Client) -> None:
    stored()

    first, text = page(viewer, "exp/"), page(viewer, "exp/results/numbers/")

    assert first.index("Ship it.") < first.index("Is “3 friends” the cause?") < first.index("Weak spot")
    assert "Predicted by correlation" not in first
    assert 'role="alert"' not in first
    assert text.index("because of the nudge</strong>") < text.index("<s>As treated</s>")
    assert "CAUSES" not in text.replace("insight-analysis", "")
    assert "<s>As treated</s>" in text
    assert "<s>Per protocol</s>" in text
    assert "<strong>Effect of the behaviour on users who did it because of the nudge</strong>" in text
    assert "All analyses" in page(viewer, "exp/history/")


@pytest.mark.slow
def test_report__of_a_peek__says_so_before_the_verdict(viewer: Client) -> None:
    stored(readout=make_readout(peek=True, **RUNNING))

    text = page(viewer, "exp/")

    assert text.index("Opened early: a person read") < text.index('<h2 class="say"')
    assert "<em>Wait until" in text
    assert "Ship it." not in text


@pytest.mark.slow
def test_report__of_broken_data__says_so_before_the_verdict(viewer: Client) -> None:
    stored(readout=broken())

    text = page(viewer, "exp/")

    assert text.index("These data are broken.") < text.index('<h2 class="say"')
    assert "control</span>" not in text  # no level, no difference


def test_report__while_locked__shows_no_number_of_the_outcome(analyst: Client) -> None:
    stored(readout=make_result(**RUNNING))

    text = page(analyst, "exp/")

    assert "No verdict yet" in text
    assert "Results unlock when enrolment ends and outcomes are final" in text
    assert "Take-up so far" in text
    assert "Take-up: the first stage" in text
    assert "As treated" not in text
    assert "Analyse now" in text
    assert "Open before the day of the result" in text


def test_report__without_an_analysis__says_when_one_comes(viewer: Client) -> None:
    started()
    draft("later")

    text = page(viewer, "exp/")
    assert "Result on" in text
    assert "It helps." in text  # the hypothesis: never an empty card
    assert "Exposed so far" in text
    later = page(viewer, "later/")
    assert "The plan is complete: it can be started." in later
    assert "It helps." in later


def test_report__after_a_failure__keeps_the_last_good_one_below_the_reason(viewer: Client) -> None:
    good = stored()
    Analysis.objects.create(experiment=good.experiment, status="failed", reason="The store is away.")

    text = page(viewer, "exp/")

    assert text.index("The store is away.") < text.index("a failed analysis never takes its place")
    assert text.index("a failed analysis never takes its place") < text.index("The behaviour causes a gain")


def test_report__while_a_new_one_runs__keeps_the_last_good_one_with_its_date(analyst: Client) -> None:
    good = stored(readout=make_result(**RUNNING))
    run = Analysis.objects.create(experiment=good.experiment, status="running", stage="outcomes", share=0.4)

    text = page(analyst, "exp/")

    assert "Below stands the last good report (Apr 1, 2026" in text
    assert f'hx-get="/experiments/exp/{run.pk}/progress/"' in text
    assert "measuring outcomes" in text
    assert "Analyse now" not in text


def test_older_analysis__says_that_it_is_one(viewer: Client) -> None:
    old, new = stored(readout=make_result(**RUNNING)), stored()

    assert "This is an older analysis." in page(viewer, f"exp/{old.pk}/")
    assert "This is an older analysis." not in page(viewer, f"exp/{new.pk}/")
    assert "No verdict yet" in page(viewer, f"exp/{old.pk}/")


def test_failed_analysis__by_its_own_address__shows_its_reason(viewer: Client) -> None:
    row = Analysis.objects.create(experiment=started(), status="failed", reason="The store is away.")

    assert "The store is away." in page(viewer, f"exp/{row.pk}/")


# ── Asking ────────────────────────────────────────────────────────────────────
def test_analyse__of_a_running_experiment__keeps_a_waiting_row(analyst: Client) -> None:
    started()

    answer = analyst.post("/experiments/exp/analyse/")

    row = Analysis.objects.get()
    assert answer.headers["Location"] == "/experiments/exp/"
    assert (row.status, row.peek, str(row.created_by)) == ("queued", False, "pm")


def test_analyse__when_one_waits_already__is_refused_in_words(analyst: Client) -> None:
    started()
    analyst.post("/experiments/exp/analyse/")

    answer = analyst.post("/experiments/exp/analyse/", follow=True)

    assert "An analysis is waiting or running already." in answer.content.decode()
    assert Analysis.objects.count() == 1


def test_peek__by_get__says_its_cost_and_asks_nothing_yet(analyst: Client) -> None:
    started()

    text = page(analyst, "exp/peek/")

    assert "This plan pays for one analysis, at its end." in text
    assert "Open it anyway" in text
    assert not Analysis.objects.exists()


def test_peek__after_a_yes__is_kept_with_the_analysis(analyst: Client) -> None:
    started()

    analyst.post("/experiments/exp/peek/")

    assert Analysis.objects.get().peek


def test_peek__at_a_plan_with_looks__is_not_offered(analyst: Client) -> None:
    started(method="always_valid")

    assert "Open it anyway" not in page(analyst, "exp/peek/")
    assert "Open before the day of the result" not in page(analyst, "exp/")
    analyst.post("/experiments/exp/peek/")
    assert not Analysis.objects.exists()


def test_final__leaves_nothing_to_ask(analyst: Client) -> None:
    stored()

    assert "Analyse now" not in page(analyst, "exp/")
    assert "Open it anyway" not in page(analyst, "exp/peek/")


def test_progress__of_an_ended_analysis__asks_the_page_to_come_anew(viewer: Client) -> None:
    row = stored()
    htmx = {"HX-Request": "true"}

    answer = viewer.get(f"/experiments/exp/{row.pk}/progress/", headers=htmx)

    assert answer.headers["HX-Refresh"] == "true"
    assert "HX-Request" in answer.headers["Vary"]
    assert viewer.get(f"/experiments/exp/{row.pk}/progress/").status_code == 302


def test_cancel__of_a_waiting_analysis__ends_it(analyst: Client) -> None:
    row = Analysis.objects.create(experiment=started(), status="queued")

    analyst.post(f"/experiments/exp/{row.pk}/cancel/")

    row.refresh_from_db()
    assert row.status == "cancelled"


# ── List ──────────────────────────────────────────────────────────────────────
def test_list__empty__says_what_to_do(viewer: Client) -> None:
    assert "No experiment yet." in page(viewer)


def test_list__shows_verdict_and_progress_of_the_latest_good_analysis(viewer: Client) -> None:
    good = stored("won")
    Analysis.objects.create(experiment=good.experiment, status="failed", reason="x")
    stored("open", make_result(**RUNNING))
    started("new")

    text = page(viewer)

    assert "▲ The behaviour causes a gain" in text
    assert "No verdict yet" in text
    assert "not analysed yet" in text
    assert "of 1,000 planned users exposed (100%)" in text


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("verdict=CAUSES", {"won"}),
        ("verdict=PENDING", {"open"}),
        ("verdict=NONE", {"new", "later"}),
        ("state=draft", {"later"}),
        ("q=OPE", {"open"}),
        ("verdict=nonsense&state=nonsense", {"won", "open", "new", "later"}),
        ("q=nothing-like-it", set()),
    ],
)
def test_list__by_state_verdict_and_text__shows_what_fits(viewer: Client, query: str, names: set[str]) -> None:
    stored("won")
    stored("open", make_result(**RUNNING))
    started("new")
    draft("later")

    text = page(viewer, f"?{query}")

    assert {key for key in ("won", "open", "new", "later") if f'href="/experiments/{key}/"' in text} == names
    assert ("Nothing matches." in text) == (not names)


def test_list__archived__is_left_out(viewer: Client) -> None:
    draft("gone")
    Experiment.objects.update(status="archived")

    assert "/experiments/gone/" not in page(viewer)


def test_list__for_htmx__is_the_rows_alone(viewer: Client) -> None:
    started()

    answer = viewer.get("/experiments/", headers={"HX-Request": "true"})

    assert b"<html" not in answer.content
    assert "HX-Request" in answer.headers["Vary"]


# ── Calibration ───────────────────────────────────────────────────────────────
def test_calibration__without_experiments__says_so(viewer: Client) -> None:
    assert "No experiment has tested an AHA moment yet." in page(viewer, "-/calibration/")


@pytest.mark.slow
def test_calibration__of_one_experiment__has_a_row_and_no_ratio(viewer: Client) -> None:
    stored(moment=True)

    text = page(viewer, "-/calibration/")

    assert "Too few experiments have tested a prediction to pool them." in text
    assert "+40.0" in text


@pytest.mark.slow
def test_calibration__of_several__pools_those_that_count(viewer: Client) -> None:
    for key in ("one", "two"):
        stored(key, make_readout(key=key), moment=True)
    stored("three", make_readout(key="three", peek=True, **RUNNING), moment=True)
    stored("four", make_result(key="four", **RUNNING), moment=True)
    stored("five", broken(), moment=True)

    text = page(viewer, "-/calibration/")

    assert "2 experiments)." in text
    assert "it was opened before its end" in text
    assert "its outcome is still locked" in text
    assert "its verdict says nothing about the behaviour" in text
    assert "Over 2 experiments" in page(viewer, "one/results/numbers/")


# ── Both languages, take-away ─────────────────────────────────────────────────
@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "ko"])
def test_pages__in_both_languages__leave_no_placeholder_open(analyst: Client, language: str) -> None:
    stored("one", moment=True)
    stored("two", make_result(**RUNNING), moment=True)

    tabs = [f"{key}/{tab}" for key in ("one", "two") for tab in ("", "health/", "plan/", "setup/", "history/")]
    for path in ("", "?view=board", *tabs, "two/peek/", "-/calibration/", "-/compare/?a=one&b=two"):
        text = page(analyst, path, language)
        assert f'lang="{language}"' in text
        assert "%(" not in text
        assert "{variant}" not in text


def test_report__reads_its_date_from_the_analysis(viewer: Client) -> None:
    stored()

    assert "Data to Apr 1, 2026" in page(viewer, "exp/")
