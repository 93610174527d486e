"""The plan as a form, and the form fields of plans: per cent and lines on the page, steps and lists in the row."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from events.catalogue.references import is_known
from events.metrics import metric_lines, parse_metric
from events.models import Source
from experiments.models import Experiment, choices_of
from experiments.plan.fields import Kind, PlanField
from experiments.plan.record import FIELDS
from runs.refusals import Refused

# Fields of plans: per cent and lines in the form, steps and lists in the row.


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
        percent: Decimal | None = super().clean(value)
        return None if percent is None else int(percent * 100)

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare displayed values."""
        return super().has_changed(self.prepare_value(initial), data)


class PercentsField(forms.CharField):
    """Weights of a row: 50, 30, 20; empty for the variants' own."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        """Steps as per cent, separated by commas."""
        return ", ".join(f"{step / 100:g}" for step in value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        """A list of steps, or None."""
        text = super().clean(value)
        try:
            return [int(Decimal(part) * 100) for part in text.split(",")] if text else None
        except ArithmeticError:
            raise forms.ValidationError(_("Write per cents with commas between, for example 50, 50.")) from None


class MetricsField(forms.CharField):
    """Outcomes, one per line; an SQL metric may span several lines."""

    grammar = _("One a line, for example window:14-20.")
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

    grammar = _("One a line.")
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
        return "\n".join(names.get(number, str(number)) for number in value)

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

    grammar = _("With commas between, for example 50, 100.")
    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        """Shares as per cent."""
        return ", ".join(f"{100 * share:g}" for share in value) if isinstance(value, list) else value

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


# Guardrail rules as lines of a form.

RULE = re.compile(r"(?P<metric>.+?)\s*\|\s*(?P<direction>higher|lower)\s*\|\s*(?P<margin>\d*\.?\d+)")


class RulesField(forms.CharField):
    """Direction and margin of guardrails, one per line: ``on_day:7 | higher | 0.01``."""

    grammar = _("One a line: guardrail | higher or lower, whichever is better | margin.")
    widget = forms.Textarea(attrs={"rows": 2})

    def prepare_value(self, value: Any) -> Any:
        """One per line."""
        if not isinstance(value, dict):
            return value
        return "\n".join(f"{name} | {rule['direction']} | {rule['margin']:g}" for name, rule in value.items())

    def clean(self, value: Any) -> Any:
        """Rules by guardrail, as stored in the row."""
        rules = {}
        for line in filter(None, map(str.strip, super().clean(value).splitlines())):
            matched = RULE.fullmatch(line)
            if matched is None:
                raise forms.ValidationError(
                    _("“%(line)s” is no rule. Write for example: on_day:7 | higher | 0.01"), params={"line": line}
                )
            rules[matched["metric"]] = {"direction": matched["direction"], "margin": float(matched["margin"])}
        return rules

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare displayed values."""
        return bool((data or "").split() != (self.prepare_value(initial) or "").split())


class OthersField(forms.CharField):
    """Other behaviours, one per line: ``chat | 1 | 0 | 0.18 | promise | why it is a consequence``."""

    grammar = _(
        "One a line: behaviour | times | smallest effect | largest effect | where from | consequence, if it is."
    )
    widget = forms.Textarea(attrs={"rows": 3})

    def prepare_value(self, value: Any) -> Any:
        """One per line."""
        if not isinstance(value, list):
            return value
        return "\n".join(
            f"{row['behaviour']} | {row['times']} | {row['low']:g} | {row['high']:g} | {row['origin']}"
            + (f" | {row['consequence']}" if row["consequence"] else "")
            for row in value
        )

    def clean(self, value: Any) -> Any:
        """Rows as stored."""
        rows = []
        for line in filter(None, map(str.strip, super().clean(value).splitlines())):
            parts = [part.strip() for part in line.split("|", 5)]
            try:
                behaviour, times, low, high, origin = parts[:5]
                row = {"behaviour": behaviour, "times": int(times), "low": float(low), "high": float(high)}
            except ValueError:
                raise forms.ValidationError(
                    _("“%(line)s” is no other behaviour. Write for example: chat | 1 | 0 | 0.18 | promise"),
                    params={"line": line},
                ) from None
            rows.append(row | {"origin": origin, "consequence": parts[5] if len(parts) > 5 else ""})
        return rows

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare displayed values."""
        return bool((data or "").split() != (self.prepare_value(initial) or "").split())


class NudgesField(forms.CharField):
    """Nudges of a lab, one per line: ``pals | friend_add | 3 | 50 | 10 | 0 | Friends | what users see``."""

    grammar = _(
        "One a line: key | behaviour | times | shown to (%) | take-up (%) | spill (%) | name | what users see. The "
        "last two may be left out."
    )
    widget = forms.Textarea(attrs={"rows": 3})

    def prepare_value(self, value: Any) -> Any:
        """One per line."""
        if not isinstance(value, list):
            return value
        return "\n".join(
            f"{row['key']} | {row['behaviour']} | {row['times']} | {row['share'] / 100:g} | {100 * row['take_up']:g} | "
            f"{100 * row['spill']:g}" + (f" | {row['name']} | {row['words']}" if row["name"] or row["words"] else "")
            for row in value
        )

    def clean(self, value: Any) -> Any:
        """Rows as stored."""
        rows = []
        for line in filter(None, map(str.strip, super().clean(value).splitlines())):
            parts = [part.strip() for part in line.split("|", 7)]
            try:
                key, behaviour, times, share, take_up, spill = parts[:6]
                row = {"key": key, "behaviour": behaviour, "times": int(times), "share": _steps(share)}
                row |= {"take_up": float(take_up) / 100, "spill": float(spill) / 100}
            except ValueError:
                raise forms.ValidationError(
                    _("“%(line)s” is no nudge. Write for example: pals | friend_add | 3 | 50 | 10 | 0"),
                    params={"line": line},
                ) from None
            name, words = (*parts[6:], "", "")[:2]
            rows.append(row | {"name": name, "words": words})
        return rows

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare displayed values."""
        return bool((data or "").split() != (self.prepare_value(initial) or "").split())


# Form field for saturations: pairs of percentages, such as "0: 34, 40: 33, 80: 33".


class SaturationsField(forms.CharField):
    """Share of a cluster that is nudged, and share of clusters with it, in per cent; stored in steps of 0.01 %."""

    grammar = _("Pairs with commas between, for example 0: 34, 40: 33, 80: 33.")
    widget = forms.TextInput

    def prepare_value(self, value: Any) -> Any:
        """Pairs as percentages."""
        if not isinstance(value, list):
            return value
        return ", ".join(f"{share / 100:g}: {weight / 100:g}" for share, weight in value)

    def clean(self, value: Any) -> Any:
        """A list of pairs in steps."""
        text = super().clean(value)
        try:
            pairs = [part.split(":") for part in text.split(",")] if text.strip() else []
            return [[_steps(share), _steps(weight)] for share, weight in pairs]
        except ValueError:
            raise forms.ValidationError(
                _("Write pairs of per cents with commas between, for example 0: 34, 40: 33, 80: 33.")
            ) from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare displayed values."""
        return bool((data or "").split() != (self.prepare_value(initial) or "").split())


def _steps(text: str) -> int:
    """A percentage as steps of 0.01 %."""
    per_cent = float(text)
    if not 0 <= per_cent <= 100:
        raise ValueError(text)
    return round(100 * per_cent)


# The plan as one form, made from the table of plan fields.

ENTRIES: dict[Kind, type[forms.Field]] = {
    Kind.STEPS: PercentField,
    Kind.VALUE: ValueField,
    Kind.METRICS: MetricsField,
    Kind.RULES: RulesField,
    Kind.NAMES: LinesField,
    Kind.LOOKS: LooksField,
    Kind.SOURCES: SourcesField,
    Kind.SATURATIONS: SaturationsField,
    Kind.OTHERS: OthersField,
    Kind.NUDGES: NudgesField,
}


def with_fields[F: type[forms.BaseForm]](fields: Mapping[str, forms.Field]) -> Callable[[F], F]:
    """Give a form class these fields beside those that it declares itself."""

    def add(form: F) -> F:
        kind: Any = form
        kind.declared_fields = {**fields, **kind.declared_fields}
        kind.base_fields = {**fields, **kind.base_fields}
        return form

    return add


def entry(field: PlanField) -> forms.Field:
    """The admin's field for a value that it would not know how to show, or whose empty text has a meaning."""
    options: dict[str, Any] = {"label": _(field.admin_label or field.label), "required": False}
    grammar = getattr(ENTRIES.get(field.kind), "grammar", "")
    if field.help_in_admin:
        options["help_text"] = format_lazy("{} {}", _(field.help), grammar) if grammar else _(field.help)
    elif grammar:
        options["help_text"] = grammar
    match field.kind:
        case Kind.CHOICE:
            return forms.ChoiceField(choices=choices_of(field.column), widget=UnfoldAdminSelectWidget, **options)
        case Kind.DAYS | Kind.COUNT:
            options |= {"min_value": field.least, "max_value": field.most}
            return forms.IntegerField(widget=UnfoldAdminIntegerFieldWidget, **options)
        case Kind.NAME:
            return forms.CharField(max_length=field.most, **options)
    return ENTRIES[field.kind](**options)


def empty_optionals(values: Mapping[str, Any]) -> list[PlanField]:
    """Fields whose value may be left out, and is."""
    return [field for name, field in FIELDS.items() if field.optional and name in values and values[name] in (None, "")]


if TYPE_CHECKING:
    ExperimentForm = forms.ModelForm[Experiment]
else:
    ExperimentForm = forms.ModelForm


@with_fields(
    {
        name: entry(field)
        for name, field in FIELDS.items()
        if field.kind in ENTRIES or field.optional or field.admin_label
    }
)
class DraftForm(ExperimentForm):
    """The plan."""

    class Meta:
        model = Experiment
        fields: Sequence[str] = ()  # set by the admin
        widgets = {
            name: UnfoldAdminTextareaWidget(attrs={"rows": 3})
            for name, field in FIELDS.items()
            if field.kind is Kind.PROSE
        }

    def clean(self) -> None:
        """Nothing entered: the slice's own ends; elsewhere the stored value."""
        super().clean()
        for field in empty_optionals(self.cleaned_data):
            stored = field.default if field.kind is Kind.STEPS else getattr(self.instance, field.column)
            self.cleaned_data[field.name] = stored


# Replace the admin's widgets by the site's own, since its style sheet only covers plain elements.


def plainly(fields: dict[str, forms.Field]) -> None:
    """Give every field the plain widget of its kind."""
    for field in fields.values():
        field.widget = _plain(field)
        field.widget.is_required = field.required
        field.widget.attrs.update(field.widget_attrs(field.widget))


def _plain(field: forms.Field) -> forms.Widget:
    widget: Any = field.widget
    match widget:
        case forms.CheckboxInput():
            return forms.CheckboxInput()
        case forms.Textarea():
            return forms.Textarea(attrs={"rows": widget.attrs.get("rows", 3)})
        case forms.Select():
            return forms.Select(choices=widget.choices)
    if isinstance(field, forms.DateField):
        return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    if isinstance(field, forms.IntegerField | forms.DecimalField):
        return forms.NumberInput(attrs={"step": "any"})
    return forms.TextInput()
