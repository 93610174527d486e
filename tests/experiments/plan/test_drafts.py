"""Plans: freezing at the start, amendments with a log, history, and two people at once."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils import timezone

from experiments.models import Amendment, AudienceRow, ConfigVersion, Experiment, Holdout, Layer, Override, Variant
from experiments.plan import amend, drafts, moves
from experiments.plan.lifecycle import Action
from experiments.serve import config, overrides
from runs.refusals import Refused
from tests.experiments.make import ARMS, IOS, do, draft, running

pytestmark = pytest.mark.django_db


def test_start__of_a_draft_that_is_not_ready__names_every_reason_and_changes_nothing() -> None:
    draft(hypothesis="", primary_metrics=[])

    with pytest.raises(Refused) as caught:
        do("exp", "start")

    assert str(caught.value) == "The plan needs a hypothesis. The plan needs one or two primary outcomes."
    assert Experiment.objects.get().status == "draft"
    assert config.current().flags == {}


def test_move__that_the_table_refuses__says_why() -> None:
    running()

    with pytest.raises(Refused, match="is running"):
        do("exp", "conclude")
    with pytest.raises(Refused, match="no experiment 'none'"):
        do("none", "start")


def test_moves__are_stamped_and_kept_in_the_history_with_their_person() -> None:
    pm = User.objects.create(username="pm")
    draft()
    for action in (Action.START, Action.CLOSE_ENROLMENT, Action.PAUSE, Action.RESUME, Action.STOP, Action.CONCLUDE):
        moves.move(key="exp", action=action, by=pm, why=f"because {action}")

    row = Experiment.objects.get()
    assert None not in (row.started_at, row.enrolment_closed_at, row.stopped_at, row.concluded_at)
    history = list(row.history.order_by("history_id"))
    assert [one.status for one in history] == [
        "draft",
        "running",
        "running",
        "paused",
        "running",
        "stopped",
        "concluded",
    ]
    assert {one.history_user for one in history[1:]} == {pm}
    assert history[1].history_change_reason == "because start"
    assert history[2].version == 3


@pytest.mark.parametrize("field", ["flag_key", "seed", "hash_version", "enrolment", "layer_low", "value_type"])
def test_frozen_field__of_a_started_experiment__is_refused_everywhere(field: str) -> None:
    row = running()
    value: Any = 1 if field in ("hash_version", "layer_low") else "number"

    with pytest.raises(Refused, match="frozen"):
        amend.amend(key="exp", why="try", **{field: value})
    with pytest.raises(Refused, match="has started"):
        drafts.update_draft(key="exp", **{field: value})
    setattr(row, field, value)
    with pytest.raises(ValidationError, match="frozen"):
        row.clean()


def test_arms_and_rows__of_a_started_experiment__are_frozen_but_for_growing_coverage() -> None:
    running(audience=[{"segment_key": "a", "rule": IOS, "coverage": 5_000}])
    arm, row = Variant.objects.order_by("position")[0], AudienceRow.objects.get()

    for changed, field, value in (
        (arm, "weight", 1),
        (arm, "value", "x"),
        (arm, "key", "k"),
        (row, "segment_key", "b"),
        (row, "weights", [1, 9_999]),
        (row, "rule", {}),
    ):
        fresh = type(changed).objects.get(pk=changed.pk)
        setattr(fresh, field, value)
        with pytest.raises(ValidationError, match="frozen"):
            fresh.clean()
    with pytest.raises(ValidationError, match="nothing can be added"):
        Variant(experiment=arm.experiment, position=2, key="late", value="x", weight=0).clean()
    row.coverage = 4_999
    with pytest.raises(ValidationError, match="only grow"):
        row.clean()
    row.coverage = 5_001
    row.clean()
    for refused in (5_000, 10_001):
        with pytest.raises(Refused, match="only grow"):
            amend.raise_coverage(key="exp", position=0, coverage=refused, why="x")
    amend.raise_coverage(key="exp", position=0, coverage=10_000, why="all is well")
    assert Amendment.objects.get().changes == {"coverage of a": [5_000, 10_000]}


def test_amendment__is_logged_with_who_when_why_and_both_values() -> None:
    pm = User.objects.create(username="pm")
    running()
    end = timezone.localdate() + timedelta(days=60)
    before = Experiment.objects.get().planned_end

    amend.amend(key="exp", why="slow enrolment", by=pm, planned_end=end, guardrail_metrics=["on_day:1"])

    log = Amendment.objects.get()
    assert (log.by, log.why) == (pm, "slow enrolment")
    assert log.changes == {
        "planned_end": [before.isoformat() if before else None, end.isoformat()],
        "guardrail_metrics": [[], ["on_day:1"]],
    }
    assert Experiment.objects.get().version == 3
    with pytest.raises(Refused, match="reason"):
        amend.amend(key="exp", why=" ", planned_end=end)
    with pytest.raises(Refused, match="primary outcomes"):
        amend.amend(key="exp", why="try", primary_metrics=[])
    assert Experiment.objects.get().primary_metrics == ["window:14-20"]


def test_layer__slices_that_overlap__cannot_both_start() -> None:
    layer = Layer.objects.create(key="onboarding")
    running("a", layer=layer, layer_low=0, layer_high=5_000)
    draft("b", layer=layer, layer_low=4_999, layer_high=10_000)

    with pytest.raises(Refused, match="overlaps that of 'a'"):
        do("b", "start")
    do("a", "stop")
    assert do("b", "start").status == "running"


def test_flag__of_a_live_experiment__is_taken_until_it_ends() -> None:
    running("a", flag_key="flag")
    draft("b", flag_key="flag")
    do("a", "pause")

    with pytest.raises(Refused, match="already served by the experiment 'a'"):
        do("b", "start")
    do("a", "stop")
    assert do("b", "start").status == "running"


def test_draft__takes_the_active_holdout_and_refuses_what_no_field_can_hold() -> None:
    holdout = Holdout.objects.create(key="2026h2", share=500)

    assert draft("a").holdout == holdout
    assert draft("b", holdout=None).holdout is None
    with pytest.raises(Refused, match="key"):
        draft("a")
    with pytest.raises(Refused, match="method"):
        draft("c", method="peek")
    with pytest.raises(Refused, match="same key"):
        draft("d", variants=[ARMS[0], ARMS[0]])
    assert set(Experiment.objects.values_list("key", flat=True)) == {"a", "b"}


def test_draft__changed__keeps_what_is_not_named() -> None:
    draft(audience=[{"segment_key": "a"}])

    drafts.update_draft(
        key="exp", hypothesis="Better.", variants=[*ARMS[:1], {"key": "gift", "value": "g", "weight": 5_000}]
    )

    row = Experiment.objects.get()
    assert (row.hypothesis, [v.key for v in row.variants.all()]) == ("Better.", ["control", "gift"])
    assert [r.segment_key for r in row.audience.all()] == ["a"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"variant": "nope", "unit": "u"}, "no group 'nope'"),
        ({"variant": "banner"}, "user or a rule"),
        ({"variant": "banner", "unit": "u", "rule": {}}, "user or a rule"),
        ({"variant": "banner", "unit": ""}, "not empty"),
    ],
)
def test_override__that_makes_no_sense__is_refused(given: dict[str, Any], sentence: str) -> None:
    running()

    with pytest.raises(Refused, match=sentence):
        overrides.set_override(key="exp", **given)


def test_override__removed__lets_the_draw_decide_again() -> None:
    running()
    overrides.set_override(key="exp", unit="qa", variant="banner")
    again = overrides.set_override(key="exp", unit="qa", variant="control")
    config.forget()
    assert config.current().flags["exp"].overrides == {"qa": 0}

    overrides.remove_override(override=again)
    config.forget()

    assert config.current().flags["exp"].overrides == {}


def test_every_change__that_the_doors_must_see__raises_the_number_of_the_configuration() -> None:
    later = timezone.localdate() + timedelta(days=90)
    draft(audience=[{"segment_key": "a", "rule": IOS, "coverage": 5_000}])
    changes: list[Any] = [
        lambda: moves.move(key="exp", action=Action.START),
        lambda: overrides.set_override(key="exp", unit="qa", variant="banner"),
        lambda: amend.raise_coverage(key="exp", position=0, coverage=6_000, why="x"),
        lambda: amend.amend(key="exp", why="x", planned_end=later),
        lambda: overrides.remove_override(override=Override.objects.get()),
        lambda: moves.move(key="exp", action=Action.PAUSE),
    ]
    numbers = [0]

    for change in changes:
        change()
        numbers.append(ConfigVersion.objects.get().version)

    assert numbers == sorted(set(numbers))
