"""Plans that pick from the catalogue: they keep version and definition, whatever becomes of the metric."""

from typing import Any

import pytest

from events.catalogue import save_metrics
from events.catalogue.yaml_file import Entry
from events.metrics.facts import Facts
from events.models import Metric
from experiments.models import ChosenMetric, Experiment
from experiments.plan import drafts
from experiments.plan.amend import amend
from experiments.plan.catalogue_metrics import chosen_sentences
from experiments.plan.lifecycle import Action
from experiments.plan.moves import move
from experiments.plan.stored import is_intact, plan_of
from runs.refusals import Refused
from tests.events.metric_catalogue.make import certified, metric
from tests.experiments.make import draft, running

pytestmark = pytest.mark.django_db
OLD, NEW = "sum:buy:price:0-6", "sum:buy:price:0-13"


def newer(key: str = "revenue", definition: str = NEW) -> Metric:
    return save_metrics.change_metric(key=key, facts=Facts(definition))


def rows(experiment: Experiment) -> list[tuple[str, str, bool]]:
    found = ChosenMetric.objects.filter(experiment=experiment).select_related("version__metric").order_by("id")
    return [(str(one.version), one.definition, one.frozen_at is not None) for one in found]


def test_draft__names_a_metric__has_its_definition_and_says_whence() -> None:
    certified(margin=0.5, direction="higher")

    row = draft("exp", primary_metrics=["window:14-20"], guardrail_metrics=["metric:revenue"])

    assert row.guardrail_metrics == [OLD]
    assert row.guardrail_rules == {OLD: {"direction": "higher", "margin": 0.5}}
    assert plan_of(row).guardrails == (OLD,)
    assert rows(row) == [("revenue 1", OLD, False)]
    assert chosen_sentences(row) == ["Revenue, version 1 (certified)"]


def test_draft__a_rule_of_its_own__stays_above_the_metrics() -> None:
    certified(margin=0.5)

    row = draft(
        "exp",
        guardrail_metrics=["metric:revenue"],
        guardrail_rules={"metric:revenue": {"direction": "lower", "margin": 2.0}},
    )

    assert row.guardrail_rules == {OLD: {"direction": "lower", "margin": 2.0}}


def test_running__a_new_version__changes_nothing_of_the_plan_and_is_said() -> None:
    certified()
    row = running("exp", primary_metrics=["metric:revenue"])
    before = plan_of(row)

    newer()

    row = Experiment.objects.get(key="exp")
    assert plan_of(row) == before
    assert row.primary_metrics == [OLD]
    assert rows(row) == [("revenue 1", OLD, True)]
    assert is_intact(row)
    assert chosen_sentences(row) == [
        "Revenue, version 1 (certified). Version 2 is newer (draft); this plan stays with version 1."
    ]


def test_running__an_import_of_another_definition__changes_nothing_of_the_plan() -> None:
    certified()
    row = running("exp", primary_metrics=["metric:revenue"])
    before = plan_of(row)
    entry = save_metrics.entry_of(Metric.objects.get())

    save_metrics.import_entries([Entry("revenue", entry.about, Facts(NEW), "draft")])

    row = Experiment.objects.get(key="exp")
    assert (plan_of(row), is_intact(row)) == (before, True)
    assert Metric.objects.get().version == 2


def test_deprecated__cant_be_picked_anew_but_what_runs_says_it_and_can_be_amended() -> None:
    certified()
    row = running("exp", primary_metrics=["metric:revenue"])
    save_metrics.deprecate(key="revenue")

    with pytest.raises(Refused, match="is deprecated"):
        draft("other", primary_metrics=["metric:revenue"])
    amend(key="exp", why="watch it", secondary_metrics=["metric:revenue@1", "on_day:7"])

    row.refresh_from_db()
    assert row.secondary_metrics == [OLD, "on_day:7"]
    assert "it can't be picked anew" in chosen_sentences(row)[0]


def test_start__of_a_draft_whose_metric_was_deprecated__is_refused() -> None:
    certified()
    draft("exp", primary_metrics=["metric:revenue"])
    save_metrics.deprecate(key="revenue")

    with pytest.raises(Refused, match="is deprecated"):
        move(key="exp", action=Action.START)

    assert Experiment.objects.get(key="exp").status == "draft"


def test_draft__a_newer_version__is_taken_only_when_it_is_picked_again() -> None:
    certified()
    row = draft("exp", primary_metrics=["metric:revenue"])
    newer()

    drafts.update_draft(key="exp", primary_metrics=["metric:revenue@1"], name="Other")
    assert rows(row) == [("revenue 1", OLD, False)]

    drafts.update_draft(key="exp", primary_metrics=["metric:revenue"])
    row = Experiment.objects.get(key="exp")
    assert (rows(row), row.primary_metrics) == ([("revenue 2", NEW, False)], [NEW])
    with pytest.raises(Refused, match="choose version 2"):
        drafts.update_draft(key="exp", primary_metrics=["metric:revenue@1"])


def test_draft__the_same_definition_written_by_hand_before__is_the_metrics_once_it_is_picked() -> None:
    certified()
    row = draft("exp", primary_metrics=[OLD])
    assert rows(row) == []

    drafts.update_draft(key="exp", primary_metrics=["metric:revenue"])

    assert rows(row) == [("revenue 1", OLD, False)]


def test_draft__another_outcome_in_its_place__forgets_the_metric() -> None:
    certified()
    row = draft("exp", primary_metrics=["metric:revenue"])

    drafts.update_draft(key="exp", primary_metrics=["on_day:7"])

    assert rows(row) == []


def test_clone__says_the_same_of_its_outcomes() -> None:
    certified()
    row = running("exp", primary_metrics=["metric:revenue"])
    newer()

    copy = drafts.clone(experiment=row, key="copy")

    assert rows(copy) == [("revenue 1", OLD, False)]


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        ({"primary_metrics": ["metric:nothing"]}, "There is no metric 'nothing'"),
        ({"primary_metrics": ["metric:revenue@7"]}, "no version 7"),
        ({"guardrail_rules": {"metric:nothing": {"direction": "higher", "margin": 1}}}, "There is no metric 'nothing'"),
    ],
)
def test_draft__a_metric_that_isnt_there__is_refused_and_nothing_is_made(lists: dict[str, Any], said: str) -> None:
    metric()

    with pytest.raises(Refused, match=said):
        draft("exp", **lists)

    assert not Experiment.objects.exists()


def test_old_plans__without_the_catalogue__say_nothing() -> None:
    assert chosen_sentences(running("exp")) == []
