"""A plan as a text for a registry such as OSF: equal plans give equal texts, byte for byte. Pure.

It is in English whatever the site's language, depends on neither warehouse nor clock, and ends with the complete plan
as canonical JSON, so that its hash covers every field.
"""

import hashlib
import json
from dataclasses import fields
from typing import Any

from experiments.plan.record import Plan
from experiments.plan.result_day import result_on
from reporting.canonical import canonical
from reporting.document import dump

RECORD = "THE WHOLE PLAN (canonical JSON, RFC 8785)"
HEAD = (
    "PREREGISTRATION OF AN EXPERIMENT",
    "",
    "Made by Insight from the plan. What decides where nothing is said here stands in docs/analysis.md.",
)
# Headings of OSF's preregistration form, with the fields for each. Fields not listed here are in the JSON record.
HEADINGS: tuple[tuple[str, dict[str, str]], ...] = (
    ("STUDY INFORMATION", {"key": "Key", "name": "Title", "flag": "Flag"}),
    ("HYPOTHESES", {"hypothesis": "Hypothesis", "claim": "AHA moment under test"}),
    (
        "DESIGN PLAN",
        {
            "nudge": "To be built",
            "variants": "Variants (control first; weight in hundredths of a per cent)",
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
            lines += _lines(label, record[name])
            if name == "planned_end" and plan.planned_end is not None:
                lines += _lines("Result on, if enrolment ends then", dump(result_on(plan.planned_end, plan.primary)))
    return "\n".join([*lines, "", RECORD, canonical(record).decode(), ""])


def hash_of(text: str) -> str:
    """SHA-256 of the text as UTF-8, in hex: the plan's hash that a final analysis carries."""
    return hashlib.sha256(text.encode()).hexdigest()


def record_of(plan: Plan) -> dict[str, Any]:
    """Every field of the plan as JSON."""
    found = dump(plan)
    return {one.name: found[one.name] for one in fields(Plan)}


def record_in(text: str) -> dict[str, Any]:
    """The plan's JSON record at the end of a text."""
    found: dict[str, Any] = json.loads(text.rpartition(f"{RECORD}\n")[2])
    return found


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
        return [f"{label}:", *(f"  {name}: {_said(one)}" for name, one in items)]
    return [f"{label}: {_said(value)}"]


def _said(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "none"
    if isinstance(value, str):
        return " ".join(value.split())
    return canonical(value).decode()
