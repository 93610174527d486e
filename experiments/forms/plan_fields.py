"""Fields of plans: per cent and lines in the form, steps and lists in the row."""

import json
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from events.metric_catalogue.references import is_known
from events.metrics import parse_metric
from events.metrics.read_line import metric_lines
from events.models import Source
from runs.refusals import Refused


class PercentField(forms.DecimalField):
    """Per cent in the form, integer steps of 0.01 % in the row."""

    widget = UnfoldAdminDecimalFieldWidget

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=0, max_value=100, decimal_places=2, **options)

    def prepare_value(self, value: Any) -> Any:
        """Steps as per cent; entered text stays unchanged."""
        return f"{value / 100:g}" if isinstance(value, int) else value

    def clean(self, value: Any) -> Any:
        """Per cent as steps."""
        given: Decimal | None = super().clean(value)
        return None if given is None else int(given * 100)

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare displayed values."""
        return super().has_changed(self.prepare_value(initial), data)


class PercentsField(forms.CharField):
    """Weights of a row: 50, 30, 20; empty for the variants' own."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        """Steps as per cent, separated by commas."""
        return ", ".join(f"{one / 100:g}" for one in value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        """A list of steps, or None."""
        text = super().clean(value)
        try:
            return [int(Decimal(part) * 100) for part in text.split(",")] if text else None
        except ArithmeticError:
            raise forms.ValidationError(_("Write per cents with commas between, for example 50, 50.")) from None


class MetricsField(forms.CharField):
    """Outcomes, one per line; an SQL metric may span several lines."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 3, "class": "font-mono", "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        """One per line."""
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        """A list of outcome texts that can be parsed or that name a metric of the catalogue."""
        lines = metric_lines(super().clean(value))
        for line in lines:
            try:
                if not is_known(line):
                    parse_metric(line)
            except Refused as refusal:
                raise forms.ValidationError(refusal.sentence) from None
        return lines

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare displayed values."""
        return bool((data or "").split() != (self.prepare_value(initial) or "").split())


class LinesField(forms.CharField):
    """Names, one per line."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 2})

    def prepare_value(self, value: Any) -> Any:
        """One per line."""
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        """The names."""
        return [line.strip() for line in super().clean(value).splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare displayed values."""
        return bool((data or "").split() != (self.prepare_value(initial) or "").split())


class SourcesField(LinesField):
    """Source numbers in the row, source names in the form, one per line."""

    def prepare_value(self, value: Any) -> Any:
        """The names; a deleted source is shown by its number."""
        if not isinstance(value, list):
            return value
        names = dict(Source.objects.filter(pk__in=value).values_list("pk", "name"))
        return "\n".join(names.get(one, str(one)) for one in value)

    def clean(self, value: Any) -> Any:
        """The numbers."""
        numbers = dict(Source.objects.values_list("name", "pk"))
        lines = super().clean(value)
        for line in lines:
            if line not in numbers:
                known = ", ".join(sorted(numbers)) or "–"
                raise forms.ValidationError(
                    _("There is no source “%(name)s”. There are: %(known)s."), params={"name": line, "known": known}
                )
        return sorted({numbers[line] for line in lines})


class LooksField(forms.CharField):
    """Shares of the planned units, in per cent separated by commas."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        """Shares as per cent."""
        return ", ".join(f"{100 * one:g}" for one in value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        """A list of shares."""
        text = super().clean(value)
        try:
            return [float(part) / 100 for part in text.split(",")] if text else []
        except ValueError:
            raise forms.ValidationError(_("Write per cents with commas between, for example 50, 100.")) from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare displayed values."""
        return bool((data or "").split() != (self.prepare_value(initial) or "").split())


class ValueField(forms.CharField):
    """A flag value: JSON, or text without quotes."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        """Text that would parse as JSON keeps its quotes."""
        if value is None or (isinstance(value, str) and not _is_json(value)):
            return value
        return json.dumps(value, ensure_ascii=False)

    def bound_data(self, data: Any, initial: Any) -> Any:
        """The entered value; `prepare_value` would quote it again."""
        return self.clean_value(data)

    def clean(self, value: Any) -> Any:
        """The parsed value."""
        return self.clean_value(super().clean(value))

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare values, not their notation."""
        return bool(self.clean_value(data) != initial)

    @staticmethod
    def clean_value(text: Any) -> Any:
        """The parsed value; None for empty text."""
        if text in (None, ""):
            return None
        return json.loads(text) if _is_json(text) else text


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
