"""A definition goes from one environment to the next: the same draw, its history, and nothing of the users there."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User

from aha.models import AhaMoment
from experiments.models import Assignment, Experiment
from experiments.plan import drafts
from experiments.serve import config, store_assignment
from experiments.serve.assign import assign_units
from insight_site.exports.copy_definition import bring
from insight_site.exports.definition import definition_of, digest_of
from insight_site.models import Promotion
from runs.refusals import Refused
from tests.experiments.make import draft, running

pytestmark = pytest.mark.django_db


def leave(settings: Any) -> None:
    """From here on this is production, which has nothing of staging."""
    Assignment.objects.all().delete()
    Experiment.objects.all().delete()
    config.forget()
    store_assignment.forget()
    settings.ENVIRONMENT = "production"


def taken(settings: Any, key: str = "guild", *, started: bool = False) -> dict[str, Any]:
    """A definition made in staging, and this site is production without it."""
    settings.ENVIRONMENT = "staging"
    (running if started else draft)(key)
    if started:
        list(assign_units(experiment_key=key, units=["qa-1", "qa-2"], clusters={}))
    else:
        drafts.update_draft(
            key=key, hypothesis="It helps very much.", why="better words", by=User.objects.create_user("ana")
        )
    document: dict[str, Any] = json.loads(json.dumps(definition_of(Experiment.objects.get(key=key))))
    leave(settings)
    return document


def arms(key: str) -> dict[str, Any]:
    units = [f"u{n}" for n in range(2_000)]
    return {unit: answer.variant for unit, answer in assign_units(experiment_key=key, units=units, clusters={})}


def test_bring__started_and_tried__is_a_draft_with_the_same_plan_and_what_was_tried(settings: Any) -> None:
    document = taken(settings, started=True)

    made = bring(document, by=None)

    assert (made.status, made.seed, made.started_at) == ("draft", document["draw"]["seed"], None)
    again = definition_of(made)
    assert again["plan"] == document["plan"]
    assert document["tried"]["units"] == 2
    assert again["tried"]["units"] == 0
    assert "qa-1" not in json.dumps(document)
    assert (again["history"][0]["environment"], again["history"][-1]["environment"]) == ("staging", "production")


@pytest.mark.slow
def test_draw__in_both_environments__gives_every_unit_the_same_arm(settings: Any) -> None:
    settings.ENVIRONMENT = "staging"
    there = running("guild")
    before = arms("guild")
    document = json.loads(json.dumps(definition_of(there)))
    leave(settings)

    made = bring(document, by=None)
    Experiment.objects.filter(pk=made.pk).update(status="running", started_at=there.started_at)
    config.forget()

    assert len(set(before.values())) == 2
    assert arms("guild") == before


def test_history__names_who_changed_what_and_why(settings: Any) -> None:
    document = taken(settings)

    last = document["history"][-1]
    assert (last["by"], last["why"], last["changed"]) == ("ana", "better words", ["hypothesis"])

    bring(document, by=None)
    assert Promotion.objects.get().history == document["history"]


def test_bring__again__changes_the_draft_until_it_has_started(settings: Any) -> None:
    document = taken(settings)
    bring(document, by=None)
    later = {**document, "version": 9, "plan": {**document["plan"], "hypothesis": "It helps much."}}
    later["digest"] = digest_of(later)

    made = bring(later, by=None)

    assert (made.hypothesis, Promotion.objects.count()) == ("It helps much.", 2)
    Experiment.objects.update(status="running")
    with pytest.raises(Refused, match="has started here"):
        bring(later, by=None)


def test_bring__over_a_draft_that_was_made_here__is_refused(settings: Any) -> None:
    document = taken(settings)
    draft("guild")

    with pytest.raises(Refused, match="was made here"):
        bring(document, by=None)


def test_bring__what_this_site_lacks__is_named_at_once_and_nothing_is_made(settings: Any) -> None:
    document = taken(settings)
    document["plan"] |= {"moment": "friends", "layer": "l"}
    document["plan"]["audience"] = [{"segment_key": "style.v1.g1", "coverage": 10_000, "weights": None}]
    document["digest"] = digest_of(document)

    with pytest.raises(Refused, match=r"lacks segment style\.v1\.g1, moment friends, layer l"):
        bring(document, by=None)
    assert not Experiment.objects.exists()
    assert not AhaMoment.objects.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: one["plan"].update(hypothesis="Mine."), "was changed"),
        (lambda one: one.update(format=2), "newer Insight"),
        (lambda one: one.update(plan=[]), "no definition"),
        (lambda one: one.update(version=True), "no definition"),
        (lambda one: one["plan"].update(key="../x"), "no definition"),
        (lambda one: one["draw"].update(seed=""), "no definition"),
        (lambda one: one["draw"].update(seed="씨앗"), "no definition"),
        (lambda one: one["draw"].update(hash_version=1), "no definition"),
        (lambda one: one.update(environment="production"), "comes from this environment"),
        (lambda one: one["plan"].update(alpha="x"), "wrong at alpha"),
        (lambda one: one["plan"].update(variants=[{"key": "a"}]), "wrong at variants"),
    ],
)
def test_bring__a_document_that_is_wrong__is_one_sentence(change: Any, said: str, settings: Any) -> None:
    document = taken(settings)
    change(document)
    if said != "was changed":
        document["digest"] = digest_of(document)

    with pytest.raises(Refused, match=said):
        bring(document, by=None)
    assert not Experiment.objects.exists()


@pytest.mark.parametrize("document", [None, [], "x", 3, {}, {"plan": {}}])
def test_bring__anything_else__is_no_definition(document: Any) -> None:
    with pytest.raises(Refused, match="no definition"):
        bring(document, by=None)
