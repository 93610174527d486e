"""Mends: buttons that correct a problem. A button only fills in fields."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext as _

from aha import made_names
from events.metrics import display_name
from experiments.models import Experiment
from experiments.plan import drafts
from experiments.plan.choices.cautions import Facts
from experiments.plan.choices.costs import equally
from experiments.plan.cluster_mistakes import Problem
from experiments.plan.mistakes import KEY
from experiments.plan.stored import plan_of
from experiments.plan_page.known_numbers import Suggested
from experiments.report.names import is_share
from experiments.steps.number_fields import effect_as_typed, share_as_typed
from experiments.steps.outcome_guess import nearest_outcome, with_event
from reporting.words import days_words, times_words
from runs.key_from_name import key_from

type Changes = Mapping[str, str]


@dataclass(frozen=True)
class Mend:
    """One button: its label, and the values for fields of its step; or a link to another page."""

    label: str
    changes: Changes = field(default_factory=dict)
    url: str = ""

    @property
    def value(self) -> str:
        """The changes URL-encoded, as the button submits them."""
        return urlencode(self.changes)


def mends_of(problem: Problem, row: Experiment, facts: Facts, suggested: Suggested) -> list[Mend]:
    """The buttons for one problem; empty where only a person can decide."""
    step = {
        **dict.fromkeys(("no_hypothesis", "no_nudge"), _words),
        **dict.fromkeys(("bad_key", "flag_taken"), _flag),
        **dict.fromkeys(
            ("too_few_variants", "bad_variant_key", "repeated_variant", "bad_weights", "bad_value", "same_values"),
            _arms,
        ),
        **dict.fromkeys(("two_placebos", "placebo_alone", "role_without_moment", "bad_dose"), _roles),
        **dict.fromkeys(("bad_coverage", "nobody_enrolled", "bad_slice", "slice_taken"), _audience),
        **dict.fromkeys(("bad_cluster", "saturations_without_cluster", "bad_saturations"), _clusters),
        **dict.fromkeys(
            (
                "primary_count",
                "bad_metric",
                "display_only",
                "no_window",
                "overlap",
                "quantile_of_moved",
                "unknown_event",
            ),
            _outcomes,
        ),
        **dict.fromkeys(("no_margin", "rule_without_guardrail", "bad_guardrail_margin", "bad_direction"), _guardrails),
        **dict.fromkeys(
            (
                "bad_adjustment",
                "adjusted_for_nothing",
                "predicted_from_nothing",
                "predicted_of_old",
                "predicted_ratio",
                "adjusted_quantile",
                "no_prediction",
                "days_before_of_new",
                "days_before_clock",
                "bad_days_before",
                "bad_covariates",
            ),
            _adjustment,
        ),
    }.get(problem.code, _size)
    return step(problem, row, facts, suggested)


def _words(problem: Problem, row: Experiment, _facts: Facts, _suggested: Suggested) -> list[Mend]:
    moment = row.moment
    if problem.code == "no_hypothesis":
        text = (
            made_names.made_hypothesis(moment)
            if moment is not None
            else _("If users get “{name}”, more of them are retained, because …").format(name=row.title)
        )
        return [Mend(_("Take a first draft"), {"hypothesis": text})]
    if moment is None:
        return []
    text = _("A prompt that leads new users to {behaviour}, {times} within {days}. Control sees none.")
    filled = text.format(
        behaviour=display_name(moment.behaviour), times=times_words(moment.times), days=days_words(moment.days)
    )
    return [Mend(_("Take a first draft"), {"nudge": filled})]


def _flag(problem: Problem, row: Experiment, _facts: Facts, _suggested: Suggested) -> list[Mend]:
    base = key_from(row.flag_key or row.name, "experiment")
    taken = set(
        Experiment.objects.filter(flag_key__startswith=base).exclude(pk=row.pk).values_list("flag_key", flat=True)
    )
    free = base if base not in taken else next(f"{base}-{n}" for n in range(2, 10_000) if f"{base}-{n}" not in taken)
    return [Mend(_("Use {value}").format(value=free), {"flag_key": free})]


def _arms(problem: Problem, row: Experiment, _facts: Facts, _suggested: Suggested) -> list[Mend]:
    arms = list(row.variants.all())
    match problem.code:
        case "bad_weights":
            whole = equally(plan_of(row), plan_of(row).variants)
            changes = {f"arms-{at}-weight": f"{one / 100:g}" for at, one in enumerate(whole.weights)}
            return [Mend(_("Split equally"), changes)]
        case "too_few_variants":
            changes = {"arms-0-key": "control", "arms-0-weight": "50", "arms-1-key": "nudge", "arms-1-weight": "50"}
            return [Mend(_("A control and one nudge, half each"), {**changes, **_yes_or_no(2)})]
        case "bad_variant_key" | "repeated_variant":
            return [Mend(_("Use {value}").format(value=", ".join(keys)), _keys(keys))] if (keys := _sound(arms)) else []
    return [Mend(_("Control false, all others true"), _yes_or_no(len(arms)))]


def _yes_or_no(arms: int) -> dict[str, str]:
    values = {f"arms-{at}-value": "true" if at else "false" for at in range(arms)}
    return {"value_type": "boolean", "default_value": "false", **values}


def _keys(keys: list[str]) -> dict[str, str]:
    return {f"arms-{at}-key": key for at, key in enumerate(keys)}


def _sound(arms: list[Any]) -> list[str]:
    """Valid and unique arm keys, as similar as possible to the given ones."""
    found: list[str] = []
    for at, arm in enumerate(arms):
        key = arm.key if KEY.fullmatch(arm.key) and arm.key != "default" else key_from(arm.key, f"variant-{at}")
        while key in found or key == "default":
            key = f"{key}-{at}"
        found.append(key)
    return found


def _roles(problem: Problem, row: Experiment, _facts: Facts, _suggested: Suggested) -> list[Mend]:
    at = next((arm.position for arm in row.variants.all() if arm.key == problem.details["key"]), None)
    if at is None:
        return []
    plain = Mend(_("Make it a plain nudge"), {f"arms-{at}-role": "nudge", f"arms-{at}-dose": ""})
    if problem.code == "bad_dose" and row.moment is not None:
        times = str(row.moment.times + 2)
        return [
            Mend(_("Nudge to {n} times").format(n=times), {f"arms-{at}-role": "dose", f"arms-{at}-dose": times}),
            plain,
        ]
    return [plain]


def _audience(problem: Problem, row: Experiment, _facts: Facts, _suggested: Suggested) -> list[Mend]:
    if problem.code in ("bad_slice", "slice_taken"):
        return [Mend(_("Take it out of the layer"), {"layer": "", "layer_low": "0", "layer_high": "100"})]
    return [Mend(_("Enrol everyone, 100%"), {"who": "everyone", "everyone_coverage": "100"})]


def _clusters(_problem: Problem, _row: Experiment, _facts: Facts, _suggested: Suggested) -> list[Mend]:
    return [Mend(_("Draw users, not clusters"), {"cluster": "", "saturations": ""})]


def _outcomes(problem: Problem, row: Experiment, _facts: Facts, _suggested: Suggested) -> list[Mend]:
    usual = usual_outcome(row)
    wrong = str(problem.details.get("metric", ""))
    if problem.code == "unknown_event":
        close = str(problem.details["close"])
        better = with_event(wrong, str(problem.details["event"]), close) if close else ""
        mends = [Mend(_("Use {value}").format(value=better), _in_place(row, wrong, better))] if better else []
        return [*mends, Mend(_("Leave it out"), _in_place(row, wrong, ""))]
    if problem.code == "quantile_of_moved":
        rest = "\n".join([*row.secondary_metrics, wrong])
        return [
            Mend(
                _("Make it secondary, and {value} the primary one").format(value=usual),
                {"first": usual, "secondary_metrics": rest},
            )
        ]
    if wrong and wrong not in row.primary_metrics:
        return [Mend(_("Leave it out"), _in_place(row, wrong, ""))]
    changes = _in_place(row, wrong, usual) if wrong in row.primary_metrics else {"first": usual}
    return [Mend(_("Use {value}").format(value=usual), changes)]


def usual_outcome(row: Experiment) -> str:
    """The moment's own retention, else one week that begins after the behaviour's window."""
    if row.moment is None:
        return "window:14-20"
    return nearest_outcome(row.moment.retention, after=row.moment.days)


def _in_place(row: Experiment, wrong: str, better: str) -> dict[str, str]:
    """The outcome fields with one outcome replaced or removed."""
    primary = [better if one == wrong else one for one in row.primary_metrics]
    lists = {
        name: "\n".join(filter(None, (better if one == wrong else one for one in getattr(row, name))))
        for name in ("secondary_metrics", "guardrail_metrics")
    }
    rules = {better if name == wrong else name: rule for name, rule in row.guardrail_rules.items()}
    first, second = [*[one for one in primary if one], "", ""][:2]
    return {"first": first, "second": second, **lists, "guardrail_rules": _rules(rules)}


def _guardrails(problem: Problem, row: Experiment, _facts: Facts, _suggested: Suggested) -> list[Mend]:
    metric, rules = str(problem.details["metric"]), dict(row.guardrail_rules)
    if problem.code == "rule_without_guardrail":
        rules.pop(metric, None)
        return [Mend(_("Remove the rule"), {"guardrail_rules": _rules(rules)})]
    mends = []
    if is_share(metric):
        rules[metric] = {"direction": "higher", "margin": 0.01}
        mends.append(Mend(_("A loss of 1 point is harm"), {"guardrail_rules": _rules(rules)}))
    left = "\n".join(one for one in row.guardrail_metrics if one != metric)
    more = "\n".join(dict.fromkeys([*row.secondary_metrics, metric]))
    mends.append(Mend(_("Make it a secondary outcome"), {"guardrail_metrics": left, "secondary_metrics": more}))
    return mends


def _rules(rules: Mapping[str, Mapping[str, Any]]) -> str:
    return "\n".join(f"{name} | {rule['direction']} | {rule['margin']:g}" for name, rule in rules.items() if name)


def _adjustment(problem: Problem, row: Experiment, _facts: Facts, _suggested: Suggested) -> list[Mend]:
    if problem.code in ("days_before_of_new", "days_before_clock", "bad_days_before"):
        return [Mend(_("Leave them out"), {"active_days_before": "0"})]
    if problem.code == "bad_covariates":
        names = "\n".join(
            dict.fromkeys(name for name in row.covariates if name.strip() and name != "active_days_before")
        )
        return [Mend(_("Name each once"), {"covariates": names})]
    return [Mend(_("Decide without covariates"), {"primary": "unadjusted"})]


def _size(problem: Problem, row: Experiment, facts: Facts, suggested: Suggested) -> list[Mend]:
    share = not row.primary_metrics or is_share(row.primary_metrics[0])
    match problem.code:
        case "bad_alpha" | "bad_power" | "bad_method" | "bad_looks":
            usual = {"bad_alpha": ("alpha", "5%"), "bad_power": ("power", "80%"), "bad_method": ("method", "fixed")}
            if problem.code == "bad_looks":
                return [Mend(_("Five equal looks"), {"looks": ""})]
            name, value = usual[problem.code]
            return [Mend(_("Use {value}").format(value=value), {name: value})]
        case "bad_planned_effect":
            return [Mend(_("Leave it empty"), {"planned_effect": ""})]
        case "no_smallest_effect":
            return _effect("smallest_effect", suggested.effect or (0.02 if share else None), share=share)
        case "bad_take_up" | "take_up_beyond":
            room = 1 - (facts.reach or 0)
            moved = share_as_typed(min(drafts.USUAL_TAKE_UP, room))
            return [Mend(_("Use {value}").format(value=moved), {"expected_take_up": moved or ""})]
        case "unknown_length" | "unknown_power":
            return []
        case "too_long":
            return _shorter(row, facts, suggested, share=share)
    return _suggestion(suggested)


def _shorter(row: Experiment, facts: Facts, suggested: Suggested, *, share: bool) -> list[Mend]:
    """Buttons that make a plan end within a year."""
    mends = []
    if suggested.within_a_year is not None:
        text = _("Plan for an effect of {effect}, which a year can show")
        label = text.format(effect=effect_as_typed(suggested.within_a_year, share=share))
        changes = {"planned_effect": effect_as_typed(suggested.within_a_year, share=share) or "", "take": "year"}
        mends.append(Mend(label, changes))
    if facts.share is not None and facts.share < 1:
        mends.append(Mend(_("Raise the coverage"), url="audience"))
    if row.primary == Experiment.Primary.UNADJUSTED:
        text = _("Adjust the primary comparison") if row.covariates else _("Name covariates, then adjust")
        mends.append(Mend(text, {"primary": "lin"}) if row.covariates else Mend(text, url="outcomes"))
    mends.append(Mend(_("Choose another moment"), url="hypothesis"))
    return mends


def _effect(name: str, effect: float | None, *, share: bool) -> list[Mend]:
    if effect is None:
        return []
    said = effect_as_typed(float(f"{effect:.4g}"), share=share) or ""
    return [Mend(_("Use {value}").format(value=said), {name: said})]


def _suggestion(suggested: Suggested) -> list[Mend]:
    """Button for the size and end that the effect needs."""
    if suggested.units is None or suggested.end is None:
        return []
    text = _("Take {units} users, until {end}")
    changes = {"planned_units": str(suggested.units), "planned_end": suggested.end.isoformat()}
    return [Mend(text.format(units=f"{suggested.units:,}", end=suggested.end.isoformat()), changes)]
