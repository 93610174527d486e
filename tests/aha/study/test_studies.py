"""A study from the store to its row: what is asked, what is refused with nothing kept, and what the command prints."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError
from rich.console import Console

from aha import tasks
from aha.management.commands.discover import _print
from aha.models import AhaMoment, Study
from aha.moments import promote
from aha.moments.reach import weekly_reach
from aha.questions.preview import preview
from aha.study import gather as gather_module
from aha.study import studies
from aha.study.discover import study
from aha.study.gather import gather
from aha.study.payload_versions import STUDY
from aha.study.population import Restriction, restriction_of
from aha.study.question import Inputs
from aha.study.result import Report
from aha.study.studies import PACE, study_size
from events.simulation import WORLDS, Simulation, simulate
from events.warehouse.session import questions
from reporting.document import load
from runs.models import Job
from runs.refusals import Refused
from segments.models import Membership, Segment, SegmentModel, SegmentVersion
from tests.aha.answers import SMALL, keys_of
from tests.aha.store import discover, store_of
from tests.aha.study.test_discover import EXPECTED_KEYS

pytestmark = pytest.mark.django_db
UNITS = 1_000
INPUTS = Inputs("signup", (3, 7), "window:21-27", behaviours=("friend_add", "chat"), max_times=5)


@pytest.fixture(scope="module")
def world() -> Simulation:
    return simulate(WORLDS["step"], UNITS, 11)


@pytest.fixture(scope="module", autouse=True)
def _store(world: Simulation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with store_of(world, tmp_path_factory.mktemp("studies")):
        yield


def published(kind: str = "cluster", *, last_day: Any = 6, rule: Any = None, units: int = 300) -> SegmentModel:
    """A model "style" with two segments: the first `units` users are solo, the next social."""
    model = SegmentModel.objects.create(key="style", name="Style", kind=kind)
    inputs = {} if last_day is None else {"last_day": last_day}
    version = SegmentVersion.objects.create(
        refreshed_at="2026-03-01T00:00:00Z", model=model, number=1, inputs=inputs, rule=rule
    )
    for number, key in enumerate(("solo", "social")):
        segment = Segment.objects.create(version=version, key=key, number=number, name=key.title())
        ids = [f"u{k:07d}" for k in range(number * units + 1, (number + 1) * units + 1)]
        Membership.objects.bulk_create(Membership(version=version, unit=unit, segment=segment) for unit in ids)
    return model


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"days": (22, 25)}, "--retention and --days: Retention is measured from day 21 on"),
        ({"signup_event": "install"}, "--signup-event: there is no event 'install'; the log has"),
        ({"behaviours": ("frend_add",)}, "--behaviours: there is no event 'frend_add'"),
        ({"inert": ("nothing",)}, "--inert: there is no event 'nothing'"),
        ({"retention": "min_events:purchase:21-27:1"}, "--retention: there is no event 'purchase'"),
        ({"retention": "window:80-90"}, "--retention: none of the 1,000 signups has completed"),
        ({"first_date": "2027-01-01"}, "--from and --to: nobody signed up"),
        ({"segment": "whales"}, "--segment: no published segment or segment model has the key whales"),
    ],
)
def test_create__bad_input__is_refused_by_option_and_nothing_is_kept(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refused) as caught:
        studies.create_study(inputs=replace(INPUTS, **change))

    assert str(caught.value).startswith(sentence)
    assert not Study.objects.exists()


def test_command__bad_input__ends_with_2_and_one_sentence_and_no_row() -> None:
    with pytest.raises(CommandError) as caught:
        discover("--signup-event", "signup", "--days", 22, "--retention", "window:21-27", "--json")

    assert caught.value.returncode == 2
    assert str(caught.value).startswith("--retention and --days: ")
    assert "\n" not in str(caught.value)
    assert not Study.objects.exists()


@pytest.mark.slow
def test_command__json__prints_one_document_and_keeps_the_study() -> None:
    behaviours = ("--behaviours", "friend_add", "chat", "--days", 7, 3, 7, "--max-times", 5)

    text = discover("--signup-event", "signup", *behaviours, "--retention", "window:21-27", "--seed", 4, "--json")

    found = json.loads(text)
    assert text.count("\n") == 1
    some = {name: found[name][:1] for name in ("cells", "candidates")}
    assert set(keys_of({**found, **some})) - set(EXPECTED_KEYS) == {
        ".candidates[].later_cohort_j.not_computable",
        *(f".spent.{name}" for name in ("seconds", "processor_seconds", "peak_mb", "workers", "compiled")),
        *(f".spent.steps{name}" for name in ("", ".counting", ".evidence")),
        *(f".spent.size{name}" for name in ("", ".users", ".sample", ".behaviours")),
    }
    assert found["units"] == {"eligible": UNITS, "excluded": {"too_young": 0}}
    study = Study.objects.get()
    assert (study.status, study.seed, study.inputs["days"]) == ("done", 4, [3, 7])
    assert study.as_of is not None
    report = STUDY.of(study)
    assert isinstance(report, Report)
    assert report.spent is not None
    assert PACE.fits(replace(report.spent, compiled=False))
    foretold = preview(load(Inputs, study.inputs))
    assert report.spent.size == study_size(foretold.eligible, foretold.behaviours)
    first = next(row for row in found["candidates"] if row["behaviour"] == "friend_add")
    gains = [row["expected_gain"]["estimate"] for row in found["candidates"]]
    assert [row.behaviour for row in report.candidates] == [row["behaviour"] for row in found["candidates"]]
    assert first["rank_by_promise"] == 1
    assert gains == sorted(gains, reverse=True)
    moment = promote.promote_candidate(study=study, behaviour="friend_add", times=first["times"], days=first["days"])
    assert moment.evidence["ladder"]["rungs"][0]["name"] == "raw"
    assert promote.is_intact(moment)
    printed = io.StringIO()
    _print(study, report, Console(file=printed, width=200))
    assert f"friend_add at least {first['times']} times within {first['days']} days" in printed.getvalue()
    assert f"Stored as study {study.pk}." in printed.getvalue()


def test_task__gone_or_taken__does_nothing() -> None:
    study = Study.objects.create(status="running", inputs={})

    tasks.run_study(study.pk)
    tasks.run_study(study.pk + 1)

    study.refresh_from_db()
    assert study.status == "running"


def test_start__a_study__waits_and_is_handed_to_the_workers() -> None:
    study = studies.start_study(inputs=INPUTS, title="friends", seed=2)

    job = Job.objects.get()
    assert (job.task, job.arguments, job.state) == ("aha.tasks.run_study", [study.pk], "waiting")
    assert (study.status, study.title) == ("queued", "friends")


@pytest.mark.slow
def test_gather__against_what_was_drawn__agrees_to_the_unit(world: Simulation) -> None:
    with questions() as asked:
        found = gather(asked, INPUTS, Restriction(), seed=1)

    unit, name, counts = (np.asarray(part) for part in found.rows)
    friends = np.zeros(UNITS, dtype=np.int64)
    friends[unit[name == "friend_add"]] = counts[name == "friend_add"][:, 1]
    assert found.unit_ids.tolist() == sorted(found.unit_ids)
    assert found.retained.tolist() == world.retained.tolist()
    assert friends.tolist() == world.target_count.tolist()
    assert found.histogram is None
    assert {name.split("=")[0] for name in found.attributes.names} == {"platform", "channel", "country"}
    assert [row.day for row in found.curve[""]] == list(range(28))
    assert found.curve[""][0].units == UNITS


@pytest.mark.slow
def test_gather__more_units_than_the_sample__keeps_exact_counts_of_everybody(world: Simulation) -> None:
    with questions() as asked:
        whole = gather(asked, INPUTS, Restriction(), seed=1)
        found = gather(asked, INPUTS, Restriction(), seed=1, most_units=400)

    assert (found.sample.size, found.unit_ids.size) == (400, UNITS)
    assert found.active_days.tolist() == whole.active_days[found.sample].tolist()
    assert found.histogram is not None
    reached = np.asarray(found.histogram["n_7"]) >= 3
    friends = np.asarray(found.histogram["behaviour"]) == "friend_add"
    assert np.asarray(found.histogram["units"])[reached & friends].sum() == world.reached.sum()


@pytest.mark.slow
def test_gather__days_of_units__add_up_to_the_counts_and_active_days(world: Simulation) -> None:
    with questions() as asked:
        whole = gather(asked, INPUTS, Restriction(), seed=1)
        some = gather(asked, INPUTS, Restriction(), seed=1, most_units=400)
    names = [str(behaviour) for behaviour in whole.behaviours]
    friends, days = names.index("friend_add"), whole.unit_days

    counts = np.bincount(days.unit, weights=days.counts[:, friends], minlength=UNITS)
    active = np.bincount(days.unit, weights=days.active, minlength=UNITS)

    assert np.sort(counts).tolist() == np.sort(world.target_count).tolist()
    assert active.tolist() == whole.active_days[:, -1].tolist()
    # Of a sample the places are those of the sample.
    assert np.bincount(some.unit_days.unit, some.unit_days.active).tolist() == some.active_days[:, -1].tolist()


@pytest.mark.slow
def test_gather__more_active_days_than_the_models_see__takes_whole_units_up_to_that_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gather_module, "MAX_UNITS", 500)

    with questions() as asked:
        found = gather(asked, INPUTS, Restriction(), seed=1)

    days = found.unit_days
    chosen = np.unique(days.unit)
    assert 480 < days.active.sum() <= 500
    assert np.bincount(days.unit, days.active)[chosen].tolist() == found.active_days[chosen, -1].tolist()


@pytest.mark.slow
def test_study__of_a_sample__cells_count_everybody_and_the_rest_the_sample(world: Simulation) -> None:
    with questions() as asked:
        answers = gather(asked, INPUTS, Restriction(), seed=1, most_units=600)

    found = study(answers, INPUTS, seed=1, effort=SMALL)

    place = found.grid.find(found.asked.behaviours.index("friend_add"), 7, 3)
    assert place is not None
    assert found.grid.b[place] == int((world.reached & world.retained).sum())
    assert (found.samples["eligible"], found.samples["sample"]) == (UNITS, 600)
    assert sum(row.units for row in found.candidates[0].by_week) == 600
    assert found.candidates[0].cell.b + found.candidates[0].cell.a == int(world.retained.sum())


@pytest.mark.slow
def test_gather__all_event_names__without_exposures_and_with_inert_conditions() -> None:
    inputs = replace(INPUTS, behaviours=(), inert=("signup[platform=ios]",))

    with questions() as asked:
        found = gather(asked, inputs, Restriction(), seed=1)

    names = [str(behaviour) for behaviour in found.behaviours]
    assert "Experiment Viewed" not in names
    assert {"friend_add", "signup", "signup[platform=ios]"} < set(names)


@pytest.mark.slow
def test_segment__by_its_key__only_its_units_count_and_numbers_add_up() -> None:
    published()
    inputs = replace(INPUTS, segment="solo")

    with questions() as asked:
        found = gather(asked, inputs, restriction_of(inputs), seed=1)

    assert (found.unit_ids.size, found.segment) == (300, None)
    assert found.excluded == {"too_young": 0, "outside_segment": UNITS - 300}
    assert found.signups == UNITS


@pytest.mark.slow
def test_segment__key_of_a_model__its_segments_stand_side_by_side() -> None:
    published()
    inputs = replace(INPUTS, segment="style")

    with questions() as asked:
        found = gather(asked, inputs, restriction_of(inputs), seed=1)

    assert found.segment is not None
    assert sorted(set(found.segment)) == ["Social", "Solo"]
    assert list(found.curve) == ["Social", "Solo"]
    assert [rows[0].units for rows in found.curve.values()] == [300, 300]


RULE = {"all": [{"behaviour": "chat", "days": 21, "at_least": 1}]}


@pytest.mark.parametrize(
    ("segments", "sentence"),
    [
        ({"last_day": 20}, None),
        ({"last_day": 21}, "was formed by what users did up to day 21"),
        ({"last_day": None}, "also uses what users do after day 21"),
        ({"rule": RULE}, None),
        ({"rule": {"all": [{"behaviour": "chat", "days": 22, "at_least": 1}]}}, "up to day 21"),
        ({"rule": {"all": [{"trait": "platform", "is": "ios"}]}}, None),
        ({"rule": {"all": [{"feature": "active_days", "at_least": 9}]}}, "after day 21"),
    ],
)
def test_segment__formed_on_the_days_of_the_outcome__is_refused(segments: dict[str, Any], sentence: str | None) -> None:
    published(**segments)
    inputs = replace(INPUTS, segment="solo")

    if sentence is None:
        assert len(restriction_of(inputs).members or ()) == 300
        return
    with pytest.raises(Refused, match=sentence):
        studies.create_study(inputs=inputs)
    assert not Study.objects.exists()


def test_segment__old_version__is_not_published_any_more() -> None:
    model = published()
    SegmentVersion.objects.create(refreshed_at="2026-03-01T00:00:00Z", model=model, number=2, inputs={"last_day": 6})

    with pytest.raises(Refused, match="no published segment"):
        restriction_of(replace(INPUTS, segment="solo"))


def test_segment__of_two_models__asks_for_the_model() -> None:
    published()
    other = SegmentModel.objects.create(key="other", name="Other", kind="cluster")
    Segment.objects.create(
        version=SegmentVersion.objects.create(refreshed_at="2026-03-01T00:00:00Z", model=other, number=1), key="solo"
    )

    with pytest.raises(Refused, match="several models"):
        restriction_of(replace(INPUTS, segment="solo"))


def test_segment__nobody_of_it_signed_up__is_refused() -> None:
    published()
    Membership.objects.all().delete()

    with pytest.raises(Refused, match="--segment: none of its users"):
        studies.create_study(inputs=replace(INPUTS, segment="solo"))


def test_reach__by_week__equals_what_was_drawn(world: Simulation) -> None:
    moment = AhaMoment(behaviour="friend_add", times=3, days=7, signup_event="signup")

    found = weekly_reach(moment)

    week = (world.people.signup - world.people.signup.min()) // (7 * 86_400 * 1_000_000)
    assert len(found.weeks) == 8
    assert found.weeks[0].week == date(2026, 1, 5)
    assert sum(row.signups for row in found.weeks) == UNITS
    assert sum(row.reached for row in found.weeks) == int(world.reached.sum())
    assert all(row.complete and row.eligible == row.signups for row in found.weeks)
    assert int(week.max()) == 7


def test_reach__days_that_are_not_over__the_week_is_marked_and_the_young_are_left_out() -> None:
    moment = AhaMoment(behaviour="friend_add", times=3, days=60, signup_event="signup")

    found = weekly_reach(moment)

    by_week = [(row.complete, row.eligible == row.signups) for row in found.weeks]
    assert by_week[0] == (True, True)
    assert by_week[-1] == (False, False)
    assert (found.weeks[-1].eligible, found.weeks[-1].reached) == (0, 0)
    assert not isinstance(found.weeks[0].share, float)
