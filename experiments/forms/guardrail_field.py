"""Guardrail rules as lines of a form, and the columns on how a plan is judged."""

import re
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

RULE = re.compile(r"(?P<metric>.+?)\s*\|\s*(?P<direction>higher|lower)\s*\|\s*(?P<margin>\d*\.?\d+)")


class RulesField(forms.CharField):
    """Direction and margin of guardrails, one per line: ``on_day:7 | higher | 0.01``."""

    widget = forms.Textarea(attrs={"rows": 2})

    def __init__(self, **options: Any) -> None:
        text = _(
            "One a line: guardrail | higher or lower, whichever is better | margin. A loss of the margin or more is "
            "harm; 0.01 is one point of a share. Without a rule a guardrail can raise an alarm, and never be cleared."
        )
        super().__init__(**{"label": _("Rules of guardrails"), "required": False, "help_text": text, **options})

    def prepare_value(self, value: Any) -> Any:
        """One per line."""
        if not isinstance(value, dict):
            return value
        return "\n".join(f"{name} | {rule['direction']} | {rule['margin']:g}" for name, rule in value.items())

    def clean(self, value: Any) -> Any:
        """Rules by guardrail, as stored in the row."""
        rules = {}
        for line in filter(None, map(str.strip, super().clean(value).splitlines())):
            found = RULE.fullmatch(line)
            if found is None:
                raise forms.ValidationError(
                    _("“%(line)s” is no rule. Write for example: on_day:7 | higher | 0.01"), params={"line": line}
                )
            rules[found["metric"]] = {"direction": found["direction"], "margin": float(found["margin"])}
        return rules

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare displayed values."""
        return bool((data or "").split() != (self.prepare_value(initial) or "").split())
