"""What a public key can do to an experiment, end to end: through the door, the flush and the analysis."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from django.test import Client
from django.utils import timezone

from events import store
from events.models import Source
from events.senders import make_id
from experiments.models import Analysis, Assignment, Experiment
from experiments.services import config
from experiments.services.analysis import create_analysis, read_analysis, run_analysis
from experiments.services.assign import assign_units
from insight_site.keys import issue_key
from tests.experiments.make import do, draft
from tests.experiments.stored import backdate

UNITS = 700
pytestmark = pytest.mark.django_db
SHOWN, ELSEWHERE = "web", "marketing"


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, settings: Any) -> None:
    settings.EVENTS_URL = str(tmp_path / "events")


@pytest.fixture
def keys() -> dict[str, str]:
    """A client key of the app that shows the experiment, and one of another site."""
    made = {}
    for name in (SHOWN, ELSEWHERE):
        source = Source.objects.create(name=name)
        made[name] = issue_key(name=name, source=source, kind="client", scopes=["events:write"])[1]
    return made


@pytest.fixture
def experiment(keys: dict[str, str]) -> Experiment:
    """Started six weeks ago, everybody assigned by the draw and exposed by our door a month ago."""
    shown = Source.objects.get(name=SHOWN)
    draft("x", primary_metrics=["window:7-13"], planned_units=UNITS, sources=[shown.pk])
    made = do("x", "start")
    backdate(made, timezone.now() - timedelta(days=42))
    arms = {
        unit: answer.variant for unit, answer in assign_units(experiment_key="x", units=[f"u{n}" for n in range(UNITS)])
    }
    _write(arms)
    do("x", "stop")
    return Experiment.objects.get(key="x")


def _write(arms: dict[str, str]) -> None:
    """The exposures as our door writes them, and what the units did: most come back in the second week."""
    noon = (timezone.now() - timedelta(days=30)).replace(hour=12, minute=0, second=0, microsecond=0)
    rows: list[tuple[str, str, datetime, str, str]] = []
    for place, (unit, arm) in enumerate(arms.items()):
        said = json.dumps({"experiment_id": "x", "variation_id": arm})
        rows.append((unit, "Experiment Viewed", noon, said, f"assignment:{place}"))
        back = noon + timedelta(days=9 if place % 3 else 1)
        rows.append((unit, "play", back, "{}", make_id(99, "server", f"p{place}")))
    rows.append(("end", "play", timezone.now(), "{}", make_id(99, "server", "end")))
    names = ("user_id", "event", "time", "properties", "message_id")
    columns: dict[str, Any] = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    columns["time"] = pa.array(columns["time"], pa.timestamp("us", tz="UTC"))
    columns["received_at"] = columns["time"]
    store.append(pa.table(columns), app_id="test", version=1)


def forge(key: str, pairs: list[tuple[str, str]]) -> None:
    """What anybody can send who has read a page: exposures of these units in these arms."""
    at = (timezone.now() - timedelta(days=20)).astimezone(UTC).isoformat()
    batch = [
        {"type": "track", "event": "Experiment Viewed", "userId": unit, "timestamp": at, "messageId": f"m{place}",
         "properties": {"experiment_id": "x", "variation_id": arm}}
        for place, (unit, arm) in enumerate(pairs)
    ]  # fmt: skip
    answer = Client().post(
        "/v1/batch",
        json.dumps({"batch": batch}),
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )
    assert answer.status_code == 200, answer.content
    assert answer.json()["accepted"] == len(pairs)


def analysed(experiment: Experiment) -> Any:
    analysis = create_analysis(experiment=experiment)
    assert run_analysis(analysis.pk), Analysis.objects.get(pk=analysis.pk).reason
    found = read_analysis(Analysis.objects.get(pk=analysis.pk))
    Analysis.objects.filter(pk=analysis.pk).delete()
    return found


def numbers(readout: Any) -> Any:
    """Verdict, split and figures."""
    rows = [(row.variant, row.difference) for row in readout.report.outcomes[0].comparisons]
    return readout.verdict, readout.sample_ratio, readout.flow.exposed, readout.flow.several_variants, rows


def other(unit: str) -> str:
    row = Assignment.objects.select_related("variant").get(unit=unit)
    return "banner" if row.variant.key == "control" else "control"


def checks(readout: Any) -> dict[str, Any]:
    return {finding.check: finding.details for finding in readout.health}


@pytest.mark.parametrize("name", [SHOWN, ELSEWHERE])
def test_forging__sixty_known_units_in_the_other_arm__changes_nothing_but_the_finding(
    experiment: Experiment, keys: dict[str, str], name: str
) -> None:
    before = analysed(experiment)

    forge(keys[name], [(f"u{n}", other(f"u{n}")) for n in range(60)])
    after = analysed(experiment)

    assert numbers(after) == numbers(before)
    assert before.flow.not_admitted == ()
    reason = "arm" if name == SHOWN else "source"
    assert checks(after)[f"not_admitted_{reason}"] == {"sender": name, "n": 60, "units": 60}


def test_forging__invented_units_from_another_source__changes_nothing_but_the_finding(
    experiment: Experiment, keys: dict[str, str]
) -> None:
    before = analysed(experiment)

    forge(keys[ELSEWHERE], [(f"invented{n}", "control") for n in range(300)])
    after = analysed(experiment)

    assert numbers(after) == numbers(before)
    assert checks(after)["not_admitted_source"] == {"sender": ELSEWHERE, "n": 300, "units": 300}


def test_forging__invented_units_with_wrong_arms_from_the_same_source__changes_nothing_but_the_finding(
    experiment: Experiment, keys: dict[str, str]
) -> None:
    before = analysed(experiment)
    names = [f"invented{n}" for n in range(300)]

    forge(keys[SHOWN], [(unit, arm) for unit, arm in wrong(names).items()])
    after = analysed(experiment)

    assert numbers(after) == numbers(before)
    assert checks(after)["not_admitted_arm"] == {"sender": SHOWN, "n": 300, "units": 300}


def wrong(units: list[str]) -> dict[str, str]:
    return {unit: "banner" if arm == "control" else "control" for unit, arm in drawn(units).items()}


def drawn(units: list[str]) -> dict[str, str]:
    """What a local SDK computes from the payload that every client may read."""
    from experiments.bucketing import choose, unit_hash

    flag = config.flag_of(config.with_parts(["x"]).get())
    found = {unit: choose(unit_hash(flag.seed, unit), flag.rows[0].ranges) for unit in units}
    return {unit: flag.arms[arm].key for unit, arm in found.items() if arm is not None}


def test_local_sdk__right_arms_from_a_client_key__are_admitted(experiment: Experiment, keys: dict[str, str]) -> None:
    before = analysed(experiment)

    forge(keys[SHOWN], list(drawn([f"new{n}" for n in range(30)]).items()))
    after = analysed(experiment)

    assert sum(after.flow.exposed.values()) == sum(before.flow.exposed.values()) + 30
    assert after.flow.not_admitted == ()
    assert (after.flow.unverified.units, after.flow.unverified.others) == (30, UNITS)


def test_invented_units__right_arms__are_counted_warned_of_and_left_out_beside(
    experiment: Experiment, keys: dict[str, str]
) -> None:
    before = analysed(experiment)

    forge(keys[SHOWN], [pair for pair in drawn([f"i{n}" for n in range(400)]).items() if pair[1] == "control"])
    after = analysed(experiment)

    assert after.verdict.code == "INVALID"  # nobody can tell by a hash, so the split is off: but the reader sees why
    assert "unverified_silent" in checks(after)
    found = after.without_unverified
    assert found.left_out > 150
    assert (found.verdict, found.sample_ratio, found.exposed) == (
        before.verdict, before.sample_ratio, before.flow.exposed
    )  # fmt: skip
    assert [row[1] for row in found.differences] == [row.difference for row in before.report.outcomes[0].comparisons]


def test_no_source_named__client_keys_only__says_who_was_not_admitted(keys: dict[str, str]) -> None:
    draft("x", primary_metrics=["window:7-13"])
    made = do("x", "start")
    assert made.sources == []  # two sources: a person must say which of them shows it
    backdate(made, timezone.now() - timedelta(days=42))
    forge(keys[SHOWN], list(drawn(["a", "b", "c"]).items()))

    analysis = create_analysis(experiment=made)

    assert not run_analysis(analysis.pk)
    assert "3 exposures sent with client keys of web were not admitted" in Analysis.objects.get(pk=analysis.pk).reason


def test_start__one_source__is_taken(db: Any) -> None:
    source = Source.objects.create(name="only")
    draft("x")

    assert do("x", "start").sources == [source.pk]
