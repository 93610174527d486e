"""One form per step. `values` are what the draft stores; nothing here writes."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from aha import made_names
from aha.models import AhaMoment
from events.models import Source
from events.pickers.fields import Combobox
from events.pickers.rows import RowForm, RowsField, row_values
from experiments.forms import ENTRIES, PercentField, ValueField, empty_optionals, plainly, with_fields
from experiments.models import Experiment, Holdout, Layer, Variant, choices_of
from experiments.pages.number_fields import CountField, EffectField, ShareField
from experiments.pages.plan_rows import (
    AnalysisRow,
    CovariateRow,
    MetricRow,
    NudgeRow,
    OtherRow,
    OtherValueRow,
    SaturationRow,
)
from experiments.pages.quick_fixes import QuickFix
from experiments.plan import audience as counting
from experiments.plan import drafts
from experiments.plan.fields import Kind, Part, PlanField, on_step
from experiments.plan.record import FIELDS, WHOLE
from experiments.plan.validation import KEY
from experiments.report.names import is_share
from runs.models import key_from
from runs.refusals import Refused


def plain(form: forms.Form) -> None:
    """Replace the admin's widgets by the site's, in fields that both use."""
    plainly({name: field for name, field in form.fields.items() if type(field.widget).__module__.startswith("unfold")})


class StepForm(forms.Form):
    """A form that starts with the draft's values."""

    names: tuple[str, ...] = ()  # fields with the same name in the draft
    usual: dict[str, str] = {}  # replacement values, by field, for a button beside an invalid value

    def __init__(self, data: Any = None, *, experiment: Experiment | None = None, **options: Any) -> None:
        self.experiment = experiment
        super().__init__(data, initial={**self.begin(experiment), **options.pop("initial", {})}, **options)
        plain(self)

    def begin(self, experiment: Experiment | None) -> dict[str, Any]:
        """Initial values of the form; dates in ISO form, which a browser's date field needs."""
        stored = {} if experiment is None else {name: getattr(experiment, name) for name in self.names}
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in stored.items()}

    def clean(self) -> None:
        """Nothing entered where that is allowed: the default."""
        for field in empty_optionals(self.cleaned_data):
            self.cleaned_data[field.name] = field.default

    def values(self) -> dict[str, Any]:
        """Arguments of `drafts.update_draft`."""
        return {name: self.cleaned_data[name] for name in self.names if name in self.fields}

    def mend(self, name: str) -> list[QuickFix]:
        """Buttons beside a field with an invalid value."""
        if name not in self.usual:
            return []
        value = self.usual[name]
        if isinstance(self.fields[name], RowsField):
            return [QuickFix(gettext("Leave it empty"), row_values(name, []))] if self[name].value() else []
        if not value and not self[name].value():
            return []  # it is empty
        label = gettext("Use {value}").format(value=value) if value else gettext("Leave it empty")
        return [QuickFix(label, {name: value})]


class SourcesField(forms.MultipleChoiceField):
    """The sources of the site as boxes to tick; cleaned to their numbers."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"widget": forms.CheckboxSelectMultiple, "choices": source_choices, **options})

    def to_python(self, value: Any) -> list[str]:
        """The ticked ones."""
        return [text for text in super().to_python(value) if text]

    def clean(self, value: Any) -> Any:
        """Their numbers."""
        return sorted({int(text) for text in super().clean(value)})


def source_choices(stored: Iterable[int] = ()) -> list[tuple[int, str]]:
    """Number and name of each source; a deleted one that the plan still names is there by its number."""
    names = dict(Source.objects.values_list("pk", "name"))
    gone = gettext("source {number}, which is deleted")
    return [*names.items(), *((pk, gone.format(number=pk)) for pk in stored if pk not in names)]


# Lists of a plan as rows: the form of a row, and the button that adds one.
ROWS: dict[Kind, tuple[type[RowForm], Any]] = {
    Kind.METRICS: (MetricRow, _("Add a metric")),
    Kind.NAMES: (CovariateRow, _("Add a property")),
    Kind.LOOKS: (AnalysisRow, _("Add an analysis")),
    Kind.SATURATIONS: (SaturationRow, _("Add a saturation")),
    Kind.OTHERS: (OtherRow, _("Add a behaviour")),
    Kind.NUDGES: (NudgeRow, _("Add a nudge")),
}
PICKED = {"cluster": "trait", "signup_event": "start"}  # names that are searched among what the store knows


def step_field(field: PlanField) -> forms.Field:
    """The field that a step shows for a plan field."""
    options: dict[str, Any] = {"label": _(field.title), "help_text": _(field.help) if field.help else ""}
    if field.kind in ROWS:
        row, add = ROWS[field.kind]
        return RowsField(row, add=add, **options)
    if field.column in PICKED:
        return forms.CharField(max_length=field.most, required=False, widget=Combobox(PICKED[field.column]), **options)
    return _single(field, options)


def _single(field: PlanField, options: dict[str, Any]) -> forms.Field:
    """The field of one value."""
    may_be_empty = {**options, "required": False}
    match field.kind:
        case Kind.TEXT:
            return forms.CharField(max_length=field.most, **options)
        case Kind.NAME:
            return forms.CharField(max_length=field.most, **may_be_empty)
        case Kind.PROSE:
            return forms.CharField(widget=forms.Textarea(attrs={"rows": 4}), **may_be_empty)
        case Kind.CHOICE:
            return forms.ChoiceField(choices=choices_of(field.column), required=not field.optional, **options)
        case Kind.DAYS:
            options |= {"min_value": field.least, "max_value": field.most}
            return forms.IntegerField(required=not field.optional, **options)
        case Kind.SHARE:
            return ShareField(required=field.default is not None, **options)
        case Kind.EFFECT:
            return EffectField(**may_be_empty)
        case Kind.COUNT:
            return CountField(**may_be_empty)
        case Kind.DATE:
            return forms.DateField(widget=forms.TextInput(attrs={"type": "date"}), **may_be_empty)
        case Kind.SWITCH:
            return forms.BooleanField(**may_be_empty)
        case Kind.SOURCES:
            return SourcesField(**may_be_empty)
    return ENTRIES[field.kind](**may_be_empty)


def of_step[F: type[StepForm]](step: str) -> Callable[[F], F]:
    """Give the form of a step the plan fields that the table puts there, with the values of their buttons.

    Rules have no field: they are parts of the guardrails' rows.
    """
    fields = on_step(FIELDS, step)
    form_fields = {field.name: step_field(field) for field in fields if field.kind not in (Kind.OWN, Kind.RULES)}

    def add(form: F) -> F:
        form.names = tuple(field.name for field in fields)
        form.usual = {**{field.name: field.usual for field in fields if field.usual is not None}, **form.usual}
        return with_fields(form_fields)(form)

    return add


@of_step("hypothesis")
class HypothesisForm(StepForm):
    field_order = ("name", "moment")
    moment = forms.ModelChoiceField(
        AhaMoment.objects.none(),
        label=_("AHA moment"),
        required=False,
        empty_label=_("none: only the nudge itself is tested"),
        help_text=_("The claim that is tested. Its behaviour and its retention come into the plan."),
    )
    key = forms.CharField(
        label=_("Key"),
        max_length=128,
        required=False,
        help_text=_("How services and reports call it. Empty: made from the moment or the name."),
    )

    def __init__(
        self, data: Any = None, *, experiment: Experiment | None = None, lab: bool = False, **options: Any
    ) -> None:
        super().__init__(data, experiment=experiment, **options)
        self.is_lab = lab or (experiment is not None and experiment.is_lab)
        moments: Any = self.fields["moment"]
        if self.is_lab:
            moments.empty_label, moments.required = _("none"), experiment is None  # a new one is made of its moment
        offered = Q(archived_at=None) if experiment is None else Q(archived_at=None) | Q(pk=experiment.moment_id)
        moments.queryset = AhaMoment.objects.defer("evidence").filter(offered).order_by("-created_at")
        if experiment is None:
            del self.fields["other_behaviours"]
            return
        del self.fields["key"]
        if not self.is_share:
            listed: Any = self.fields["other_behaviours"]
            listed.row = listed.widget.row = OtherValueRow

    @property
    def is_share(self) -> bool:
        """True when the first outcome is a share, so that another behaviour keeps so many of 100."""
        primary = self.experiment.primary_metrics if self.experiment is not None else []
        return not primary or is_share(primary[0])

    @property
    def claimed(self) -> list[forms.BoundField]:
        """What is claimed; the other behaviours have a place of their own."""
        return [bound for bound in self if bound.name != "other_behaviours"]

    @property
    def others(self) -> forms.BoundField | None:
        """The other behaviours of a plan that tests a moment; None without one."""
        shown = self.experiment is not None and (self.experiment.moment_id or self["moment"].value())
        return self["other_behaviours"] if shown else None

    def begin(self, experiment: Experiment | None) -> dict[str, Any]:
        """Generated texts in the reader's language."""
        texts = {} if experiment is None else {"name": experiment.title, "hypothesis": experiment.hypothesis_shown}
        return {**super().begin(experiment), **texts}

    def values(self) -> dict[str, Any]:
        """Generated texts in their stored form, so that each reader still sees them in their own language.

        A page that had no rows of other behaviours leaves them as they are.
        """
        listed = self.fields["other_behaviours"].widget
        left_out = (
            {"other_behaviours"} if listed.value_omitted_from_data(self.data, None, "other_behaviours") else set()
        )
        return {name: self.kept()[name] for name in self.names if name not in left_out}

    def kept(self) -> dict[str, Any]:
        """All entered values, with generated texts in their stored form."""
        values, moment = self.cleaned_data, self.cleaned_data["moment"]
        if moment is None:
            return values
        name = made_names.kept_name_of_test(values["name"], moment)
        return {**values, "name": name, "hypothesis": made_names.hypothesis_to_keep(values["hypothesis"], moment)}

    def clean_key(self) -> str:
        """Empty, or a valid and free key."""
        key: str = self.cleaned_data["key"]
        if key and not KEY.fullmatch(key):
            raise forms.ValidationError(
                _("Use letters, digits, dots, dashes and underscores; begin with a letter or digit.")
            )
        if key and Experiment.objects.filter(key=key).exists():
            raise forms.ValidationError(_("There is an experiment with this key already."))
        return key

    def mend(self, name: str) -> list[QuickFix]:
        """Buttons for a key made from the entered text, and for the moment's name."""
        if name == "key":
            key = drafts.free_key(key_from(str(self["key"].value() or ""), "experiment"))
            return [QuickFix(gettext("Use {value}").format(value=key), {"key": key})]
        if name == "name":
            chosen = self["moment"].value()
            moment = AhaMoment.objects.filter(pk=chosen).first() if chosen else None
            made = made_names.made_lab_name if self.is_lab else made_names.made_test_name
            unnamed = gettext("New lab") if self.is_lab else gettext("New nudge")
            title = made(moment) if moment is not None else unnamed
            return [QuickFix(gettext("Use {value}").format(value=title), {"name": title})]
        if name == "moment" and not self.is_lab:
            return [QuickFix(gettext("Test the nudge alone"), {"moment": ""})]
        return super().mend(name)


OF_A_LAB = ("nudges", "most_nudges")
OF_A_TEST = ("nudge", "value_type", "default_value")  # a lab's are made of its nudges, and each says what users see


@of_step("variants")
class VariantsForm(StepForm):
    def __init__(self, data: Any = None, *, experiment: Experiment | None = None, **options: Any) -> None:
        super().__init__(data, experiment=experiment, **options)
        is_lab = experiment is not None and experiment.is_lab
        for name in OF_A_TEST if is_lab else OF_A_LAB:
            del self.fields[name]

    @property
    def main(self) -> list[forms.BoundField]:
        """Flag and values; all but the text of the nudge, and a lab's nudges."""
        elsewhere = (Kind.PROSE, Kind.NUDGES)
        return [self[name] for name in self.names if name in self.fields and FIELDS[name].kind not in elsewhere]

    def mend(self, name: str) -> list[QuickFix]:
        """A button that uses the experiment's own key as the flag key."""
        if name == "flag_key" and self.experiment is not None:
            key = self.experiment.key
            return [QuickFix(gettext("Use {value}").format(value=key), {"flag_key": key})]
        return super().mend(name)


@of_step("audience")
class AudienceStepForm(StepForm):
    usual = {"who": "everyone", "everyone_coverage": "100", "rest_coverage": ""}
    who = forms.ChoiceField(
        label=_("Audience"),
        choices=[("everyone", _("Everyone")), ("segments", _("By segment"))],
        widget=forms.RadioSelect,
    )
    everyone_coverage = PercentField(
        label=_("Coverage (%)"), required=False, help_text=_("This share of them is enrolled. It can only grow later.")
    )
    rest_coverage = PercentField(
        label=_("Coverage of everyone else (%)"),
        required=False,
        help_text=_("Empty leaves out everyone who is in none of these segments. Coverage can only grow later."),
    )
    layer = forms.ModelChoiceField(
        Layer.objects.none(),
        label=_("Layer"),
        required=False,
        empty_label=_("none"),
        help_text=_("Experiments of one layer share no user: each owns a slice of it."),
    )
    holdout = forms.ModelChoiceField(
        Holdout.objects.none(),
        label=_("Holdout"),
        required=False,
        empty_label=_("none"),
        help_text=_("Users in no experiment."),
    )

    def __init__(self, data: Any = None, *, experiment: Experiment | None = None, **options: Any) -> None:
        super().__init__(data, experiment=experiment, **options)
        layer: Any = self.fields["layer"]
        holdout: Any = self.fields["holdout"]
        layer.queryset, holdout.queryset = Layer.objects.all(), Holdout.objects.all()
        sources: Any = self.fields["sources"]
        sources.choices = source_choices([] if experiment is None else experiment.sources)

    @property
    def main(self) -> list[forms.BoundField]:
        """Who is enrolled; layer, holdout and sources have a place of their own."""
        elsewhere = (Kind.OWN, Kind.STEPS, Kind.SOURCES)
        fields = [field for field in on_step(FIELDS, "audience") if field.part is Part.AUDIENCE]
        return [self[field.name] for field in fields if field.kind not in elsewhere]

    @property
    def clusters(self) -> list[forms.BoundField]:
        """Fields for whole clusters."""
        return [self[field.name] for field in on_step(FIELDS, "audience") if field.part is Part.CLUSTERS]

    def begin(self, experiment: Experiment | None) -> dict[str, Any]:
        """Initial values; a single row for everyone selects "everyone"."""
        if experiment is None:
            return {}
        rows = list(experiment.audience.all())
        named = any(row.segment_key is not None for row in rows)
        rest = next((row.coverage for row in rows if row.segment_key is None), None)
        return {
            **super().begin(experiment),
            "who": "segments" if named else "everyone",
            "everyone_coverage": WHOLE if named or rest is None else rest,
            "rest_coverage": rest if named else None,
        }


class SegmentRow(forms.Form):
    """One published segment: whether it is chosen, its order and its coverage."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        plain(self)

    slug = forms.CharField(widget=forms.HiddenInput)
    taken = forms.BooleanField(label=_("take it"), required=False)
    order = forms.IntegerField(label=_("order"), required=False, min_value=1, max_value=999)
    coverage = PercentField(label=_("coverage (%)"), required=False, initial=WHOLE)


Segments = forms.formset_factory(SegmentRow, extra=0)


# Form for the arms: one row each, control first.

ARM_FIELDS = ("key", "name", "value", "weight", "role", "dose")


class ArmStepForm(forms.Form):
    key = forms.CharField(label=_("key"), max_length=128, required=False)
    name = forms.CharField(label=_("name"), max_length=200, required=False)
    value = ValueField(label=_("value"), required=False)
    weight = PercentField(label=_("weight (%)"), required=False)
    role = forms.ChoiceField(label=_("role"), choices=Variant.Role.choices, required=False)
    dose = forms.IntegerField(label=_("nudges to so many times"), required=False, min_value=1)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        plain(self)

    def clean_role(self) -> str:
        """A row without a role is a plain nudge; control has none."""
        return self.cleaned_data["role"] or Variant.Role.NUDGE

    @property
    def is_empty(self) -> bool:
        """True for an unused row."""
        return not any(self.cleaned_data.get(name) for name in ("key", "name", "weight"))

    def mend(self, name: str) -> list[QuickFix]:
        """Buttons that correct a field with an invalid value."""
        field = f"{self.prefix}-{name}"
        at = int(str(self.prefix).rpartition("-")[2])
        values = {
            "key": key_from(str(self["key"].value() or self["name"].value() or ""), f"variant-{at}"),
            "weight": "50",
            "role": "nudge",
            "dose": "",
        }
        if name not in values:
            return []
        value = values[name]
        return [
            QuickFix(gettext("Use {value}").format(value=value) if value else gettext("Leave it empty"), {field: value})
        ]


class BaseArms(forms.BaseFormSet):  # type: ignore[type-arg]
    @property
    def control(self) -> forms.Form:
        """The first arm, which the others are compared with."""
        return self.forms[0]  # type: ignore[no-any-return]

    def clean(self) -> None:
        """Require a unique key and a weight in each row; unused rows are ignored."""
        seen: set[str] = set()
        for form in self.forms:
            if not hasattr(form, "cleaned_data") or form.is_empty:
                continue
            for name in ("key", "weight"):
                if form.cleaned_data.get(name) in (None, ""):
                    form.add_error(name, _("This is needed. Empty the whole row to take the group away."))
            key = form.cleaned_data.get("key")
            if key and key in seen:
                form.add_error("key", _("Two groups have the same key."))
            seen.add(key or "")

    def values(self) -> list[dict[str, Any]]:
        """Arms in order, control first."""
        rows = [form.cleaned_data for form in self.forms if hasattr(form, "cleaned_data") and not form.is_empty]
        return [{name: row[name] for name in ARM_FIELDS} for row in rows]


Arms = forms.formset_factory(ArmStepForm, formset=BaseArms, extra=0)


# Formsets of the steps: arms, and segments with their counts.

LEAST_ARMS = 2
MOST_ARMS = 20


def arms(row: Experiment, data: Any, *, more: bool) -> Any:
    """The form of the arms: at least two rows, and one more when a person adds one."""
    if data is not None:
        data = data.copy()
        if more:
            data["arms-TOTAL_FORMS"] = str(min(_whole(data.get("arms-TOTAL_FORMS")) + 1, MOST_ARMS))
        return Arms(data, prefix="arms")
    stored: list[Any] = list(row.variants.order_by("position").values(*ARM_FIELDS))
    stored += [{}] * (LEAST_ARMS - len(stored))
    return Arms(initial=stored, prefix="arms")


def segments(row: Experiment, data: Any) -> Any:
    """The form of the published segments, those of the draft first and in its order."""
    if data is not None:
        return Segments(data, prefix="segments")
    places = {entry.segment_key: entry for entry in row.audience.all() if entry.segment_key is not None}
    known = [segment.slug for segment in counting.choices()]
    slugs = [*places, *(slug for slug in known if slug not in places)]
    return Segments(
        prefix="segments",
        initial=[
            {
                "slug": slug,
                "taken": slug in places,
                "order": at if slug in places else None,
                "coverage": places[slug].coverage if slug in places else WHOLE,
            }
            for at, slug in enumerate(slugs, start=1)
        ],
    )


def with_segments(formset: Any) -> list[tuple[Any, Any]]:
    """Each row of the form with its segment; None for one that is no longer published."""
    known = {segment.slug: segment for segment in counting.choices()}
    return [(form, known.get(form["slug"].value())) for form in formset.forms]


def audience(row: Experiment, form: AudienceStepForm, formset: Any) -> list[dict[str, Any]]:
    """Audience rows from the form; what the form doesn't contain (weights, copied rules) stays.

    Raises:
        Refused: "by segment" without a chosen segment.
    """
    values = form.cleaned_data
    stored = {entry.segment_key: {"weights": entry.weights, "rule": entry.rule} for entry in row.audience.all()}
    if values["who"] == "everyone":
        part = WHOLE if values["everyone_coverage"] is None else values["everyone_coverage"]
        if part == WHOLE and None not in stored:
            return []  # without rows everyone is enrolled
        return [{**stored.get(None, {}), "segment_key": None, "coverage": part}]
    rows = [{**stored.get(slug, {}), "segment_key": slug, "coverage": part} for slug, part in _taken(formset)]
    if not rows:
        raise Refused("Choose at least one segment, or everyone.")
    if values["rest_coverage"]:
        rows.append({**stored.get(None, {}), "segment_key": None, "coverage": values["rest_coverage"]})
    return rows


def _taken(formset: Any) -> list[tuple[str, int]]:
    """Chosen segments with their coverage, in the entered order; those without a number come last."""
    rows = [form.cleaned_data for form in formset.forms if form.cleaned_data.get("taken")]
    rows.sort(key=lambda row: row["order"] if row["order"] is not None else 1_000)
    return [(row["slug"], WHOLE if row["coverage"] is None else row["coverage"]) for row in rows]


def _whole(text: Any) -> int:
    """A number of rows from a browser; 0 for anything else."""
    return int(text) if str(text).isdecimal() else 0
