"""Summary of a plan for a final check: each part with its step, whole sentences for the outcomes."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from events.metrics import display_name, parse_metric
from events.metrics.sentences import sentence
from events.models import Source
from experiments.models import Experiment, Variant
from experiments.plan.audience import choices
from experiments.plan.catalogue_metrics import chosen_sentences
from experiments.plan.derived import result_on
from experiments.plan.fields import Kind, Part, PlanField, on_step
from experiments.plan.lab import by_nudge
from experiments.plan.record import FIELDS, WHOLE, GuardrailRule
from experiments.plan.stored import plan_of
from experiments.plan_page.other_words import aim_words, none_words, others_of
from experiments.report.names import rule_words, table_words
from reporting.numbers import percent
from runs.refusals import Refused

STEPS: dict[str, Any] = {
    "hypothesis": gettext_lazy("Hypothesis and moment"),
    "variants": gettext_lazy("Nudge and groups"),
    "audience": gettext_lazy("Audience"),
    "outcomes": gettext_lazy("Outcomes"),
    "plan": gettext_lazy("Size and end"),
    "review": gettext_lazy("Review and start"),
}


def step_titles(*, lab: bool) -> dict[str, Any]:
    """Title of each step in its order; a lab's groups are made of its nudges."""
    return {**STEPS, "variants": gettext_lazy("Nudges")} if lab else STEPS


@dataclass(frozen=True)
class StepLines:
    """One step's part of the plan: title and lines."""

    step: str
    title: Any
    lines: list[tuple[str, str]]


def parts(row: Experiment) -> list[StepLines]:
    """All parts in the order of the steps."""
    by_step = {
        "hypothesis": _hypothesis(row),
        "variants": _variants(row),
        "audience": audience_lines(row),
        "outcomes": _outcomes(row),
        "plan": _plan(row),
    }
    titles = step_titles(lab=row.is_lab)
    return [StepLines(step, titles[step], [line for line in lines if line[1]]) for step, lines in by_step.items()]


def dates(row: Experiment) -> StepLines:
    """Start and end, for the page of a started experiment."""

    def at(value: Any) -> str:
        return "" if value is None else date_format(timezone.localtime(value), "DATETIME_FORMAT")

    lines = [
        (_("Started"), at(row.started_at)),
        (_("Enrolment closed"), at(row.enrolment_closed_at)),
        (_("Stopped"), at(row.stopped_at)),
        (_("Closed"), at(row.concluded_at)),
        (_("Time zone of its days"), row.zone),
        (_("Version of the plan"), str(row.version)),
    ]
    return StepLines("review", _("Dates"), [line for line in lines if line[1]])


def metric_words(text: str) -> str:
    """An outcome in a sentence, with its short form; text that can't be parsed stays unchanged."""
    try:
        return f"{sentence(parse_metric(text))} ({display_name(text)})"
    except Refused:
        return display_name(text)


def suggestions(row: Experiment) -> list[tuple[str, str]]:
    """Suitable outcomes, each with its sentence; the moment's own first."""
    own = [row.moment.retention] if row.moment is not None else []
    usual = ["window:14-20", "on_day:7", "on_day:14", "week:2", "min_days:14-20:2", "active_days:0-6"]
    return [(text, sentence(parse_metric(text))) for text in dict.fromkeys([*own, *usual])]


def _hypothesis(row: Experiment) -> list[tuple[str, str]]:
    return [
        (_("Name"), row.title),
        (_("Key"), row.key),
        (_("AHA moment"), str(row.moment) if row.moment else ""),
        (_("Hypothesis"), row.hypothesis_shown),
        (_("Other behaviours"), "" if row.moment is None else _others(row)),
        *_summed(row, "hypothesis"),
    ]


def _others(row: Experiment) -> str:
    return "\n".join(f"{name}: {text}" for name, text in others_of(row)) or none_words(row)


def _variants(row: Experiment) -> list[tuple[str, str]]:
    if row.is_lab:
        return [(_("Flag key"), row.flag_key), *nudge_lines(row)]
    arms = [
        (
            _("Control") if arm.is_control else _("Treatment {number}").format(number=arm.position),
            _("{arm}: {value} for {weight}%").format(
                arm=arm.name or arm.key, weight=f"{arm.weight / 100:g}", value=value_words(arm.value)
            ),
        )
        for arm in row.variants.all()
    ]
    arms += [
        (_("Role of {arm}").format(arm=arm.key), arm.get_role_display())
        for arm in row.variants.all()
        if not arm.is_control and arm.role != Variant.Role.NUDGE
    ]
    outside = (_("Default for everyone else"), value_words(row.default_value))
    return [(_("Nudge"), row.nudge), (_("Flag key"), row.flag_key), *arms, outside, *_summed(row, "variants")]


def nudge_lines(row: Experiment) -> list[tuple[str, str]]:
    """A lab's nudges, each with its flag, behaviour and share, and how many sets of them a user may draw."""
    plan = plan_of(row)
    text = _("leads to {behaviour}, shown to {share}, flag {flag}")
    lines = [
        (
            nudge.name or nudge.key,
            text.format(
                behaviour=aim_words(nudge.behaviour, nudge.times), share=percent(with_it.weight / WHOLE, 0), flag=flag
            )
            + (f"\n{nudge.words}" if nudge.words else ""),
        )
        for nudge, with_it, flag in zip(plan.nudges, by_nudge(plan).variants[1:], row.flags[1:], strict=True)
    ]
    sets = _("{n}, from none of the nudges to all of them").format(n=len(plan.variants))
    if plan.most_nudges is not None and plan.most_nudges < len(plan.nudges):
        few = _("{n}, from none of the nudges to {most} at once, each as likely as the others")
        sets = few.format(n=len(plan.variants), most=plan.most_nudges)
    return [*lines, (_("Sets that a user may draw"), sets if plan.variants else "")]


def audience_lines(row: Experiment) -> list[tuple[str, str]]:
    """Whom the plan enrols: segments, coverage, layer, holdout, clusters, sources."""
    names = {segment.slug: str(segment) for segment in choices()}
    lines = [
        (
            names.get(entry.segment_key, entry.segment_key) if entry.segment_key else _("Everyone else"),
            _("of them {coverage}%").format(coverage=f"{entry.coverage / 100:g}"),
        )
        for entry in row.audience.all()
    ]
    if len(lines) < 2 and not any(entry.segment_key for entry in row.audience.all()):
        lines = [(_("Everyone"), lines[0][1] if lines else _("of them {coverage}%").format(coverage=100))]
    if row.layer is not None:
        text = _("{layer}, from {low}% to {high}%")
        value = text.format(layer=row.layer, low=f"{row.layer_low / 100:g}", high=f"{row.layer_high / 100:g}")
        lines.append((_("Layer"), value))
    lines.append((_("Holdout"), str(row.holdout) if row.holdout else ""))
    if row.cluster:
        lines.append((_("Cluster"), row.cluster))
    if row.saturations:
        parts = [f"{share / 100:g}: {weight / 100:g}" for share, weight in row.saturations]
        lines.append((_("Saturations (%)"), ", ".join(parts)))
    sources = Source.objects.filter(pk__in=row.sources).values_list("name", flat=True)
    lines.append((_("Sources whose client keys report exposures"), ", ".join(sources)))
    return [(_("Who"), row.get_enrolment_display()), *lines, *_summed(row, "audience")]


def _outcomes(row: Experiment) -> list[tuple[str, str]]:
    def guarded(text: str, rule: dict[str, Any] | None) -> str:
        return f"{metric_words(text)} {rule_words(text, None if rule is None else GuardrailRule(**rule))}"

    def all_of(texts: Sequence[str]) -> str:
        return "\n".join(metric_words(text) for text in texts)

    return [
        (_("Primary outcome"), all_of(row.primary_metrics)),
        (_("Secondary outcomes"), all_of(row.secondary_metrics)),
        (_("Guardrails"), "\n".join(guarded(text, row.guardrail_rules.get(text)) for text in row.guardrail_metrics)),
        (_("Decision"), table_words(row.otherwise)),
        (_("From the catalogue"), "\n".join(chosen_sentences(row))),
        *_summed(row, "outcomes"),
    ]


def _plan(row: Experiment) -> list[tuple[str, str]]:
    summed = [field for field in on_step(FIELDS, "plan") if field.summed]
    before = [field for field in summed if field.part in (Part.DECISION, Part.SIZE)]
    return [
        *_lines(row, before),
        (_("Result on"), result_words(row)),
        *_lines(row, [field for field in summed if field not in before]),
        (_("Alpha and power"), f"{row.alpha:g} · {row.power:g}"),
    ]


def _summed(row: Experiment, step: str) -> list[tuple[str, str]]:
    """Name and value of each field of a step that has a line of its own."""
    return _lines(row, [field for field in on_step(FIELDS, step) if field.summed])


def _lines(row: Experiment, summed: Iterable[PlanField]) -> list[tuple[str, str]]:
    return [(_(one.title), _shown(row, one)) for one in sorted(summed, key=lambda one: one.kind is Kind.CHOICE)]


def _shown(row: Experiment, field: PlanField) -> str:
    value = getattr(row, field.column)
    if value is None or value == "":
        return ""
    match field.kind:
        case Kind.CHOICE:
            return str(getattr(row, f"get_{field.column}_display")())
        case Kind.DATE:
            return date_format(value)
        case Kind.COUNT | Kind.DAYS:
            return format(value, ",d")
        case Kind.SHARE | Kind.EFFECT:
            return format(value, "g")
        case Kind.SWITCH:
            return _("yes") if value else ""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def result_words(row: Experiment) -> str:
    """The day on which every outcome is known if enrolment ends as planned; "" without an end."""
    day = None if row.planned_end is None else result_on(row.planned_end, row.primary_metrics)
    return "" if day is None else date_format(day)


def value_words(value: Any) -> str:
    """A flag value as JSON."""
    return json.dumps(value, ensure_ascii=False)
