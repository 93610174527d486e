"""The registered text: from the plan alone, the same each time, taken at the start and never changed."""

import hashlib
import json
from dataclasses import fields, replace

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from experiments.models import Experiment, Registration
from experiments.plan import amend
from experiments.plan.record import Plan
from experiments.plan.registration import (
    HEADINGS,
    changed_since,
    hash_of,
    preregistration,
    record_in,
    record_of,
    text_of,
)
from experiments.plan.stored import plan_of
from tests.experiments.make import do, draft

pytestmark = pytest.mark.django_db


def test_text__in_another_language__is_the_same() -> None:
    plan = plan_of(draft("exp", hypothesis="추천이\n남게 한다"))
    with translation.override("ko"):
        korean = text_of(plan)

    assert korean == text_of(plan)
    assert "Hypothesis: 추천이 남게 한다" in korean
    assert record_in(korean) == record_of(plan)


def test_text__names_fields_of_the_plan() -> None:
    named = [name for _heading, labels in HEADINGS for name in labels]

    assert len(named) == len(set(named))
    assert set(named) <= {one.name for one in fields(Plan)}


@pytest.mark.parametrize(
    "change", [{"alpha": 0.01}, {"seed": "other"}, {"covariates": ("country",)}, {"sources": (7,)}]
)
def test_hash__of_a_plan_that_differs_anywhere__is_another(change: dict[str, object]) -> None:
    plan = plan_of(draft("exp"))

    assert hash_of(text_of(replace(plan, **change))) != hash_of(text_of(plan))  # type: ignore[arg-type]


def test_start__registers_the_plan_and_an_amendment_leaves_the_text(admin_client: Client) -> None:
    row = draft("exp")
    before, _sha256 = preregistration(row)
    row = do("exp", "start")
    kept = Registration.objects.get(experiment=row)

    amend.amend(key="exp", why="more users came", planned_units=20_000)
    row = Experiment.objects.get(pk=row.pk)
    file = admin_client.get(reverse("experiments:plan_export", args=["exp", "osf"])).content
    text, _, last = file.decode().rpartition("SHA-256 of everything above this line: ")

    assert json.loads(kept.text.splitlines()[-1])["key"] == "exp"
    assert before.splitlines()[:8] == kept.text.splitlines()[:8]
    assert preregistration(row) == (kept.text, kept.sha256)
    assert (text, last) == (kept.text, f"{kept.sha256}\n")
    assert hashlib.sha256(text.encode()).hexdigest() == kept.sha256
    assert changed_since(row, kept.text) == {}


def test_plan__changed_past_the_doors__is_told_from_an_amendment() -> None:
    draft("exp")
    row = do("exp", "start")
    kept = Registration.objects.get(experiment=row)
    row.variants.filter(key=row.variants.last().key).update(weight=4_000)  # type: ignore[union-attr]
    Experiment.objects.filter(pk=row.pk).update(power=0.5)

    found = changed_since(Experiment.objects.get(pk=row.pk), kept.text)

    assert found.keys() == {"power", "variants"}
    assert found["power"] == (0.8, 0.5)
