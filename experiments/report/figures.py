"""Figures of findings and verdicts as text for their sentences. Pure, without SciPy."""

from collections.abc import Mapping

from events.metrics import display_name
from experiments.report.behaviour.breakdown import breakdown_text
from reporting.numbers import count, decimal, effect_text, level_text, p_relation, percent, significant

P_VALUES = {"p_value", "adjusted_p", "inequality_p", "placebo_p"}
EFFECTS = {"estimate", "low", "high", "effect_low", "effect_high", "margin", "act_low", "act_high", "placebo_estimate"}


def figures_text(details: Mapping[str, str | int | float]) -> dict[str, str]:
    """Every figure as text: p-values, shares as percentages, effects in the outcome's unit.

    A take-up has two texts, a share and a difference of shares in points; a sentence uses either.
    """
    text: dict[str, str] = {}
    share = details.get("kind") == "proportion"
    for name, value in details.items():
        if isinstance(value, str):
            text[name] = display_name(value) if name in ("outcome", "behaviour") else value
        elif name in P_VALUES:
            text[name] = p_relation(value)
        elif name == "breakdown":
            text[name] = breakdown_text(value, share=share)
        elif name in EFFECTS:
            text[name] = effect_text(value, share=share)
        elif name == "level":
            text[name] = level_text(value)
        elif name == "effective":
            text[name] = decimal(value, 1)
        elif name == "per_day":
            text[name] = decimal(value, 0)
        elif name in ("share", "at_threshold") or name.startswith("take_up"):
            text[name] = percent(value)
            text[f"{name}_points"] = effect_text(value, share=True)
        elif isinstance(value, int):
            text[name] = count(value)
        else:
            text[name] = significant(value)
    return text


def filled(template: str, details: Mapping[str, str | int | float]) -> str:
    """A sentence filled with the formatted figures of a finding or verdict."""
    return template % figures_text(details)
