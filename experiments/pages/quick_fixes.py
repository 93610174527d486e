"""Mends: buttons that correct a problem, which only fill in fields; and the problems and warnings of each step."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext
from django.utils.translation import gettext as _

from aha import made_names
from events.metrics import display_name, parse_behaviour
from events.pickers.rows import row_values
from experiments.models import Experiment
from experiments.pages.number_fields import effect_as_typed, nearest_outcome, share_as_typed, with_event
from experiments.pages.plan_rows import guardrail_changes, metric_changes, nudge_changes, other_changes
from experiments.plan import audience, drafts
from experiments.plan.fields import Primary
from experiments.plan.lab import LARGEST_SHARE, LEAST_NUDGES, LEAST_SHARE, USUAL_TAKE_UP, is_nudge_key
from experiments.plan.planned_power import equally
from experiments.plan.record import DAYS_BEFORE, FIELDS, MOST_NUDGES, MOST_OTHERS
from experiments.plan.stored import plan_of
from experiments.plan.validation import KEY, Problem
from experiments.plan.warnings import Facts, cautions
from experiments.plan_page.known_numbers import Known, Suggested
from experiments.report.names import is_share
from experiments.report.planning import caution_words
from reporting.numbers import day_text
from reporting.words import days_words, times_words
from runs.models import key_from
from runs.refusals import Refused

type Changes = Mapping[str, str]


OF_OTHERS = ("others_without_moment", "too_many_others", "bad_other", "other_is_own", "repeated_other", "unknown_other")


@dataclass(frozen=True)
class QuickFix:
    """One button: its label, and the values for fields of its step; or a link to another page."""

    label: str
    changes: Changes = field(default_factory=dict)
    url: str = ""

    @property
    def value(self) -> str:
        """The changes URL-encoded, as the button submits them."""
        return urlencode(self.changes)


def mends_of(problem: Problem, row: Experiment, facts: Facts, suggested: Suggested) -> list[QuickFix]:
    """The buttons for one problem; empty where only a person can decide."""
    step = {
        **dict.fromkeys(("no_hypothesis", "no_nudge"), _words),
        **dict.fromkeys(("bad_key", "flag_taken"), _flag),
        **dict.fromkeys(
            ("too_few_variants", "bad_variant_key", "repeated_variant", "bad_weights", "bad_value", "same_values"),
            _arms,
        ),
        **dict.fromkeys(OF_NUDGES, _nudges),
        **dict.fromkeys(OF_OTHERS, _others),
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


def _words(problem: Problem, row: Experiment, _facts: Facts, _suggested: Suggested) -> list[QuickFix]:
    moment = row.moment
    if problem.code == "no_hypothesis":
        text = (
            made_names.made_hypothesis(moment, lab=row.is_lab)
            if moment is not None
            else _("If users get “{name}”, more of them are retained, because …").format(name=row.title)
        )
        return [QuickFix(_("Take a first draft"), {problem.at: text})]
    if moment is None:
        return []
    text = _("A prompt that leads new users to {behaviour}, {times} within {days}. Control sees none.")
    filled = text.format(
        behaviour=display_name(moment.behaviour), times=times_words(moment.times), days=days_words(moment.days)
    )
    return [QuickFix(_("Take a first draft"), {problem.at: filled})]


def _flag(problem: Problem, row: Experiment, _facts: Facts, _suggested: Suggested) -> list[QuickFix]:
    base = key_from(row.flag_key or row.name, "experiment")
    taken = set(
        Experiment.objects.filter(flag_key__startswith=base).exclude(pk=row.pk).values_list("flag_key", flat=True)
    )
    free = base if base not in taken else next(f"{base}-{n}" for n in range(2, 10_000) if f"{base}-{n}" not in taken)
    return [QuickFix(_("Use {value}").format(value=free), {problem.at: free})]


def _arms(problem: Problem, row: Experiment, _facts: Facts, _suggested: Suggested) -> list[QuickFix]:
    arms = list(row.variants.all())
    match problem.code:
        case "bad_weights":
            whole = equally(plan_of(row), plan_of(row).variants)
            changes = {f"arms-{at}-weight": f"{weight / 100:g}" for at, weight in enumerate(whole.weights)}
            return [QuickFix(_("Split equally"), changes)]
        case "too_few_variants":
            changes = {"arms-0-key": "control", "arms-0-weight": "50", "arms-1-key": "nudge", "arms-1-weight": "50"}
            return [QuickFix(_("A control and one nudge, half each"), {**changes, **_yes_or_no(2)})]
        case "bad_variant_key" | "repeated_variant":
            return (
                [QuickFix(_("Use {value}").format(value=", ".join(keys)), _keys(keys))]
                if (keys := _sound(arms))
                else []
            )
    return [QuickFix(_("Control false, all others true"), _yes_or_no(len(arms)))]


OF_NUDGES = frozenset(
    (
        *("nudge_count", "bad_nudge_key", "repeated_nudge", "nudge_times", "nudge_take_up", "nudge_spill"),
        *("nudge_share", "bad_most_nudges", "too_few_at_once", "nothing_leads_there", "too_many_beside"),
        *("nudge_without_words", "lab_always_valid", "lab_clusters", "lab_predicted"),
    )
)


def _nudges(problem: Problem, row: Experiment, _facts: Facts, _suggested: Suggested) -> list[QuickFix]:
    """Buttons for the nudges of a lab, and for fields that a lab can't have."""
    match problem.code:
        case "bad_most_nudges" | "too_few_at_once":
            return [QuickFix(_("Any number at once"), {"most_nudges": ""})]
        case "lab_always_valid":
            return [QuickFix(_("Analyse it once, at its end"), {"method": "fixed"})]
        case "lab_clusters":
            return [QuickFix(_("Draw users, not clusters"), {"cluster": "", **row_values("saturations", [])})]
        case "lab_predicted":
            return [QuickFix(_("Compare without an adjustment"), {"primary": Primary.UNADJUSTED.value})]
    nudges: list[dict[str, Any]] = [dict(nudge) for nudge in row.nudges]
    if problem.code == "too_many_beside" or (problem.code == "nudge_count" and len(nudges) < LEAST_NUDGES):
        return []  # which ones, only a person can say
    if problem.code == "nudge_count":
        return [QuickFix(_("Take only the first {n}").format(n=MOST_NUDGES), nudge_changes(nudges[:MOST_NUDGES]))]
    if problem.code == "nothing_leads_there":
        if row.moment is None or len(nudges) >= MOST_NUDGES:
            return []
        pair = (row.moment.behaviour, row.moment.times)
        made = drafts.nudges_to([pair], USUAL_TAKE_UP, [nudge["key"] for nudge in nudges])
        return [QuickFix(_("Add a nudge to it"), nudge_changes([*made, *nudges]))]
    return [QuickFix(_("Put it right"), nudge_changes(_put_right(nudges)))]


def _put_right(nudges: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The nudges with usual values in place of those that can't be, and first words where they have none."""
    keys: list[str] = []
    for nudge in nudges:
        if not is_nudge_key(nudge["key"]) or nudge["key"] in keys:
            nudge["key"] = drafts.nudge_key(nudge["key"] or nudge["name"], keys)
        keys.append(nudge["key"])
        nudge["share"] = min(max(nudge["share"], LEAST_SHARE), LARGEST_SHARE)
        nudge["times"] = max(nudge["times"], 1)
        nudge["take_up"] = nudge["take_up"] if 0 < nudge["take_up"] <= 1 else USUAL_TAKE_UP
        nudge["spill"] = nudge["spill"] if 0 <= nudge["spill"] <= 1 else 0.0
        text = _("A prompt that leads users to {behaviour}.").format(behaviour=display_name(nudge["behaviour"]))
        nudge["words"] = nudge["words"].strip() or text
    return nudges


def _yes_or_no(arms: int) -> dict[str, str]:
    values = {f"arms-{at}-value": "true" if at else "false" for at in range(arms)}
    return {"value_type": "boolean", "default_value": "false", **values}


def _keys(keys: list[str]) -> dict[str, str]:
    return {f"arms-{at}-key": key for at, key in enumerate(keys)}


def _sound(arms: list[Any]) -> list[str]:
    """Valid and unique arm keys, as similar as possible to the given ones."""
    keys: list[str] = []
    for at, arm in enumerate(arms):
        key = arm.key if KEY.fullmatch(arm.key) and arm.key != "default" else key_from(arm.key, f"variant-{at}")
        while key in keys or key == "default":
            key = f"{key}-{at}"
        keys.append(key)
    return keys


def _others(problem: Problem, row: Experiment, _facts: Facts, _suggested: Suggested) -> list[QuickFix]:
    """The list without what can't stand in it."""
    own = "" if row.moment is None else str(parse_behaviour(row.moment.behaviour))
    unknown = problem.details.get("event")
    left: list[dict[str, Any]] = []
    for other in row.other_behaviours if row.moment is not None else ():
        try:
            behaviour = parse_behaviour(other["behaviour"])
        except Refused:
            continue
        if str(behaviour) not in (own, *(kept["behaviour"] for kept in left)) and behaviour.event != unknown:
            left.append({**other, "behaviour": str(behaviour)})
    share = not row.primary_metrics or is_share(row.primary_metrics[0])
    return [QuickFix(_("Leave it out"), other_changes(left[:MOST_OTHERS], share=share))]


def _roles(problem: Problem, row: Experiment, _facts: Facts, _suggested: Suggested) -> list[QuickFix]:
    at = next((arm.position for arm in row.variants.all() if arm.key == problem.details["key"]), None)
    if at is None:
        return []
    plain = QuickFix(_("Make it a plain nudge"), {f"arms-{at}-role": "nudge", f"arms-{at}-dose": ""})
    if problem.code == "bad_dose" and row.moment is not None:
        times = str(row.moment.times + 2)
        return [
            QuickFix(_("Nudge to {n} times").format(n=times), {f"arms-{at}-role": "dose", f"arms-{at}-dose": times}),
            plain,
        ]
    return [plain]


def _audience(problem: Problem, row: Experiment, _facts: Facts, _suggested: Suggested) -> list[QuickFix]:
    if problem.code in ("bad_slice", "slice_taken"):
        return [QuickFix(_("Take it out of the layer"), {"layer": "", "layer_low": "0", "layer_high": "100"})]
    return [QuickFix(_("Enrol everyone, 100%"), {"who": "everyone", "everyone_coverage": "100"})]


def _clusters(_problem: Problem, _row: Experiment, _facts: Facts, _suggested: Suggested) -> list[QuickFix]:
    return [QuickFix(_("Draw users, not clusters"), {"cluster": "", **row_values("saturations", [])})]


def _outcomes(problem: Problem, row: Experiment, _facts: Facts, _suggested: Suggested) -> list[QuickFix]:
    usual = usual_outcome(row)
    wrong = str(problem.details.get("metric", ""))
    if problem.code == "unknown_event":
        close = str(problem.details["close"])
        better = with_event(wrong, str(problem.details["event"]), close) if close else ""
        mends = [QuickFix(_("Use {value}").format(value=better), _in_place(row, wrong, better))] if better else []
        return [*mends, QuickFix(_("Leave it out"), _in_place(row, wrong, ""))]
    if problem.code == "quantile_of_moved":
        rest = metric_changes("secondary_metrics", [*row.secondary_metrics, wrong])
        return [
            QuickFix(_("Make it secondary, and {value} the primary one").format(value=usual), {"first": usual, **rest})
        ]
    if wrong and wrong not in row.primary_metrics:
        return [QuickFix(_("Leave it out"), _in_place(row, wrong, ""))]
    changes = _in_place(row, wrong, usual) if wrong in row.primary_metrics else {"first": usual}
    return [QuickFix(_("Use {value}").format(value=usual), changes)]


def usual_outcome(row: Experiment) -> str:
    """The moment's own retention, else one week that begins after the behaviour's window."""
    if row.moment is None:
        return "window:14-20"
    return nearest_outcome(row.moment.retention, after=row.moment.days)


def _in_place(row: Experiment, wrong: str, better: str) -> dict[str, str]:
    """The outcome fields with one outcome replaced or removed."""
    primary = [better if outcome == wrong else outcome for outcome in row.primary_metrics]
    secondary = [better if outcome == wrong else outcome for outcome in row.secondary_metrics]
    guardrails = [better if outcome == wrong else outcome for outcome in row.guardrail_metrics]
    rules = {better if name == wrong else name: rule for name, rule in row.guardrail_rules.items()}
    first, second = [*[outcome for outcome in primary if outcome], "", ""][:2]
    lists = {**metric_changes("secondary_metrics", secondary), **guardrail_changes(guardrails, rules)}
    return {"first": first, "second": second, **lists}


def _guardrails(problem: Problem, row: Experiment, _facts: Facts, _suggested: Suggested) -> list[QuickFix]:
    metric, rules = str(problem.details["metric"]), dict(row.guardrail_rules)
    if problem.code == "rule_without_guardrail":
        rules.pop(metric, None)
        return [QuickFix(_("Remove the rule"), guardrail_changes(row.guardrail_metrics, rules))]
    mends = []
    if is_share(metric):
        rules[metric] = {"direction": "higher", "margin": 0.01}
        mends.append(QuickFix(_("A loss of 1 point is harm"), guardrail_changes(row.guardrail_metrics, rules)))
    left = [guardrail for guardrail in row.guardrail_metrics if guardrail != metric]
    more = metric_changes("secondary_metrics", dict.fromkeys([*row.secondary_metrics, metric]))
    changes = {**guardrail_changes(left, row.guardrail_rules), **more}
    mends.append(QuickFix(_("Make it a secondary outcome"), changes))
    return mends


def _adjustment(problem: Problem, row: Experiment, _facts: Facts, _suggested: Suggested) -> list[QuickFix]:
    if problem.code in ("days_before_of_new", "days_before_clock", "bad_days_before"):
        return [QuickFix(_("Leave them out"), {problem.at: "0"})]
    if problem.code == "bad_covariates":
        names = dict.fromkeys(name for name in row.covariates if name.strip() and name != DAYS_BEFORE)
        return [QuickFix(_("Name each once"), row_values(problem.at, [{"name": name} for name in names]))]
    return [QuickFix(_("Decide without covariates"), {"primary": "unadjusted"})]


def _size(problem: Problem, row: Experiment, facts: Facts, suggested: Suggested) -> list[QuickFix]:
    share = not row.primary_metrics or is_share(row.primary_metrics[0])
    match problem.code:
        case "bad_alpha" | "bad_power" | "bad_method":
            value = FIELDS[problem.at].usual or ""
            return [QuickFix(_("Use {value}").format(value=value), {problem.at: value})]
        case "bad_looks":
            return [QuickFix(_("Five equal analyses"), row_values(problem.at, []))]
        case "bad_planned_effect":
            return [QuickFix(_("Leave it empty"), {problem.at: ""})]
        case "no_smallest_effect":
            return _effect(problem.at, suggested.effect or (0.02 if share else None), share=share)
        case "bad_take_up" | "take_up_beyond":
            room = 1 - (facts.reach or 0)
            moved = share_as_typed(min(USUAL_TAKE_UP, room))
            return [QuickFix(_("Use {value}").format(value=moved), {problem.at: moved or ""})]
        case "unknown_length" | "unknown_power":
            return []
        case "too_long":
            return _shorter(problem.at, row, facts, suggested, share=share)
    return _suggestion(suggested)


def _shorter(at: str, row: Experiment, facts: Facts, suggested: Suggested, *, share: bool) -> list[QuickFix]:
    """Buttons that make a plan end within a year."""
    mends = []
    if suggested.within_a_year is not None:
        text = _("Plan for an effect of {effect}, which a year can show")
        label = text.format(effect=effect_as_typed(suggested.within_a_year, share=share))
        changes = {at: effect_as_typed(suggested.within_a_year, share=share) or "", "take": "year"}
        mends.append(QuickFix(label, changes))
    if facts.share is not None and facts.share < 1:
        mends.append(QuickFix(_("Raise the coverage"), url="audience"))
    if row.primary == Primary.UNADJUSTED:
        text = _("Adjust the primary comparison") if row.covariates else _("Name covariates, then adjust")
        mends.append(QuickFix(text, {"primary": "lin"}) if row.covariates else QuickFix(text, url="outcomes"))
    mends.append(QuickFix(_("Choose another moment"), url="hypothesis"))
    return mends


def _effect(name: str, effect: float | None, *, share: bool) -> list[QuickFix]:
    if effect is None:
        return []
    text = effect_as_typed(float(f"{effect:.4g}"), share=share) or ""
    return [QuickFix(_("Use {value}").format(value=text), {name: text})]


def _suggestion(suggested: Suggested) -> list[QuickFix]:
    """Button for the size and end that the effect needs."""
    if suggested.units is None or suggested.end is None:
        return []
    text = _("Take {units} users, until {end}")
    changes = {"planned_units": str(suggested.units), "planned_end": suggested.end.isoformat()}
    return [QuickFix(text.format(units=f"{suggested.units:,}", end=day_text(suggested.end)), changes)]


# Problems and warnings of each step, with field, sentence and mends. Those that prevent the start come first.


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
    mends: tuple[QuickFix, ...]
    link: str = ""


def needs_of(row: Experiment, known: Known) -> list[Need]:
    """All problems and warnings, in the order of the steps' checks."""
    needs = [
        _need(trouble.step, trouble.problem, trouble.sentence, row, known, blocks=True)
        if trouble.problem is not None
        else Need(
            trouble.step,
            "",
            "segment",
            trouble.sentence,
            True,
            (QuickFix(gettext("Enrol everyone, 100%"), {"who": "everyone"}),),
        )
        for trouble in audience.troubles(row)
    ]
    codes = {need.code for need in needs}
    for problem in cautions(plan_of(row), known.facts):
        if problem.code == "too_few_units" and "never_so_many" in codes:
            continue
        needs.append(_need(problem.step, problem, caution_words(problem), row, known, blocks=False))
    return needs


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
    return "guardrail_metrics" if problem.at == "guardrail_rules" else problem.at
