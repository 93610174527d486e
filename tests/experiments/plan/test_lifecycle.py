"""The whole table of states and actions, each guard on both sides of its edge, and the words of every refusal."""

import ast
import inspect
from datetime import date
from math import inf, nan
from typing import Any

import pytest

from experiments.pages import judging_forms, step_forms
from experiments.plan import validation, warnings
from experiments.plan.lifecycle import MOVES, Action, Status, refusals, target, words
from experiments.plan.record import Claim, GuardrailRule, PlannedOther, PlannedRow, PlannedVariant, Slice
from experiments.plan.validation import Problem, problems
from experiments.plan.validation import words as problem_words
from tests.experiments.make import a_plan, a_situation

ALLOWED = {
    ("draft", "start"): "running",
    ("draft", "archive"): "archived",
    ("running", "pause"): "paused",
    ("running", "close_enrolment"): "running",
    ("running", "stop"): "stopped",
    ("paused", "resume"): "running",
    ("paused", "close_enrolment"): "paused",
    ("paused", "stop"): "stopped",
    ("stopped", "conclude"): "concluded",
    ("concluded", "archive"): "archived",
}


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("status", Status)
def test_move__of_the_table__is_allowed_or_refused_with_a_sentence(status: Status, action: Action) -> None:
    found = refusals(status, action, a_plan(), a_situation())

    expected = ALLOWED.get((status.value, action.value))
    assert target(status, action) == expected
    assert (found == ()) == (expected is not None)
    for refusal in found:
        named = {"draft": "a draft", "concluded": "closed"}.get(status, status.value)
        assert words(refusal).startswith(f"The experiment is {named}")
    assert len(MOVES) == len(ALLOWED)


@pytest.mark.parametrize("status", [Status.RUNNING, Status.PAUSED])
def test_enrolment__closed_already__is_not_closed_again(status: Status) -> None:
    found = refusals(status, Action.CLOSE_ENROLMENT, a_plan(), a_situation(enrolment_open=False))

    assert [words(refusal) for refusal in found] == ["Enrolment is closed already."]


def test_rolled_out__is_not_archived_and_may_do_all_else() -> None:
    for status, action in ALLOWED:
        found = refusals(Status(status), Action(action), a_plan(), a_situation(rolled_out=True))

        assert [refusal.code for refusal in found] == (["rolled_out"] if action == "archive" else [])


def arms(*weights: int, keys: str = "abcdef", value: Any = "x") -> tuple[PlannedVariant, ...]:
    return tuple(PlannedVariant(key, value, weight) for key, weight in zip(keys, weights, strict=False))


def roles(*names: str, dose: int | None = None) -> tuple[PlannedVariant, ...]:
    """A control and one arm for each role, with equal weights; a dose arm nudges to `dose` times."""
    share = 10_000 // (len(names) + 1)
    arms = [PlannedVariant("control", "x", 10_000 - share * len(names))]
    arms += [
        PlannedVariant(f"v{at}", "x", share, name, dose if name == "dose" else None) for at, name in enumerate(names)
    ]
    return tuple(arms)


def rules(metric: str, direction: str = "higher", margin: float = 0.01) -> dict[str, GuardrailRule]:
    return {metric: GuardrailRule(direction, margin)}


def claim(days: int) -> Claim:
    return Claim("adds", "two adds", "add", 2, days, "window:14-20")


def others(*names: str, **changes: Any) -> dict[str, Any]:
    """A claim on `add`, with other behaviours of these names."""
    made = (
        PlannedOther(name, **{"times": 1, "low": -0.01, "high": 0.2, "origin": "promise", **changes}) for name in names
    )
    return {"claim": claim(7), "others": tuple(made)}


FUNNEL = "funnel:open:buy:{}-6"
SELECT = "sql:{}-6:SELECT user_id, count(*) AS value FROM events GROUP BY user_id"
MEDIAN = "quantile:50%:count:invite:3-6"
PREDICTED = {"adjustment": "lin_predicted", "covariates": ("platform",), "enrolment": "new_units"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"flag": "a/b"}, "bad_key"),
        ({"flag": "a" * 129}, "bad_key"),
        ({"flag": "a" * 128}, None),
        ({"flags_taken": (("guild-invite", "other"),)}, "flag_taken"),
        ({"hypothesis": "  "}, "no_hypothesis"),
        ({"variants": arms(10_000)}, "too_few_variants"),
        ({"variants": arms(5_000, 4_999)}, "bad_weights"),
        ({"variants": arms(5_000, 5_001)}, "bad_weights"),
        ({"variants": arms(10_000, 0)}, "bad_weights"),
        ({"variants": arms(9_999, 1)}, None),
        ({"variants": arms(5_000, 5_000, keys="aa")}, "repeated_variant"),
        ({"variants": (*arms(5_000), PlannedVariant("default", "x", 5_000))}, "bad_variant_key"),
        ({"value_type": "colour"}, "bad_value_type"),
        ({"value_type": "boolean"}, "bad_value"),
        ({"value_type": "number", "default": 1, "variants": arms(5_000, 5_000, value=1.5)}, None),
        ({"value_type": "integer", "default": 1, "variants": arms(5_000, 5_000, value=1.5)}, "bad_value"),
        ({"value_type": "integer", "default": True, "variants": arms(5_000, 5_000, value=1)}, "bad_value"),
        ({"value_type": "json", "default": {}, "variants": arms(5_000, 5_000, value=[1])}, None),
        ({"primary": ()}, "primary_count"),
        ({"primary": ("week:2", "on_day:7")}, None),
        ({"primary": ("week:2", "on_day:7", "on_day:1")}, "primary_count"),
        ({"primary": ("unbounded:14",)}, "display_only"),
        ({"guardrails": ("nonsense",)}, "bad_metric"),
        ({"guardrails": ("on_day:7",), "guardrail_rules": rules("on_day:7")}, None),
        ({"guardrails": ("on_day:7",), "guardrail_rules": rules("on_day:1")}, "rule_without_guardrail"),
        ({"guardrails": ("on_day:7",), "guardrail_rules": rules("on_day:7", "up")}, "bad_direction"),
        ({"guardrails": ("on_day:7",), "guardrail_rules": rules("on_day:7", margin=0.0)}, "bad_guardrail_margin"),
        ({"guardrails": ("on_day:7",), "guardrail_rules": rules("on_day:7", margin=inf)}, "bad_guardrail_margin"),
        ({"otherwise": "ship"}, None),
        ({"otherwise": "perhaps"}, "bad_otherwise"),
        ({"secondary": ("count:invite:0-6",)}, None),
        ({"secondary": ("quantile:50%:count:invite:0-6",), "claim": claim(3)}, None),
        ({"primary": ("quantile:50%:count:invite:3-6",)}, None),
        ({"primary": (FUNNEL.format(3),), "secondary": (SELECT.format(0),), "claim": claim(3)}, None),
        ({"primary": (FUNNEL.format(2),), "claim": claim(3)}, "overlap"),
        ({"primary": (SELECT.format(2),), "claim": claim(3)}, "overlap"),
        ({"guardrails": (SELECT.format(0),), "guardrail_rules": rules(SELECT.format(0))}, None),
        ({**PREDICTED, "primary": (SELECT.format(3),)}, None),
        ({"primary": (f"quantile:90%:{SELECT.format(3)}",), "claim": claim(3)}, "quantile_of_moved"),
        ({"primary": ("sql:0-6:SELECT pg_sleep(9)",)}, "bad_metric"),
        ({"guardrails": ("funnel:open:0-6",)}, "bad_metric"),
        ({"primary": ("quantile:50%:count:invite:3-6",), "claim": claim(3)}, "quantile_of_moved"),
        ({"primary": ("survival:7",)}, "no_window"),
        ({"claim": claim(14)}, None),
        ({"claim": claim(15)}, "overlap"),
        ({"claim": claim(7), "primary": ("count:a:6-9 / active_days:7-9",)}, "overlap"),
        ({"claim": claim(6), "primary": ("count:a:6-9 / active_days:7-9",)}, None),
        ({"claim": claim(3), "variants": roles("nudge", "placebo")}, None),
        ({"claim": claim(3), "variants": roles("placebo")}, "placebo_alone"),
        ({"claim": claim(3), "variants": roles("nudge", "placebo", "placebo")}, "two_placebos"),
        ({"variants": roles("nudge", "placebo")}, "role_without_moment"),
        ({"claim": claim(3), "variants": roles("nudge", "dose", dose=2)}, None),
        ({"claim": claim(3), "variants": roles("nudge", "dose")}, "bad_dose"),
        ({"claim": claim(3), "variants": roles("nudge", "dose", dose=0)}, "bad_dose"),
        (others("chat", "chat[kind=guild]", "shop#item"), None),
        (others(*"abcdefghijkl"), None),
        (others(*"abcdefghijklm"), "too_many_others"),
        ({**others("chat"), "claim": None}, "others_without_moment"),
        (others("chat["), "bad_other"),
        (others("Experiment Viewed"), "bad_other"),
        (others("add"), "other_is_own"),
        (others("chat", "shop", "chat"), "repeated_other"),
        (others("chat", times=0), "other_times"),
        (others("chat", low=0.0, high=0.0), None),
        (others("chat", low=0.001), "other_limits"),
        (others("chat", high=-0.001), "other_limits"),
        (others("chat", high=inf), "other_limits"),
        (others("chat", low=nan), "other_limits"),
        (others("chat", origin="guess"), "other_origin"),
        (others("chat", consequence="Friends make people chat."), None),
        (others("chat", consequence=" "), "consequence_without_reason"),
        ({"looks": (0.5, 1.0)}, None),
        ({"looks": (0.5, 0.9)}, "bad_looks"),
        ({"looks": (0.5, 0.5, 1.0)}, "bad_looks"),
        ({"looks": (0.0, 1.0)}, "bad_looks"),
        ({"covariates": ("platform", "country")}, None),
        ({"covariates": ("platform", "platform")}, "bad_covariates"),
        ({"covariates": (" ",)}, "bad_covariates"),
        ({"covariates": ("active_days_before",)}, "bad_covariates"),
        ({"adjustment": "cuped"}, "bad_adjustment"),
        ({"adjustment": "lin"}, "adjusted_for_nothing"),
        ({"adjustment": "lin", "covariates": ("platform",)}, None),
        ({"adjustment": "lin", "active_days_before": 28}, None),
        ({"active_days_before": 29}, "bad_days_before"),
        ({"active_days_before": 14, "enrolment": "new_units"}, "days_before_of_new"),
        ({"active_days_before": 14, "clock": "signup"}, "days_before_clock"),
        ({**PREDICTED, "covariates": ()}, "predicted_from_nothing"),
        ({**PREDICTED, "enrolment": "all"}, "predicted_of_old"),
        ({**PREDICTED, "primary": ("count:a:6-9 / active_days:7-9",)}, "predicted_ratio"),
        ({**PREDICTED, "no_prediction": True}, "no_prediction"),
        (PREDICTED, None),
        ({"adjustment": "lin", "active_days_before": 7, "primary": (MEDIAN,)}, "adjusted_quantile"),
        ({"adjustment": "lin", "active_days_before": 7, "secondary": (MEDIAN,)}, None),
        ({"alpha": 0.0}, "bad_alpha"),
        ({"alpha": 0.5, "power": 0.8}, "bad_alpha"),
        ({"power": 1.0}, "bad_power"),
        ({"smallest_effect": 0.0}, "no_smallest_effect"),
        ({"smallest_effect": None}, "no_smallest_effect"),
        ({"method": "peek"}, "bad_method"),
        ({"expected_take_up": 0.0}, "bad_take_up"),
        ({"expected_take_up": 1.0}, None),
        ({"planned_units": 0}, "no_planned_units"),
        ({"planned_end": date(2026, 11, 24)}, "no_planned_end"),
        ({"planned_end": date(2026, 11, 25)}, None),
        ({"audience": (PlannedRow("a", 10_001),)}, "bad_coverage"),
        ({"audience": (PlannedRow("a", 0), PlannedRow(None, 10_000))}, None),
        ({"audience": (PlannedRow(None, 10_000), PlannedRow("a", 10_000))}, "unreachable_row"),
        ({"audience": (PlannedRow("a", 1), PlannedRow("a", 2))}, "repeated_segment"),
        ({"audience": (PlannedRow("a", 1, (5_000, 4_999)),)}, "bad_row_weights"),
        ({"audience": (PlannedRow("a", 1, (10_000,)),)}, "bad_row_weights"),
        ({"audience": (PlannedRow(None, 1, None, rule={}),)}, "rule_without_segment"),
        ({"layer": Slice("layer:home", 5_000, 5_000)}, "bad_slice"),
        ({"layer": Slice("layer:home", 0, 10_001)}, "bad_slice"),
        ({"layer": Slice("layer:home", 5_000, 10_000), "layer_taken": (("other", 0, 5_000),)}, None),
        ({"layer": Slice("layer:home", 4_999, 10_000), "layer_taken": (("other", 0, 5_000),)}, "slice_taken"),
    ],
)
def test_start__of_a_plan__is_refused_for_exactly_what_is_wrong(changes: dict[str, Any], code: str | None) -> None:
    around = {name: changes[name] for name in changes.keys() & {"flags_taken", "layer_taken", "no_prediction"}}
    plan = a_plan(**{name: value for name, value in changes.items() if name not in around})
    situation = a_situation(**around)

    found = problems(plan, situation)

    assert [problem.code for problem in found] == ([] if code is None else [code] * len(found))
    assert bool(found) == (code is not None)
    for problem, refusal in zip(found, refusals(Status.DRAFT, Action.START, plan, situation), strict=True):
        sentence = words(refusal)
        assert sentence == problem_words(problem)
        assert sentence.endswith(".")
        assert "{" not in sentence


FORMS: dict[str, type[step_forms.StepForm]] = {
    "hypothesis": step_forms.HypothesisForm,
    "variants": step_forms.VariantsForm,
    "audience": step_forms.AudienceStepForm,
    "outcomes": judging_forms.OutcomesForm,
    "plan": judging_forms.PlanForm,
}
CALLS = [
    call
    for module in (validation, warnings)
    for call in ast.walk(ast.parse(inspect.getsource(module)))
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Problem"
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: ast.unparse(call.args[0]))
def test_problem_of_a_plan__has_a_step_that_mends_it_and_a_field_of_that_step(call: ast.Call) -> None:
    problem = Problem("code", **{given.arg: ast.literal_eval(given.value) for given in call.keywords if given.arg})

    field = "guardrail_metrics" if problem.at == "guardrail_rules" else problem.at  # a row holds both

    assert field == "" or field in FORMS[problem.step].base_fields
    assert problem.step in FORMS


def test_problem__without_a_place__is_refused() -> None:
    with pytest.raises(KeyError):
        Problem("bad_alpha")
