"""Which other behaviours a plan proposes, and how large the effect of each may be: by hand, and on counted users."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from scipy import stats

from aha.evidence.aipw import Difference
from aha.evidence.expected_gain import NOTHING_KNOWN, PastKnowledge, Price
from aha.evidence.findings import Definition, pool_findings
from aha.evidence.ladder import Ladder
from aha.models import AhaMoment, Study
from aha.study.result import Candidate
from aha.study.window_guard import Flag, Flagged
from experiments.models import Experiment
from experiments.plan import drafts
from experiments.plan.others import of_study, promised_limits, proposed_others
from experiments.plan.record import PlannedOther
from reporting.document import dump
from runs.refusals import Refused
from stats.results import Interval, NotComputable, Reason
from stats.score import newcombe_limits
from tests.aha.evidence.past.make_findings import finding
from tests.aha.make_report import candidate, difference, ladder, report, result

OUTCOME = "window:7-13"


def named(behaviour: str, full: Difference | NotComputable | None = None, **changes: Any) -> Candidate:
    """A candidate whose raw gap is 37.5 points, the adjusted one 8, each give or take 3, unless given."""
    rungs = ladder().rungs
    if full is not None:
        rungs = (*rungs[:3], replace(rungs[3], difference=full))
    return candidate(behaviour=behaviour, ladder=Ladder(rungs, 0.2, 7), **changes)


def proposed(*candidates: Candidate, past: PastKnowledge = NOTHING_KNOWN, **changes: Any) -> list[str]:
    found = of_study(report(candidates=candidates, **changes), "friend_add", past, OUTCOME)
    return [other.behaviour for other in found]


def test_study__its_other_candidates__are_proposed_with_their_adjusted_gap() -> None:
    found = of_study(report(candidates=(named("friend_add"), named("chat"))), "friend_add", NOTHING_KNOWN, OUTCOME)

    assert found == (PlannedOther("chat", 2, 0.0, 0.11, "promise"),)


def test_study__one_of_each_group_of_near_repeats__and_none_of_the_own_group() -> None:
    repeats = (
        Flagged("chat_open", Flag.DUPLICATE, 0.97, "chat"),
        Flagged("chat_read", Flag.DUPLICATE, 0.96, "chat_open"),  # of the same group
        Flagged("friend_ok", Flag.DUPLICATE, 0.99, "friend_add"),
    )
    names = ("chat_read", "chat", "friend_ok", "shop", "chat_open")

    assert proposed(*map(named, names), flags=repeats) == ["chat_read", "shop"]
    assert proposed(*map(named, names)) == list(names)
    own_repeats = (Flagged("friend_add", Flag.DUPLICATE, 0.99, "friend_ok"),)
    assert proposed(*map(named, names), flags=own_repeats) == ["chat_read", "chat", "shop", "chat_open"]


def test_study__a_promise_that_may_be_0__is_left_out__and_without_an_adjusted_one_the_raw_gap_counts() -> None:
    nothing, unknown = named("a", difference(0.02)), named("b", NotComputable(Reason.NO_OVERLAP))
    found = of_study(report(candidates=(nothing, unknown)), "friend_add", NOTHING_KNOWN, OUTCOME)

    assert found == (PlannedOther("b", 2, 0.0, 0.405, "promise"),)


def test_study__of_thirteen__gives_twelve() -> None:
    assert len(proposed(*(named(f"o{at}") for at in range(13)))) == 12


def test_study__a_behaviour_with_experiments__has_the_ends_of_their_set() -> None:
    definition = Definition("chat", 2, 5, OUTCOME)
    rows = tuple(finding(f"test-{at}", definition=definition) for at in range(3))
    other = replace(rows[0], source="of-others", definition=Definition("chat", 3, 5, OUTCOME))  # other times
    past = PastKnowledge((*rows, other), NOTHING_KNOWN.price)
    (found,) = of_study(report(candidates=(named("chat"),)), "friend_add", past, OUTCOME)
    pool = pool_findings(rows, definition).pooled
    assert not isinstance(pool, NotComputable)
    ((low, high),) = pool.answer_set.pieces  # type: ignore[union-attr]

    assert found.origin == "experiments"
    assert (found.low, found.high) == (min(0.0, round(low or 0.0, 4)), round(high or 0.0, 4))
    assert 0 < found.high < 0.2


@pytest.mark.parametrize(
    ("adjusted", "raw", "kept", "limits"),
    [
        ((0.05, 0.11), (0.34, 0.40), None, (0.05, 0.11)),
        ((0.05, 0.50), (0.34, 0.40), None, (0.05, 0.40)),  # at most the raw gap's
        ((-0.02, 0.11), (0.34, 0.40), None, (-0.02, 0.11)),
        ((-0.30, -0.05), (-0.20, -0.10), None, (-0.20, -0.05)),
        ((-0.10, 0.30), (-0.05, 0.20), None, (-0.05, 0.20)),
        ((0.05, 0.11), (0.34, 0.40), 0.5, (0.025, 0.055)),
        ((0.05, 0.11), (0.34, 0.40), -0.1, (0.0, 0.0)),
    ],
)
def test_limits__of_a_promise(
    adjusted: tuple[float, float], raw: tuple[float, float], kept: float | None, limits: tuple[float, float]
) -> None:
    gap, before = (Difference(sum(ends) / 2, 0.01, *ends, 0.95) for ends in (adjusted, raw))

    assert promised_limits(gap, before, kept) == pytest.approx(limits)


def test_study__with_tested_promises__takes_what_they_kept_at_most() -> None:
    tested = PastKnowledge((), Price(Interval(0.2, 0.0, 0.5, 0.9, "ratio"), 5, assumed=False))
    found = of_study(report(candidates=(named("chat"),)), "friend_add", tested, OUTCOME)

    assert found == (PlannedOther("chat", 2, 0.0, 0.055, "promise"),)


# Rows and a store.

CLAIM = {"key": "adds", "behaviour": "add", "times": 2, "days": 3, "signup_event": "signup"}


def moment(**changes: Any) -> AhaMoment:
    return AhaMoment.objects.create(**{"name": "adds", **CLAIM, "retention": "window:3-4", **changes})


def study(retention: str = "window:3-4", *, name: str = "chat", **changes: Any) -> Study:
    """A finished study whose only candidate beside `add` has this name."""
    made = report(candidates=(named("add"), named(name)))
    inputs = {**dump(made.asked.inputs), "retention": retention, "segment": None}
    given: dict[str, Any] = {"status": "done", "inputs": inputs, "finished_at": timezone.now(), **result(made)}
    return Study.objects.create(**{**given, **changes})


@pytest.mark.django_db
def test_latest_study__of_the_same_users_and_outcome__is_the_one() -> None:
    study(name="old", finished_at=timezone.now() - timedelta(days=9))
    study(name="chat")
    study("window:3-5", name="another_outcome")
    study(name="running", status="running")
    study(name="archived", archived_at=timezone.now())
    study(name="segment", inputs={**dump(report().asked.inputs), "retention": "window:3-4", "segment": "solo"})
    study(name="others", inputs={**dump(report().asked.inputs), "retention": "window:3-4", "signup_event": "install"})

    assert [other.behaviour for other in proposed_others(moment(), "window:3-4")] == ["chat"]
    (of_segment,) = Study.objects.filter(inputs__segment="solo")
    inside = moment(key="solo", study=of_segment)
    assert [other.behaviour for other in proposed_others(inside, "window:3-4")] == ["segment"]


@pytest.mark.django_db
@pytest.mark.usefixtures("world")
def test_without_a_study__the_commonest_events_of_earlier_users__have_their_raw_gap() -> None:
    # Of 280 users of four weeks every second one plays, on day 3; every fifth adds twice. 28 do both.
    found = proposed_others(moment(behaviour="play", times=1, days=2, retention="window:3-4"), "window:3-4")
    low, high = newcombe_limits((28, 56), (112, 224), alpha=0.05)

    (other,) = found
    assert (other.behaviour, other.times, other.origin) == ("add", 1, "cohort")
    assert [other.low, other.high] == pytest.approx([float(low), float(high)], abs=1e-4)


@pytest.mark.django_db
@pytest.mark.usefixtures("world")
def test_without_a_study__of_a_mean__the_gap_is_in_its_unit() -> None:
    (other,) = proposed_others(moment(behaviour="play", times=1, days=2), "count:play:3-4")
    error = (0.25 * 56 / 55 / 56 + 0.25 * 224 / 223 / 224) ** 0.5

    assert other.high == pytest.approx(float(stats.norm.isf(0.025)) * error, rel=0.05)


@pytest.mark.django_db
@pytest.mark.usefixtures("world")
def test_draft_of_a_moment__has_the_proposed_list__and_none_before_the_first_event(
    settings: Any, tmp_path: Any
) -> None:
    row = drafts.draft_from_moment(moment=moment(behaviour="play", times=1, days=2))
    settings.EVENTS_URL = str(tmp_path / "empty")
    empty = drafts.draft_from_moment(moment=moment(key="early"))

    assert [other["behaviour"] for other in row.other_behaviours] == ["add"]
    assert Experiment.objects.get(pk=empty.pk).other_behaviours == []


@pytest.mark.django_db
@pytest.mark.usefixtures("world")
def test_outcome__without_a_mean_per_user__is_refused_with_a_sentence() -> None:
    with pytest.raises(Refused, match="no share or mean"):
        proposed_others(moment(), "count:play:3-4 / active_days:3-4")
