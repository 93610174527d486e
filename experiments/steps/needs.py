"""Problems and warnings of each step, with field, sentence and mends. Those that prevent the start come first."""

from dataclasses import dataclass

from django.utils.translation import gettext

from experiments.models import Experiment
from experiments.plan import audience
from experiments.plan.choices.cautions import cautions
from experiments.plan.cluster_mistakes import Problem
from experiments.plan.stored import plan_of
from experiments.plan_page.known_numbers import Known
from experiments.report.planning.choice_words import caution_words
from experiments.steps.mends import Mend, mends_of

# The field to show a problem at, where it isn't the form as a whole.
FIELD_OF = {
    "no_hypothesis": "hypothesis",
    "no_nudge": "nudge",
    "bad_key": "flag_key",
    "flag_taken": "flag_key",
    "bad_value_type": "value_type",
    "nobody_enrolled": "everyone_coverage",
    "shares_units": "layer",
    "may_share_units": "layer",
    "bad_coverage": "everyone_coverage",
    "bad_slice": "layer",
    "slice_taken": "layer",
    "bad_cluster": "cluster",
    "saturations_without_cluster": "saturations",
    "bad_saturations": "saturations",
    "primary_count": "first",
    "overlap": "first",
    "quantile_of_moved": "first",
    "adjusted_for_nothing": "covariates",
    "predicted_from_nothing": "covariates",
    "bad_covariates": "covariates",
    "bad_days_before": "active_days_before",
    "days_before_of_new": "active_days_before",
    "days_before_clock": "active_days_before",
    "bad_otherwise": "otherwise",
    "no_margin": "guardrail_rules",
    "rule_without_guardrail": "guardrail_rules",
    "bad_direction": "guardrail_rules",
    "bad_guardrail_margin": "guardrail_rules",
    "no_smallest_effect": "smallest_effect",
    "bad_planned_effect": "planned_effect",
    "too_long": "planned_effect",
    "bad_take_up": "expected_take_up",
    "take_up_beyond": "expected_take_up",
    "bad_alpha": "alpha",
    "bad_power": "power",
    "bad_method": "method",
    "bad_looks": "looks",
    "no_planned_units": "planned_units",
    "never_so_many": "planned_units",
    "too_few_units": "planned_units",
    "no_planned_end": "planned_end",
    "end_too_soon": "planned_end",
    "unknown_length": "expected_daily_units",
    "unknown_power": "expected_base",
    **dict.fromkeys(
        ("bad_adjustment", "predicted_of_old", "predicted_ratio", "adjusted_quantile", "no_prediction"), "primary"
    ),
}
STEP_OF = {
    "no_nudge": "variants",
    "same_values": "variants",
    "nobody_enrolled": "audience",
    "shares_units": "audience",
    "may_share_units": "audience",
    "unknown_event": "outcomes",
    "no_margin": "outcomes",
}


@dataclass(frozen=True)
class Need:
    """One problem or warning of a plan.

    Attributes:
        step: where to fix it; `field` to show it at, "" for the step as a whole.
        sentence: what is wrong.
        blocks: True when it prevents the start; else it is a warning.
        mends: buttons that fix it.
        link: address of the page where it is fixed; "" for the step.
    """

    step: str
    field: str
    code: str
    sentence: str
    blocks: bool
    mends: tuple[Mend, ...]
    link: str = ""


def needs_of(row: Experiment, known: Known) -> list[Need]:
    """All problems and warnings, in the order of the steps' checks."""
    found = [
        _need(one.step, one.problem, one.sentence, row, known, blocks=True)
        if one.problem is not None
        else Need(
            one.step, "", "segment", one.sentence, True, (Mend(gettext("Enrol everyone, 100%"), {"who": "everyone"}),)
        )
        for one in audience.troubles(row)
    ]
    codes = {one.code for one in found}
    for problem in cautions(plan_of(row), known.facts):
        if problem.code == "too_few_units" and "never_so_many" in codes:
            continue
        step = STEP_OF.get(problem.code, "plan")
        found.append(_need(step, problem, caution_words(problem), row, known, blocks=False))
    return found


def _need(step: str, problem: Problem, sentence: str, row: Experiment, known: Known, *, blocks: bool) -> Need:
    mends = tuple(mends_of(problem, row, known.facts, known.suggested))
    link = str(problem.details.get("address", ""))
    return Need(step, _field(problem, row), problem.code, sentence, blocks, mends, link)


def _field(problem: Problem, row: Experiment) -> str:
    """The field of a problem; for an outcome, the list that contains it."""
    metric = problem.details.get("metric")
    if problem.code in ("unknown_event", "display_only", "no_window", "uncertified_sql") and metric is not None:
        for name, texts in (
            ("first", row.primary_metrics[:1]),
            ("second", row.primary_metrics[1:]),
            ("secondary_metrics", row.secondary_metrics),
            ("guardrail_metrics", row.guardrail_metrics),
        ):
            if metric in texts:
                return name
    return FIELD_OF.get(problem.code, "")
