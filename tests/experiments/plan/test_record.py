"""Who must see which field of the plan, and until when its column may change: the whole table, both ways."""

import hashlib
import json
import math
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from experiments.analyse.outcome_lock import looks_of
from experiments.analyse.result import Maturity, State
from experiments.plan import derived
from experiments.plan.analysed import History, analysed, from_document, same_numbers, to_document
from experiments.plan.derived import Serving
from experiments.plan.planned_power import Inflow, effect_and_units, planned_prices, power_plan
from experiments.plan.record import (
    COPIED,
    LOCKS,
    OTHER,
    Claim,
    Explained,
    GuardrailRule,
    Plan,
    PlannedNudge,
    PlannedOther,
    PlannedRow,
    PlannedVariant,
    Predictor,
    Slice,
)
from reporting.document import dump

BASE = Plan(
    key="invite",
    flag="guild",
    name="Invite",
    hypothesis="It helps.",
    nudge="a banner",
    claim=Claim("adds", "two adds", "add", 2, 3, "window:14-20", 0.4, 0.3, 0.5),
    variants=(
        PlannedVariant("control", 1, 4_000),
        PlannedVariant("banner", 2, 3_000, "nudge", name="Banner"),
        PlannedVariant("loud", 3, 3_000, "dose", dose=5),
    ),
    value_type="integer",
    default=0,
    primary=("window:14-20",),
    secondary=("window:7-13",),
    guardrails=("on_day:7",),
    guardrail_rules={"on_day:7": GuardrailRule("higher", 0.02)},
    alpha=0.05,
    power=0.8,
    smallest_effect=0.1,
    planned_effect=0.15,
    expected_take_up=0.5,
    method="group_sequential",
    looks=(0.5, 1.0),
    spending="obrien_fleming",
    planned_units=10_000,
    planned_end=date(2026, 12, 24),
    covariates=("platform",),
    signup_event="signup",
    clock="exposure",
    day_mode="rolling",
    churn_gap=7,
    enrolment="all",
    audience=(PlannedRow("solo", 5_000), PlannedRow(None, 10_000)),
    layer=Slice("layer:home", 0, 5_000),
    holdout=Slice("holdout:all", 500, 10_000),
    sources=(1,),
    seed="9f2c",
    hash_version=2,
)
HISTORY = History(date(2026, 11, 24))
SERVING = Serving(1, (11, 12, 13), 3, "running", datetime(2026, 11, 24, tzinfo=UTC))
WORTH = Explained(0.2, 0.15, 0.25, 2_000, 800)
INFLOW = Inflow(date(2026, 10, 1), date(2026, 10, 28), 2_800, 100.0, 0.3, None, 20, None, WORTH)
SEGMENTS = {"solo": 0.2, "duo": 0.3}

# Field of the plan: another value for it, and who must see the change. Nobody else may.
EVERY_NUMBER = {"page", "hash", "verdict", "power"}
TABLE: dict[str, tuple[Any, set[str]]] = {
    "key": ("other", {"questions", "page", "hash", "flag"}),
    "flag": ("other", {"flag"}),
    "name": ("Other", {"page", "flag"}),
    "hypothesis": ("It harms.", {"page"}),
    "nudge": ("a letter", {"page"}),
    "claim.key": ("other", {"page", "hash"}),
    "claim.name": ("other", {"page", "hash", "verdict"}),
    "claim.behaviour": ("chat", {"questions", "page", "hash", "verdict"}),
    "claim.times": (3, {"questions", "page", "hash", "verdict"}),
    "claim.days": (4, {"questions", "page", "hash", "verdict"}),
    "claim.retention": ("on_day:7", {"page", "hash"}),
    "claim.promised": (0.45, {"page", "hash"}),
    "claim.promised_low": (0.35, {"page", "hash"}),
    "claim.promised_high": (0.55, {"page", "hash"}),
    "variants.key": ("other", {"questions", "page", "hash", "verdict", "flag"}),
    "variants.value": (7, {"flag"}),
    "variants.weight": (2_000, {*EVERY_NUMBER, "flag"}),
    "variants.role": ("placebo", EVERY_NUMBER),
    "variants.dose": (6, {"page", "hash"}),
    "variants.name": ("Other", {"flag"}),
    "value_type": ("number", {"flag"}),
    "default": (9, {"flag"}),
    "primary": (("window:14-20", "on_day:14"), {"questions", *EVERY_NUMBER}),
    "secondary": ((), {"questions", "page", "hash", "verdict"}),
    "guardrails": ((), {"questions", "page", "hash", "verdict"}),
    "guardrail_rules": ({"on_day:7": GuardrailRule("lower", 0.02)}, {"page", "hash"}),
    "otherwise": ("ship", {"page", "hash"}),
    "alpha": (0.1, EVERY_NUMBER),
    "power": (0.9, {"page", "hash", "power"}),
    "smallest_effect": (0.2, EVERY_NUMBER),
    "planned_effect": (0.25, {"page", "hash", "power"}),
    "expected_take_up": (0.4, {"page", "hash", "power"}),
    "method": ("always_valid", EVERY_NUMBER),
    "looks": ((0.2, 1.0), EVERY_NUMBER),
    "spending": ("pocock", EVERY_NUMBER),
    "planned_units": (12_000, EVERY_NUMBER),
    "planned_end": (date(2027, 1, 24), {"page", "hash"}),
    "covariates": (("country",), {"questions", "page", "hash", "verdict"}),
    "signup_event": ("register", {"questions"}),
    "clock": ("signup", {"questions", "page", "hash", "verdict"}),
    "day_mode": ("calendar", {"questions", "page", "hash", "verdict"}),
    "churn_gap": (14, {"questions", "page", "hash"}),
    "enrolment": ("new_units", {"flag"}),
    "audience.segment": ("duo", {"page", "hash", "flag", "share"}),
    "audience.coverage": (6_000, {"flag", "share"}),
    "audience.weights": ((5_000, 2_500, 2_500), {"page", "hash", "verdict", "flag"}),
    "audience.rule": ({"all": []}, {"flag"}),
    "layer.seed": ("layer:away", {"flag"}),
    "layer.low": (1_000, {"flag", "share"}),
    "layer.high": (6_000, {"flag", "share"}),
    "holdout.seed": ("holdout:some", {"flag"}),
    "holdout.low": (1_000, {"flag", "share"}),
    "holdout.high": (9_000, {"flag", "share"}),
    "remote_only": (True, {"flag"}),
    "sources": ((1, 2), {"senders"}),
    "seed": ("77aa", {"flag"}),
    "hash_version": (1, {"flag"}),
    "adjustment": ("lin", EVERY_NUMBER),
    "active_days_before": (7, {"questions", "page", "hash"}),
    "cluster": ("guild", {"questions", "page", "hash", "verdict", "flag"}),
    "others": ((PlannedOther("chat", 1, 0.0, 0.1, "promise"),), {"questions", "page", "hash", "verdict"}),
    "saturations": (((0, 5_000), (5_000, 5_000)), {"questions", "page", "hash", "flag"}),
    "kind": ("lab", {"page", "hash", "verdict", "flag"}),
    "nudges": ((PlannedNudge("pals", 5_000, "chat"),), {"questions", "page", "hash"}),
    "most_nudges": (2, {"page", "hash"}),
}


def changed(name: str, value: Any) -> Plan:
    """The plan with one field changed; of variants that is the second or, for its dose, the third."""
    outer, _, inner = name.partition(".")
    if not inner:
        return replace(BASE, **{outer: value})
    part = getattr(BASE, outer)
    if not isinstance(part, tuple):
        return replace(BASE, **{outer: replace(part, **{inner: value})})
    place = {"variants": 2 if inner == "dose" else 1, "audience": 0}[outer]
    rows: Any = (*part[:place], replace(part[place], **{inner: value}), *part[place + 1 :])
    return replace(BASE, **{outer: rows})


def seen_by(plan: Plan) -> dict[str, str]:
    """What each consumer makes of a plan, as text: 1 and 1.0 are another value of a flag."""
    stored, asked = analysed(plan, HISTORY), derived.asked(plan)
    planned = power_plan(plan, INFLOW)
    effect, units = effect_and_units(plan, 100.0, planned)
    everyone = dict.fromkeys(plan.arms, 1_000)
    maturity = Maturity(State.OPEN, "look", None, False, False, 0.5, everyone, everyone)
    design = derived.design(
        plan,
        outcomes=asked.outcomes,
        covariates=asked.covariates,
        segmented=False,
        shares=dict(zip(plan.arms, next(iter(plan.shares.values())), strict=True)),
    )
    made = {
        "questions": asked,
        "page": to_document(replace(stored, definition="")),
        "hash": stored.definition,
        "verdict": (design, looks_of(plan, maturity, ()), plan.measured),
        "power": (planned, effect, units, plan.planned_units, planned_prices(plan, planned, units)),
        "flag": derived.flag(plan, SERVING),
        "share": (derived.share_left(plan), derived.audience_share(plan.audience, SEGMENTS.__getitem__)),
        "senders": derived.senders(plan),
    }
    return {name: repr(value) for name, value in made.items()}


def test_table__names_every_field_once() -> None:
    parts = {"claim": Claim, "variants": PlannedVariant, "audience": PlannedRow, "layer": Slice, "holdout": Slice}
    every = [
        name
        for one in fields(Plan)
        for name in (
            [f"{one.name}.{inner.name}" for inner in fields(parts[one.name])] if one.name in parts else [one.name]
        )
    ]

    assert sorted(TABLE) == sorted(every)


@pytest.mark.parametrize("name", TABLE)
def test_field__changed__is_seen_by_whom_it_concerns_and_by_nobody_else(name: str) -> None:
    value, concerned = TABLE[name]

    before, after = seen_by(BASE), seen_by(changed(name, value))

    assert {consumer for consumer in before if before[consumer] != after[consumer]} == concerned


@pytest.mark.parametrize("name", TABLE)
def test_field__changed__makes_a_running_analysis_void_where_a_number_depends_on_it(name: str) -> None:
    value, concerned = TABLE[name]
    plans = (BASE, changed(name, value))

    stored, asked = [analysed(plan, HISTORY) for plan in plans], [derived.asked(plan) for plan in plans]

    same = same_numbers(*stored) and asked[0] == asked[1]
    assert same == concerned.isdisjoint({"hash", "questions"})


def test_definition__of_a_plan_that_uses_nothing_newer__is_that_of_version_03() -> None:
    plan = replace(BASE, guardrail_rules={}, planned_effect=None)
    newer = {"planned_effect", "adjustment", "active_days_before", "prediction", "guardrail_rules", "otherwise"}
    newer |= {"cluster", "saturations", "others", "kind", "nudges", "most_nudges", "name", "hypothesis", "nudge"}

    stored = analysed(plan, HISTORY)

    first = {name: value for name, value in dump(replace(stored, definition="")).items() if name not in newer}
    text = json.dumps(first, sort_keys=True, default=str)
    assert stored.definition == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("name", TABLE)
def test_document__read_back__gives_the_same_document(name: str) -> None:
    document = to_document(analysed(changed(name, TABLE[name][0]), HISTORY))

    assert to_document(from_document(json.loads(json.dumps(document)))) == document


@pytest.mark.parametrize(
    "broken", [{"shares": {}}, {"shares": {"": [0.5, 0.5]}}, {"variants": None}, {"started": "soon"}, {"alpha": "low"}]
)
def test_document__of_another_shape__is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        from_document(to_document(analysed(BASE, HISTORY)) | broken)


def test_placebo__is_never_the_control() -> None:
    plan = replace(BASE, variants=(replace(BASE.variants[0], role="placebo"), *BASE.variants[1:]))

    assert plan.placebo is None
    assert power_plan(plan, INFLOW).placebo is None


# ── The columns ───────────────────────────────────────────────────────────────
FROZEN, JUDGING, OPEN = "frozen", "judging", "open"
COLUMNS: dict[str, tuple[str, str, Any]] = {
    "key": ("key", FROZEN, "other"),
    "flag_key": ("flag", FROZEN, "other"),
    "name": ("name", OPEN, "Other"),
    "hypothesis": ("hypothesis", OPEN, "It harms."),
    "nudge": ("nudge", OPEN, "a letter"),
    "moment_id": ("claim", FROZEN, None),
    "value_type": ("value_type", FROZEN, "json"),
    "default_value": ("default", FROZEN, "other"),
    "primary_metrics": ("primary", JUDGING, ["on_day:14"]),
    "secondary_metrics": ("secondary", OPEN, ["on_day:7"]),
    "guardrail_metrics": ("guardrails", OPEN, ["on_day:7"]),
    "guardrail_rules": ("guardrail_rules", JUDGING, {"on_day:7": {"direction": "higher", "margin": 0.01}}),
    "otherwise": ("otherwise", JUDGING, "ship"),
    "alpha": ("alpha", JUDGING, 0.1),
    "power": ("power", OPEN, 0.9),
    "smallest_effect": ("smallest_effect", JUDGING, 0.05),
    "planned_effect": ("planned_effect", OPEN, 0.1),
    "method": ("method", JUDGING, "always_valid"),
    "expected_take_up": ("expected_take_up", JUDGING, 0.4),
    "planned_units": ("planned_units", JUDGING, 2_000),
    "planned_end": ("planned_end", JUDGING, date(2030, 1, 1)),
    "looks": ("looks", JUDGING, [0.5, 1.0]),
    "spending": ("spending", JUDGING, "pocock"),
    "covariates": ("covariates", JUDGING, ["platform"]),
    "signup_event": ("signup_event", JUDGING, "register"),
    "clock": ("clock", JUDGING, "signup"),
    "day_mode": ("day_mode", JUDGING, "calendar"),
    "churn_gap": ("churn_gap", JUDGING, 14),
    "enrolment": ("enrolment", FROZEN, "new_units"),
    "layer_id": ("layer", FROZEN, None),
    "layer_low": ("layer", FROZEN, 10),
    "layer_high": ("layer", FROZEN, 20),
    "holdout_id": ("holdout", FROZEN, None),
    "remote_only": ("remote_only", OPEN, True),
    "sources": ("sources", OPEN, [1]),
    "seed": ("seed", FROZEN, "77aa"),
    "hash_version": ("hash_version", FROZEN, 1),
    "primary": ("adjustment", JUDGING, "lin"),
    "active_days_before": ("active_days_before", JUDGING, 7),
    "cluster": ("cluster", FROZEN, "guild"),
    "saturations": ("saturations", FROZEN, [[0, 5_000], [5_000, 5_000]]),
    "kind": ("kind", FROZEN, "lab"),
    "nudges": ("nudges", FROZEN, [dump(PlannedNudge("pals", 5_000, "chat"))]),
    "most_nudges": ("most_nudges", FROZEN, 2),
    "other_behaviours": (
        "others",
        FROZEN,
        [{"behaviour": "chat", "times": 1, "low": 0.0, "high": 0.1, "origin": "promise", "consequence": ""}],
    ),
}
NO_PLAN = {
    "id",
    "status",
    "version",
    "created_by_id",
    "owner_id",
    "drafted_by_agent",
    "client_new_ids",
    "time_zone",
    "expected_daily_units",
    "expected_base",
    "end_before_05",
    "created_at",
    "started_at",
    "enrolment_closed_at",
    "stopped_at",
    "concluded_at",
}


def test_columns__every_one_of_the_row_is_in_the_table_or_no_plan() -> None:
    from experiments.models import Experiment

    assert {column: lock for column, (_field, lock, _value) in COLUMNS.items()} == LOCKS
    assert {one.attname for one in Experiment._meta.concrete_fields} - NO_PLAN == set(COLUMNS)
    assert set(LOCKS) - set(COPIED) == {"key", "seed", "hash_version", "planned_end"}


@pytest.mark.django_db
@pytest.mark.parametrize("column", COLUMNS)
def test_column__changed__changes_its_field_and_no_other(column: str) -> None:
    from aha.models import AhaMoment
    from experiments.models import Holdout, Layer
    from experiments.plan.stored import plan_of
    from tests.experiments.make import draft
    from tests.experiments.stored import MOMENT

    name, _lock, value = COLUMNS[column]
    row = draft(layer=Layer.objects.create(key="home"))
    before = plan_of(row)
    made = {
        "moment_id": lambda: AhaMoment.objects.create(**MOMENT).pk,
        "layer_id": lambda: Layer.objects.create(key="away").pk,
        "holdout_id": lambda: Holdout.objects.create(key="all", share=500).pk,
    }

    setattr(row, column, made[column]() if column in made else value)

    after = plan_of(row)
    assert [one.name for one in fields(Plan) if getattr(before, one.name) != getattr(after, one.name)] == [name]


@pytest.mark.parametrize(
    ("weights", "same"), [([], True), ([None], True), ([None, (5, 3, 2)], False), ([(5, 3, 2), (5, 3, 2)], True)]
)
def test_split__of_segments__is_the_same_where_all_shares_are(weights: list[Any], same: bool) -> None:
    rows = tuple(PlannedRow(f"s{place}", 10_000, weight) for place, weight in enumerate(weights))

    assert replace(BASE, audience=rows).same_split == same


@pytest.mark.parametrize(
    ("drawn", "inside"),
    [((), False), (((0, 1),), False), (((10_000, 1),), False), (((0, 1), (10_000, 1)), False), (((1, 1),), True),
     (((9_999, 1),), True), (((0, 1), (5_000, 1)), True)],
)  # fmt: skip
def test_behaviour__is_tested_inside_clusters__where_some_are_nudged_in_part(
    drawn: tuple[tuple[int, int], ...], inside: bool
) -> None:
    assert replace(BASE, cluster="guild", saturations=drawn).inside_clusters == inside
    assert not replace(BASE, cluster="", saturations=drawn).inside_clusters
    assert not replace(BASE, cluster="guild", claim=None, saturations=drawn).inside_clusters


def test_predictor__of_a_share__is_logistic_and_a_new_level_counts_as_a_rare_one() -> None:
    weights = {"platform": {"ios": 1.0, OTHER: -1.0}, "country": {"KR": 0.5}}
    model = Predictor("on_day:7", "signup", "logit", -1.0, weights, WORTH, 100, date(2026, 1, 1), date(2026, 1, 9))
    levels = [["ios", "KR"], ["new", "KR"], ["ios", "new"]]

    straight = replace(model, link="identity").score(["platform", "country"], levels)

    assert straight.tolist() == [0.5, -1.5, 0.0]
    assert model.score(["platform", "country"], levels).tolist() == pytest.approx(
        [1 / (1 + math.exp(-score)) for score in straight]
    )
