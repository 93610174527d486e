"""The registered plan: the same plan gives the same text, byte for byte; taken at the start, and found again."""

import hashlib
import json
from dataclasses import fields
from typing import Any

from experiments.models import Amendment, Experiment, Registration
from experiments.plan.derived import result_on
from experiments.plan.record import FROZEN, Plan
from experiments.plan.stored import COLUMNS, plan_of
from reporting.document import canonical, dump

# A plan as a text for a registry such as OSF: equal plans give equal texts, byte for byte. Pure.
#
# It is in English whatever the site's language, depends on neither warehouse nor clock, and ends with the complete
# plan as canonical JSON, so that its hash covers every field.

RECORD = "THE WHOLE PLAN (canonical JSON, RFC 8785)"
HEAD = (
    "PREREGISTRATION OF AN EXPERIMENT",
    "",
    "Made by Insight from the plan. What decides where nothing is said here stands in docs/analysis.md.",
)
# Headings of OSF's preregistration form, with the fields for each. Fields not listed here are in the JSON record.
# Names and labels are written out and not those of the table of plan fields: a text must stay the same, byte for byte,
# whatever the pages come to call a field, since final analyses carry its hash.
HEADINGS: tuple[tuple[str, dict[str, str]], ...] = (
    ("STUDY INFORMATION", {"key": "Key", "name": "Title", "flag": "Flag"}),
    (
        "HYPOTHESES",
        {"hypothesis": "Hypothesis", "claim": "AHA moment under test", "others": "Other behaviours that it may move"},
    ),
    (
        "DESIGN PLAN",
        {
            "nudge": "To be built",
            "variants": "Variants (control first; weight in hundredths of a per cent)",
            "nudges": "Nudges of a lab, each drawn by itself (shares in hundredths of a per cent)",
            "most_nudges": "Nudges at once",
            "cluster": "Whole clusters are drawn by",
            "saturations": "Saturations (share nudged, share of clusters; in hundredths of a per cent)",
            "enrolment": "Who is enrolled",
            "audience": "Audience (first row that matches; coverage in hundredths of a per cent)",
            "seed": "Seed of the draw",
            "hash_version": "Version of the draw",
        },
    ),
    (
        "SAMPLING PLAN",
        {
            "planned_units": "Planned users",
            "planned_end": "Planned end of enrolment",
            "power": "Power",
            "planned_effect": "Planned effect",
            "expected_take_up": "Expected take-up (share of users)",
            "method": "When the outcome is read",
            "looks": "Looks (share of the planned users)",
            "spending": "Spending of alpha over planned looks",
        },
    ),
    (
        "VARIABLES",
        {
            "primary": "Primary outcomes",
            "secondary": "Secondary outcomes",
            "guardrails": "Guardrails",
            "guardrail_rules": "Margins of guardrails",
            "covariates": "Covariates",
            "active_days_before": "Active days before the exposure as a covariate (days)",
            "clock": "Day 0",
            "day_mode": "Days",
            "churn_gap": "Silent days that count as churn",
        },
    ),
    (
        "ANALYSIS PLAN",
        {
            "alpha": "Two-sided error rate over all outcomes, variants and looks",
            "smallest_effect": "Smallest effect of interest",
            "adjustment": "Comparison that decides",
            "otherwise": "Decision where nothing is proved",
        },
    ),
)


def text_of(plan: Plan) -> str:
    """The text, without its hash."""
    record = record_of(plan)
    lines = [*HEAD]
    for heading, labels in HEADINGS:
        lines += ["", heading]
        for name, label in labels.items():
            value = record[name]
            if name == "variants" and plan.is_lab:  # the record below has all of them
                value = f"the {len(plan.variants)} sets of the nudges"
            lines += _lines(label, value)
            if name == "planned_end" and plan.planned_end is not None:
                lines += _lines("Result on, if enrolment ends then", dump(result_on(plan.planned_end, plan.primary)))
    return "\n".join([*lines, "", RECORD, canonical(record).decode(), ""])


def hash_of(text: str) -> str:
    """SHA-256 of the text as UTF-8, in hex: the plan's hash that a final analysis carries."""
    return hashlib.sha256(text.encode()).hexdigest()


def record_of(plan: Plan) -> dict[str, Any]:
    """Every field of the plan as JSON."""
    values = dump(plan)
    return {field.name: values[field.name] for field in fields(Plan)}


def record_in(text: str) -> dict[str, Any]:
    """The plan's JSON record at the end of a text."""
    record: dict[str, Any] = json.loads(text.rpartition(f"{RECORD}\n")[2])
    return record


def changed_fields(before: dict[str, Any], now: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Fields that differ between two plans, with both values; a field that only one of them has is no change.

    A later version of Insight may have more fields than the one that wrote a text.
    """
    return {
        name: (before[name], now[name])
        for name in before
        if name in now and canonical(before[name]) != canonical(now[name])
    }


def _lines(label: str, value: Any) -> list[str]:
    if isinstance(value, list | dict) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value, start=1)
        return [f"{label}:", *(f"  {name}: {_said(item)}" for name, item in items)]
    return [f"{label}: {_said(value)}"]


def _said(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "none"
    if isinstance(value, str):
        return " ".join(value.split())
    return canonical(value).decode()


# Store the registered text of a plan at the start, and read it.


def register(experiment: Experiment) -> Registration:
    """Store the text of a plan that starts now, from its rows."""
    text = text_of(plan_of(Experiment.objects.get(pk=experiment.pk)))
    return Registration.objects.create(experiment=experiment, text=text, sha256=hash_of(text))


def registration_of(experiment: Experiment) -> Registration | None:
    """The registration at the start; None for a draft, and for an experiment started by an older version."""
    return Registration.objects.filter(experiment=experiment).first()


def preregistration(experiment: Experiment) -> tuple[str, str]:
    """The text and its hash: the registered one, or that of the current plan where nothing was registered."""
    row = registration_of(experiment)
    if row is not None:
        return row.text, row.sha256
    text = text_of(plan_of(experiment))
    return text, hash_of(text)


def changed_since(experiment: Experiment, text: str) -> dict[str, tuple[Any, Any]]:
    """Fields of the plan that differ from the registered text without a logged amendment."""
    differences = changed_fields(record_in(text), record_of(plan_of(experiment)))
    amended = {name for changes in _changes(experiment) for name in changes}
    columns = {name: COLUMNS.get(name, name) for name in differences}
    rows = any(name.startswith("coverage of ") for name in amended)
    return {
        name: pair
        for name, pair in differences.items()
        if columns[name] not in amended - set(FROZEN) and not (name == "audience" and rows)
    }


def _changes(experiment: Experiment) -> list[dict[str, Any]]:
    return list(Amendment.objects.filter(experiment=experiment).values_list("changes", flat=True))
