"""Parts of a plan that are lists, as rows of a form: metrics, guardrails, covariates, analyses, saturations."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from events.catalogue.references import named_version
from events.metrics import IS_SQL, LONGEST_LINE, Metric, is_share, parse_behaviour, parse_metric, plain_name
from events.pickers.catalogue_metrics import catalogue_facts
from events.pickers.definition_parts import margin_as_typed, read_definition, row_facts
from events.pickers.fields import Combobox, Picked, PickedMetric
from events.pickers.known_names import over_days, title_of_behaviour
from events.pickers.quick_fixes import Mendable, QuickFix
from events.pickers.rows import RowForm, row_values
from experiments.pages.number_fields import NUMBER, POINTS, meant
from experiments.plan.drafts import nudge_key
from experiments.plan.fields import Origin
from experiments.plan.lab import HALF, LONGEST_KEY, USUAL_TAKE_UP, is_nudge_key
from experiments.plan_page.known_numbers import known_events
from experiments.plan_page.other_words import origin_words
from reporting.numbers import decimal
from runs.refusals import Refused

LARGEST = 365  # a day of a metric's window


class Number(forms.TextInput):
    """A number in a row: short, and without a browser's own buttons and rules."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__({"inputmode": "decimal", "autocomplete": "off", "size": 6, **attrs})


class NumberField(forms.CharField):
    """A number as people type it: 1, 1.5, 1,5, 1 %, 1 points; cleaned to a `Decimal`, or None for nothing.

    Args:
        unit: words that stand behind the input.
        most: largest number that makes sense; None for any.
    """

    def __init__(self, *, unit: Any = "", most: int | None = None, **options: Any) -> None:
        self.unit, self.most = unit, most
        super().__init__(**{"required": False, "max_length": 40, "widget": Number(), **options})

    def clean(self, value: Any) -> Any:
        """The number."""
        text = super().clean(value)
        if not text:
            return None
        matched = NUMBER.fullmatch(text.replace("\u00a0", " "))
        if matched is None or matched["unit"].strip().lower() not in ("", *POINTS):
            sentence = _("“%(text)s” is no number. Write one such as 1 or 0.5.")
            raise forms.ValidationError(sentence, params={"text": text})
        number = Decimal(matched["number"].replace(",", "."))
        if self.most is not None and number > self.most:
            raise forms.ValidationError(
                _("“%(text)s” is too much: the most is %(most)s."), params={"text": text, "most": self.most}
            )
        return number


# Metrics in rows.


class DayField(forms.IntegerField):
    """A day of a metric's window."""

    unit = ""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=0, max_value=LARGEST, widget=forms.NumberInput({"inputmode": "numeric"}), **options)


class MetricRow(RowForm):
    """One metric, and the days over which it is measured, where it has any; its entry is its definition."""

    told_by: ClassVar[tuple[str, ...]] = ("metric",)
    unique = "metric"
    metric = forms.CharField(label=_("Metric"), widget=PickedMetric())
    first = DayField(label=_("From day"))
    last = DayField(label=_("to day"))

    @classmethod
    def begin(cls, stored: Any) -> dict[str, Any]:
        """The metric with its days."""
        facts = facts_of(stored)
        return {"metric": stored, "first": facts.get("first", ""), "last": facts.get("last", "")}

    @property
    def line(self) -> str:
        """The definition that the row shows now; a text that can't be read stays as it was typed."""
        return str(self["metric"].value() or "")

    @property
    def without_days(self) -> bool:
        """True where the row's metric has no days to choose."""
        return bool(self.line) and not facts_of(self.line).get("first") and not self.errors.get("metric")

    @property
    def unit(self) -> str:
        """Unit of the metric's numbers; "" where the metric isn't known."""
        return facts_of(self.line).get("unit", "")

    def clean_metric(self) -> str:
        """A metric of the catalogue, or a definition."""
        text: str = self.cleaned_data["metric"]
        if not text or named_version(text) is not None:
            return text
        try:
            return str(read_definition(text))
        except Refused as refusal:
            if IS_SQL.match(text):  # its own mistake says more
                raise forms.ValidationError(refusal.sentence) from None
            near = meant(text, known_events())
            fixes = [QuickFix(near, gettext("Use {value}").format(value=near))] if near else []
            sentence = gettext("“{text}” is no metric. Choose one from the list.").format(text=text)
            raise Mendable(sentence, *fixes, QuickFix("", gettext("Leave it out"))) from None

    def clean(self) -> dict[str, Any]:
        """The metric over the days of its row."""
        data = self.cleaned_data
        text = data.get("metric")
        if text and not self._typed_anew and named_version(text) is None and not self.errors:
            try:
                data["metric"] = str(over_days(parse_metric(text), self._days()))
            except Refused as refusal:
                self.add_error("last", refusal.sentence)
        return data

    @property
    def _typed_anew(self) -> bool:
        """True where somebody typed another metric over the one that the row showed: the days are that one's."""
        title = (self.data.get(f"{self.prefix}-metric_title") or "").strip()
        return bool(title) and title != (self.data.get(f"{self.prefix}-metric") or "").strip()

    def _days(self) -> str:
        first, last = self.cleaned_data.get("first"), self.cleaned_data.get("last")
        if first is None and last is None:
            return ""
        return f"{last if first is None else first}-{first if last is None else last}"

    def entry(self) -> Any:
        """The definition."""
        return self.cleaned_data["metric"]


def facts_of(text: str) -> dict[str, str]:
    """What a row shows of a metric: days, unit, rule; empty for a text that is none."""
    version = named_version(text)
    if version is not None:
        return catalogue_facts(version)
    try:
        return row_facts(parse_metric(text))
    except Refused:
        return {}


def _definition(text: str) -> Metric:
    version = named_version(text)
    return parse_metric(text) if version is None else version.facts.read()


class GuardrailRow(MetricRow):
    """One guardrail; its entry is the metric, with direction and margin as the plan stores them."""

    told_by: ClassVar[tuple[str, ...]] = ("metric", "margin")
    direction = forms.ChoiceField(label=_("Better when"), choices=[("higher", _("higher")), ("lower", _("lower"))])
    margin = NumberField(label=_("Margin"), unit=_("in the metric's unit"))

    @classmethod
    def begin(cls, stored: Any) -> dict[str, Any]:
        """The guardrail with its rule in the metric's unit."""
        row = super().begin(stored["metric"])
        margin = stored.get("margin")
        if margin is None:
            return {**row, "direction": facts_of(stored["metric"]).get("direction", "higher"), "margin": ""}
        text = margin_as_typed(margin, share=_is_share(stored["metric"]))
        return {**row, "direction": stored["direction"], "margin": text}

    def clean(self) -> dict[str, Any]:
        """The margin in the plan's own numbers: a share's as a share."""
        data = super().clean()
        if not data.get("metric") and not self.errors:
            self.add_error("metric", gettext("Choose the metric that has this margin."))
        margin = data.get("margin")
        if margin is None or not data.get("metric"):
            return data
        share = _is_share(data["metric"])
        if margin <= 0:
            self.add_error("margin", gettext("A margin is above 0. Leave it empty to only watch the metric."))
        elif share and margin > 100:
            sentence = gettext("A share can't change by %(points)s points: 100 is everybody.")
            self.add_error("margin", sentence % {"points": decimal(float(margin), 0)})
        else:
            data["margin"] = float(margin / 100 if share else margin)
        return data

    def entry(self) -> dict[str, Any]:
        """Metric, direction and margin; None for a guardrail that is only watched."""
        return {name: self.cleaned_data[name] for name in ("metric", "direction", "margin")}


def _is_share(text: str) -> bool:
    try:
        return is_share(_definition(text))
    except Refused:
        return False


def guardrails(metrics: Sequence[str], rules: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The plan's guardrails as entries of rows: each metric with its rule, if it has one."""
    return [{"metric": text, **rules.get(text, {})} for text in metrics]


def rules_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The rules that the plan stores of these rows: those with a margin."""
    return {
        row["metric"]: {"direction": row["direction"], "margin": row["margin"]}
        for row in rows
        if row["margin"] is not None
    }


def metric_changes(name: str, metrics: Iterable[str]) -> dict[str, str]:
    """Values of the inputs of these metrics, for a button."""
    return row_values(name, [{"metric": text} for text in metrics if text])


def guardrail_changes(metrics: Sequence[str], rules: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The same for guardrails with their rules."""
    rows = [GuardrailRow.begin(entry) for entry in guardrails([text for text in metrics if text], rules)]
    parts = ("metric", "direction", "margin")
    return row_values("guardrail_metrics", [{part: row[part] for part in parts} for row in rows])


# Other behaviours in rows.


class TimesField(forms.IntegerField):
    """From how many times on a behaviour counts as done."""

    unit = ""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=1_000, widget=forms.NumberInput({"inputmode": "numeric"}), **options)


class Yes(forms.BooleanField):
    """A box to tick in a row."""

    unit = ""


class OtherRow(RowForm):
    """One other behaviour; its entry is as the plan stores it.

    Attributes:
        share: the outcome is a share, so that an effect is so many of 100 who do it.
        most: largest effect that makes sense; None for any.
    """

    told_by: ClassVar[tuple[str, ...]] = ("behaviour", "high")
    unique = "behaviour"
    share: ClassVar[bool] = True
    behaviour = forms.CharField(
        label=_("Behaviour"), max_length=LONGEST_LINE, widget=Picked("behaviour", title_of_behaviour)
    )
    times = TimesField(label=_("At least so many times"))
    high = NumberField(label=_("Keeps at most"), unit=_("of 100 who do it"), most=100)
    low = NumberField(label=_("Loses at most"), unit=_("of 100 who do it"), most=100)
    follows = Yes(label=_("It is a consequence of the behaviour under test"))
    consequence = forms.CharField(
        label=_("Because"), max_length=500, widget=forms.TextInput({"autocomplete": "off", "size": 40})
    )
    known = forms.CharField(max_length=600, widget=forms.HiddenInput)

    @classmethod
    def begin(cls, stored: Any) -> dict[str, Any]:
        """The behaviour with its limits as people type them, and where these come from."""
        return {
            "behaviour": stored["behaviour"],
            "times": stored["times"],
            "high": margin_as_typed(stored["high"], share=cls.share),
            "low": margin_as_typed(abs(stored["low"]), share=cls.share),
            "follows": bool(stored["consequence"]),
            "consequence": stored["consequence"],
            "known": _known(stored),
        }

    def clean_behaviour(self) -> str:
        """A behaviour in its usual form; whether the store knows its event is a warning of the plan."""
        text: str = self.cleaned_data["behaviour"]
        try:
            return str(parse_behaviour(text)) if text else ""
        except Refused as refusal:
            raise forms.ValidationError(refusal.sentence) from None

    @property
    def said(self) -> str:
        """Where its limits come from."""
        return origin_words(str(self["known"].value() or "").partition(" ")[0])

    def clean(self) -> dict[str, Any]:
        """A row needs a behaviour, a largest effect, and a reason where it is called a consequence."""
        data = self.cleaned_data
        if not data.get("behaviour") and "behaviour" not in self.errors:
            self.add_error("behaviour", gettext("Choose the behaviour that has this effect."))
        if data.get("high") is None and "high" not in self.errors:
            self.add_error("high", gettext("Write the largest effect that it may have; 0 if it can't have any."))
        if data.get("follows") and not data.get("consequence"):
            self.add_error("consequence", gettext("Write why the behaviour under test leads to it."))
        return data

    def entry(self) -> dict[str, Any]:
        """The other behaviour; limits that somebody changed come from a person."""
        data = self.cleaned_data
        by = 100 if self.share else 1
        entry: dict[str, Any] = {
            "behaviour": data["behaviour"],
            "times": data.get("times") or 1,
            "low": -float(data["low"] / by) if data.get("low") else 0.0,
            "high": float(data["high"] / by),
        }
        known = data.get("known") or ""
        origin = known.partition(" ")[0] if known == _known({**entry, "origin": known.partition(" ")[0]}) else ""
        return entry | {
            "origin": origin or Origin.PERSON.value,
            "consequence": data["consequence"] if data.get("follows") else "",
        }


class OtherValueRow(OtherRow):
    """The same for an outcome that isn't a share."""

    share = False
    high = NumberField(label=_("Adds at most"), unit=_("to the outcome of those who do it"))
    low = NumberField(label=_("Takes away at most"), unit=_("from the outcome of those who do it"))


def _known(stored: Mapping[str, Any]) -> str:
    """Origin, behaviour and limits in one text: a row whose numbers differ from it was changed by a person."""
    ends = (f"{stored[name]:.6g}" for name in ("low", "high"))
    return " ".join([stored["origin"], *ends, str(stored["times"]), stored["behaviour"]])


def other_changes(others: Sequence[Mapping[str, Any]], *, share: bool) -> dict[str, str]:
    """Values of the inputs of these rows, for a button."""
    row = OtherRow if share else OtherValueRow
    rows = [row.begin(other) for other in others]
    return row_values("other_behaviours", [{**one, "follows": "on" if one["follows"] else ""} for one in rows])


# Nudges of a lab in rows.


class NudgeRow(RowForm):
    """One nudge of a lab; its entry is as the plan stores it."""

    told_by: ClassVar[tuple[str, ...]] = ("name", "key", "behaviour")
    unique = "key"
    name = forms.CharField(label=_("Name"), max_length=100, widget=forms.TextInput({"autocomplete": "off"}))
    key = forms.CharField(
        label=_("Key"), max_length=40, widget=forms.TextInput({"autocomplete": "off", "size": LONGEST_KEY})
    )
    behaviour = forms.CharField(
        label=_("Leads to"), max_length=LONGEST_LINE, widget=Picked("behaviour", title_of_behaviour)
    )
    times = TimesField(label=_("At least so many times"))
    share = NumberField(label=_("Shown to"), unit="%", most=100)
    take_up = NumberField(label=_("Moves to it"), unit="%", most=100)
    spill = NumberField(label=_("Moves to each other one"), unit="%", most=100)
    words = forms.CharField(
        label=_("What users see"), max_length=500, widget=forms.TextInput({"autocomplete": "off", "size": 40})
    )

    @classmethod
    def begin(cls, stored: Any) -> dict[str, Any]:
        """The nudge with its shares in per cent."""
        return {
            **stored,
            "share": f"{stored['share'] / 100:g}",
            "take_up": f"{100 * stored['take_up']:.6g}",
            "spill": f"{100 * stored['spill']:.6g}",
        }

    def clean_behaviour(self) -> str:
        """A behaviour in its usual form."""
        text: str = self.cleaned_data["behaviour"]
        try:
            return str(parse_behaviour(text)) if text else ""
        except Refused as refusal:
            raise forms.ValidationError(refusal.sentence) from None

    def clean(self) -> dict[str, Any]:
        """A row needs a behaviour; its key is made of its name, else of the behaviour, where none is written."""
        data = self.cleaned_data
        if not data.get("behaviour") and "behaviour" not in self.errors:
            self.add_error("behaviour", gettext("Choose the behaviour that this nudge leads to."))
        taken = [row.cleaned_data.get("key", "") for row in self.earlier if row.is_valid()]
        made = nudge_key(data.get("key") or data.get("name") or plain_name(data.get("behaviour") or ""), taken)
        if not data.get("key"):
            data["key"] = made
        elif not is_nudge_key(data["key"]):
            sentence = gettext(
                "“{key}” can't be the key of a nudge: 1 to 15 letters, digits, dashes, underscores, and not none, off "
                "or default."
            ).format(key=data["key"])
            self.add_error("key", Mendable(sentence, QuickFix(made, gettext("Use {value}").format(value=made))))
        return data

    def entry(self) -> dict[str, Any]:
        """The nudge; what was left empty is half of the users, an ordinary take-up, and no spill."""
        data = self.cleaned_data
        share, take_up, spill = (data.get(name) for name in ("share", "take_up", "spill"))
        return {
            "key": data["key"],
            "share": HALF if share is None else round(100 * share),
            "behaviour": data["behaviour"],
            "times": data.get("times") or 1,
            "take_up": USUAL_TAKE_UP if take_up is None else round(float(take_up) / 100, 6),
            "spill": 0.0 if spill is None else round(float(spill) / 100, 6),
            "name": data.get("name") or "",
            "words": data.get("words") or "",
        }


def nudge_changes(nudges: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Values of the inputs of these nudges, for a button."""
    return row_values("nudges", [NudgeRow.begin(nudge) for nudge in nudges])


# Names and numbers in rows.


class CovariateRow(RowForm):
    """One property of the signup event."""

    unique = "name"
    name = forms.CharField(label=_("Property"), max_length=200, widget=Combobox("property", of="id_signup_event"))

    @classmethod
    def begin(cls, stored: Any) -> dict[str, Any]:
        """The name."""
        return {"name": stored}

    def entry(self) -> Any:
        """The name."""
        return self.cleaned_data["name"]


class AnalysisRow(RowForm):
    """One planned analysis: a share of the planned users."""

    share = NumberField(label=_("Share of the planned users"), unit="%", most=100)

    @classmethod
    def begin(cls, stored: Any) -> dict[str, Any]:
        """The share in per cent."""
        return {"share": f"{100 * stored:.10g}"}

    def entry(self) -> Any:
        """The share, 0 to 1."""
        return float(self.cleaned_data["share"]) / 100


class SaturationRow(RowForm):
    """One saturation: how much of a cluster is nudged, and how many clusters have it."""

    unique = "nudged"
    nudged = NumberField(label=_("Nudged in a cluster"), unit="%", most=100)
    clusters = NumberField(label=_("Clusters that get it"), unit="%", most=100)

    @classmethod
    def begin(cls, stored: Any) -> dict[str, Any]:
        """Both shares in per cent."""
        share, weight = stored
        return {"nudged": f"{share / 100:g}", "clusters": f"{weight / 100:g}"}

    def clean(self) -> dict[str, Any]:
        """Both shares are needed."""
        for name in ("nudged", "clusters"):
            if name not in self.errors and self.cleaned_data.get(name) is None:
                self.add_error(name, gettext("Write per cent, from 0 to 100."))
        return self.cleaned_data

    def entry(self) -> Any:
        """Both in steps of 0.01 %."""
        return [round(100 * self.cleaned_data[name]) for name in ("nudged", "clusters")]
