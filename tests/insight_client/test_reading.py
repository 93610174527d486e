"""What the client reads from a site: the same numbers as the site keeps, and a reason where there is none."""

from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime
from math import isnan
from typing import Any

import pytest

from aha.models import AhaMoment, Study
from experiments.analyse.result import Opened
from experiments.models import Analysis
from insight_client import NotComputable, charts, computable, frames
from insight_client.records import Candidate, Estimate
from stats.results import NotComputable as Missing
from stats.results import Reason
from tests.aha.make_report import candidate, ladder, report, result
from tests.experiments.make_readout import make_readout, stored
from tests.insight_client.conftest import Ask

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def study(transactional_db: None) -> Study:
    made = report(candidates=(candidate(by_step=False, hold_out_j=Missing(Reason.NO_HOLD_OUT)),))
    return Study.objects.create(status="done", title="friends", **result(made))


def test_study__done__has_the_numbers_of_its_report(ask: Ask, study: Study) -> None:
    made = report(candidates=(candidate(),))

    found = ask().study(study.pk)

    assert (found.title, found.status, found.users) == ("friends", "done", made.population.eligible)
    (best,), kept = found.candidates, made.candidates[0]
    assert (best.behaviour, best.times, best.days) == (kept.behaviour, kept.times, kept.days)
    assert (best.difference.value, best.difference.low) == (kept.cell.difference.estimate, kept.cell.difference.low)  # type: ignore[union-attr]
    assert best.reach.n == kept.cell.a + kept.cell.b + kept.cell.c + kept.cell.o
    assert best.retained_with.n == kept.cell.b + kept.cell.c
    assert [rung.name for rung in best.ladder] == [str(rung.name) for rung in ladder().rungs]
    assert [day.active.value for day in found.curve] == [point.share for point in made.curve.points]
    with pytest.raises(FrozenInstanceError):
        best.times = 1  # type: ignore[misc]


def test_missing_number__in_record_and_table__keeps_its_reason(ask: Ask, study: Study) -> None:
    found = ask().study(study.pk)
    row = frames.candidates(found).iloc[0]

    best = found.candidates[0]
    assert not computable(best.j.value)
    assert isinstance(best.j.value, NotComputable)
    assert isnan(row.j)
    assert best.j.value.reason in row.reason
    assert row.difference == best.difference.value


def test_tables__of_nothing__have_their_columns(ask: Ask) -> None:
    site = ask("reports:read", "segments:read")

    assert site.studies() == []
    assert {"key", "status", "reason"} <= set(frames.moments(site.moments()).columns)
    assert frames.segments(site.segments()).empty
    assert frames.frame([], Candidate).empty


@pytest.mark.slow
def test_list__longer_than_a_page__is_whole_and_in_order(ask: Ask) -> None:
    AhaMoment.objects.bulk_create(
        AhaMoment(key=f"m{n:03d}", name="x", behaviour="b", times=1, days=1, signup_event="s", retention="on_day:7")
        for n in range(205)
    )
    stored("exp", make_readout())
    first = Analysis.objects.get()
    Analysis.objects.bulk_create(Analysis(experiment=first.experiment, status="failed") for _ in range(120))
    site = ask()

    assert sorted(moment.key for moment in site.moments()) == [f"m{n:03d}" for n in range(205)]
    numbers = [analysis.id for analysis in site.analyses("exp")]
    assert len(numbers) == len(set(numbers)) == 121


def test_analysis__open__has_verdict_and_effects_of_the_report(ask: Ask) -> None:
    readout = make_readout()
    stored("exp", readout, finished_at=datetime(2026, 4, 1, tzinfo=UTC))
    assert isinstance(readout, Opened)
    row = readout.report.outcomes[0].comparisons[0]

    found = ask().latest_analysis("exp")

    assert found is not None
    assert found.locked is None
    assert found.code == found.verdict.code == str(readout.report.verdict.code)
    effect = found.effects[0]
    assert (effect.variant, effect.difference.value) == (row.variant, row.difference.estimate)  # type: ignore[union-attr]
    assert effect.effect is not None
    assert row.encouragement is not None
    assert effect.effect.low == row.encouragement.effect_set.low  # type: ignore[union-attr]
    table = frames.effects(found)
    assert table.difference[0] == effect.difference.value
    assert [one.label for one in found.readings if one.causal] != []
    assert frames.readings(found).reason[1] == "estimate_low: The site gives no interval of it."


@pytest.mark.slow
def test_charts__of_study_and_analysis__draw_points_and_name_what_is_missing(ask: Ask, study: Study) -> None:
    site = ask()
    stored("exp", make_readout())
    analysis = site.latest_analysis("exp")
    assert analysis is not None
    whole = site.study(study.pk)

    drawn = [charts.retention_curve(whole), charts.ladder(whole.candidates[0]), charts.effects(analysis)]

    for chart in drawn:
        specification = chart.to_dict()
        assert specification["layer"]
        assert specification["title"]["text"]
    bars = drawn[2].to_dict()["layer"][1]["encoding"]
    assert bars["x"]["title"] == "points"


def test_effects__of_an_outcome_in_its_own_unit__are_drawn_in_it_and_never_among_points(ask: Ask) -> None:
    stored("exp", make_readout())
    analysis = ask().latest_analysis("exp")
    assert analysis is not None
    first, *others = analysis.effects
    money = replace(first, outcome="revenue", kind="mean", difference=Estimate(3.5, 1.0, 6.0, 100))
    mixed = replace(analysis, _effects=(money, *others, first))

    shares, own = charts.effects(mixed).to_dict(), charts.effects(mixed, "revenue").to_dict()

    assert "in its own unit, not drawn here: revenue" in shares["title"]["subtitle"]
    assert not any(row["label"].startswith("revenue") for row in drawn_rows(shares))
    assert own["layer"][1]["encoding"]["x"]["title"] == "in the outcome's own unit"
    assert drawn_rows(own)[0]["value"] == 3.5
    with pytest.raises(ValueError, match="no outcome sales"):
        charts.effects(mixed, "sales")


def drawn_rows(specification: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for rows in specification["datasets"].values() for row in rows if "label" in row]


def test_chart__nothing_computable__says_why(ask: Ask, study: Study) -> None:
    best = ask().study(study.pk).candidates[0]
    none = NotComputable("nobody did it")
    rungs = tuple(type(rung)(rung.name, type(rung.difference)(none, none, none, 0)) for rung in best.ladder)
    empty = Candidate(**{**vars(best), "ladder": rungs})

    with pytest.raises(ValueError, match="nobody did it"):
        charts.ladder(empty)
