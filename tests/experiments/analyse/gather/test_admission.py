"""What a public key can do to an experiment, end to end: through the door, the flush and the analysis."""

from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.utils import timezone

from benchmarks.audit_04.visitor import event, send
from events.models import Source
from experiments.analyse.analyses import create_analysis, run_analysis
from experiments.forms import SourcesField
from experiments.models import Analysis, Experiment, Rollout
from experiments.plan import amend, stored
from experiments.serve import shipping
from experiments.status import overview
from insight_site.access.keys import issue_key
from runs.refusals import Refused
from tests.experiments.analyse.gather.forging_site import (
    ELSEWHERE,
    SHOWN,
    analysed,
    drawn,
    forge,
    make_experiment,
    make_keys,
    numbers,
    other_arms,
    wrong,
)
from tests.experiments.make import do, draft, running
from tests.experiments.stored import backdate
from tests.marks import first_is_fast

UNITS = 700
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, settings: Any) -> None:
    settings.EVENTS_URL = str(tmp_path / "events")


@pytest.fixture
def keys() -> dict[str, str]:
    return make_keys()


@pytest.fixture
def experiment(keys: dict[str, str]) -> Experiment:
    made: Experiment = make_experiment(UNITS)
    return made


def checks(readout: Any) -> dict[str, Any]:
    return {finding.check: finding.details for finding in readout.health}


@pytest.mark.slow
@pytest.mark.parametrize("name", first_is_fast([SHOWN, ELSEWHERE]))
def test_forging__sixty_known_units_in_the_other_arm__changes_nothing_but_the_finding(
    experiment: Experiment, keys: dict[str, str], name: str
) -> None:
    before = analysed(experiment)

    forge(keys[name], other_arms(60))
    after = analysed(experiment)

    assert numbers(after) == numbers(before)
    assert before.flow.not_admitted == ()
    reason = "arm" if name == SHOWN else "source"
    assert checks(after)[f"not_admitted_{reason}"] == {"sender": name, "n": 60, "units": 60}


@pytest.mark.slow
def test_forging__invented_units_from_another_source__changes_nothing_but_the_finding(
    experiment: Experiment, keys: dict[str, str]
) -> None:
    before = analysed(experiment)

    forge(keys[ELSEWHERE], dict.fromkeys([f"invented{n}" for n in range(300)], "control"))
    after = analysed(experiment)

    assert numbers(after) == numbers(before)
    assert checks(after)["not_admitted_source"] == {"sender": ELSEWHERE, "n": 300, "units": 300}


@pytest.mark.slow
def test_forging__invented_units_with_wrong_arms_from_the_same_source__changes_nothing_but_the_finding(
    experiment: Experiment, keys: dict[str, str]
) -> None:
    before = analysed(experiment)

    forge(keys[SHOWN], wrong([f"invented{n}" for n in range(300)]))
    after = analysed(experiment)

    assert numbers(after) == numbers(before)
    assert checks(after)["not_admitted_arm"] == {"sender": SHOWN, "n": 300, "units": 300}


@pytest.mark.slow
def test_local_sdk__right_arms_from_a_client_key__are_admitted_beside_those_that_decide(
    experiment: Experiment, keys: dict[str, str]
) -> None:
    before, new = analysed(experiment), drawn([f"new{n}" for n in range(30)])

    send(keys[SHOWN], [event("page", unit, 21) for unit in new], "10.0.0.1")
    forge(keys[SHOWN], new)
    after = analysed(experiment)

    assert numbers(after) == numbers(before)
    assert after.flow.not_admitted == ()
    assert (after.flow.unverified.units, after.flow.unverified.others) == (30, UNITS)
    assert (after.flow.apart, after.with_unverified.left_out) == (True, 30)
    assert sum(after.with_unverified.exposed.values()) == UNITS + 30


@pytest.mark.slow
def test_invented_units__right_arms_in_an_experiment_of_0_4__are_counted_warned_of_and_left_out_beside(
    experiment: Experiment, keys: dict[str, str]
) -> None:
    Experiment.objects.update(client_new_ids=None)
    before = analysed(experiment)

    forge(keys[SHOWN], {unit: arm for unit, arm in drawn([f"i{n}" for n in range(400)]).items() if arm == "control"})
    after = analysed(experiment)

    assert after.verdict.code == "INVALID"  # nobody can tell by a hash, so the split is off: but the reader sees why
    assert "unverified_silent" in checks(after)
    found = after.without_unverified
    assert found.left_out > 150
    assert (found.verdict, found.sample_ratio, found.exposed) == (
        before.verdict,
        before.sample_ratio,
        before.flow.exposed,
    )
    assert [row[1] for row in found.differences] == [row.difference for row in before.report.outcomes[0].comparisons]


@pytest.mark.slow
def test_no_source_named__client_keys_only__says_who_was_not_admitted(keys: dict[str, str]) -> None:
    draft("x", primary_metrics=["window:7-13"])
    made = do("x", "start")
    assert made.sources == []  # two sources: a person must say which of them shows it
    backdate(made, timezone.now() - timedelta(days=42))
    forge(keys[SHOWN], drawn(["a", "b", "c"]))

    analysis = create_analysis(experiment=made)

    assert not run_analysis(analysis.pk)
    assert "3 exposures sent with client keys of web were not admitted" in Analysis.objects.get(pk=analysis.pk).reason


def test_start__one_source__is_taken(db: Any) -> None:
    source = Source.objects.create(name="only")
    draft("x")

    assert do("x", "start").sources == [source.pk]


@pytest.mark.slow
def test_overview__after_forging__counts_the_admitted_units(experiment: Experiment, keys: dict[str, str]) -> None:
    forge(keys[ELSEWHERE], dict.fromkeys([f"invented{n}" for n in range(300)], "control"))
    run_analysis(create_analysis(experiment=experiment).pk)

    standing = overview.standing(experiment)

    assert standing.exposed == UNITS
    assert "sample_ratio" not in [one.details.get("check") for one in standing.concerns]


def test_sources__named_later__are_a_logged_amendment_and_keep_the_plan_intact(keys: dict[str, str]) -> None:
    shown = Source.objects.get(name=SHOWN).pk
    running("x")

    amended = amend.amend(key="x", why="the app shows it", sources=[shown, shown])

    assert Experiment.objects.get(key="x").sources == [shown]
    assert amended.changes["sources"][0] == []
    assert stored.is_intact(Experiment.objects.get(key="x"))
    with pytest.raises(Refused, match="There is no source 99"):
        amend.amend(key="x", why="a slip", sources=[99])


def test_sources__on_a_page__are_names() -> None:
    one, two = (Source.objects.create(name=name) for name in ("web", "app"))
    field = SourcesField()

    assert sorted(field.prepare_value([one.pk, two.pk]).splitlines()) == ["app", "web"]
    assert field.clean("app\nweb\napp") == sorted([one.pk, two.pk])
    with pytest.raises(ValidationError, match="There is no source"):
        field.clean("blog")


def test_migration__experiments_of_0_3_that_had_started__go_on_hearing_every_source(keys: dict[str, str]) -> None:
    running("started")
    draft("waiting")

    import_module("experiments.migrations.0002_version_0_4").keep_what_counts(apps, None)

    started = Experiment.objects.get(key="started")
    assert started.sources == list(Source.objects.order_by("pk").values_list("pk", flat=True))
    assert stored.is_intact(started)
    assert Experiment.objects.get(key="waiting").sources == []


@pytest.mark.slow
def test_exposures__sent_after_a_variant_is_shipped__change_nothing_of_the_ended_experiment(
    experiment: Experiment, keys: dict[str, str]
) -> None:
    before = analysed(experiment)
    rows = [{"segment": None, "steps": [{"share": 10_000}]}]
    shipping.ship(key=experiment.key, arm="banner", rows=rows, proved=True, asked=shipping.Asked())
    Rollout.objects.update(first_at=timezone.now() - timedelta(days=25))  # `forge` sends as of 20 days ago
    _row, server = issue_key(name="s", source=Source.objects.get(name=SHOWN), kind="server", scopes=["events:write"])

    forge(server, other_arms(60))  # an app that goes on telling what it shows, and is believed
    after = analysed(experiment)
    Rollout.objects.all().delete()
    believed = analysed(experiment)

    assert numbers(after) == numbers(before)
    assert numbers(believed) != numbers(before)  # the test has shown nothing unless it would have counted
