"""One form per step. `values` are what the draft stores; nothing here writes."""

from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from aha import made_names
from aha.models import AhaMoment
from experiments.forms.plain_widgets import plainly
from experiments.forms.plan_fields import PercentField, SourcesField, ValueField
from experiments.forms.saturations_field import cluster_field, saturations_field
from experiments.models import Experiment, Holdout, Layer
from experiments.plan import drafts
from experiments.plan.mistakes import KEY
from experiments.plan.record import WHOLE
from experiments.steps.mends import Mend
from runs.key_from_name import key_from


def plain(form: forms.Form) -> None:
    """Replace the admin's widgets by the site's, in fields that both use."""
    plainly({name: one for name, one in form.fields.items() if type(one.widget).__module__.startswith("unfold")})


class StepForm(forms.Form):
    """A form that starts with the draft's values."""

    names: tuple[str, ...] = ()  # fields with the same name in the draft
    usual: dict[str, str] = {}  # replacement values, by field, for a button beside an invalid value

    def __init__(self, data: Any = None, *, experiment: Experiment | None = None, **options: Any) -> None:
        self.experiment = experiment
        super().__init__(data, initial={**self.begin(experiment), **options.pop("initial", {})}, **options)
        plain(self)

    def begin(self, experiment: Experiment | None) -> dict[str, Any]:
        """Initial values of the form."""
        return {} if experiment is None else {name: getattr(experiment, name) for name in self.names}

    def values(self) -> dict[str, Any]:
        """Arguments of `drafts.update_draft`."""
        return {name: self.cleaned_data[name] for name in self.names}

    def mend(self, name: str) -> list[Mend]:
        """Buttons beside a field with an invalid value."""
        if name not in self.usual:
            return []
        value = self.usual[name]
        if not value and not self[name].value():
            return []  # it is empty
        label = gettext("Use {value}").format(value=value) if value else gettext("Leave it empty")
        return [Mend(label, {name: value})]


class HypothesisForm(StepForm):
    names = ("name", "moment", "hypothesis")
    name = forms.CharField(label=_("Name"), max_length=200, help_text=_("As your team calls it."))
    moment = forms.ModelChoiceField(
        AhaMoment.objects.none(),
        label=_("AHA moment"),
        required=False,
        empty_label=_("none: only the nudge itself is tested"),
        help_text=_("The claim that is tested. Its behaviour and its retention come into the plan."),
    )
    hypothesis = forms.CharField(
        label=_("Hypothesis"),
        widget=forms.Textarea(attrs={"rows": 4}),
        required=False,
        help_text=_("If we do this, that will change, because … Without one the experiment can't start."),
    )
    key = forms.CharField(
        label=_("Key"),
        max_length=128,
        required=False,
        help_text=_("How services and reports call it. Empty: made from the moment or the name."),
    )

    def __init__(self, data: Any = None, *, experiment: Experiment | None = None, **options: Any) -> None:
        super().__init__(data, experiment=experiment, **options)
        moments: Any = self.fields["moment"]
        offered = Q(archived_at=None) if experiment is None else Q(archived_at=None) | Q(pk=experiment.moment_id)
        moments.queryset = AhaMoment.objects.defer("evidence").filter(offered).order_by("-created_at")
        if experiment is not None:
            del self.fields["key"]

    def begin(self, experiment: Experiment | None) -> dict[str, Any]:
        """Generated texts in the reader's language."""
        texts = {} if experiment is None else {"name": experiment.title, "hypothesis": experiment.hypothesis_shown}
        return {**super().begin(experiment), **texts}

    def values(self) -> dict[str, Any]:
        """Generated texts in their stored form, so that each reader still sees them in their own language."""
        return {name: self.kept()[name] for name in self.names}

    def kept(self) -> dict[str, Any]:
        """All entered values, with generated texts in their stored form."""
        given, moment = self.cleaned_data, self.cleaned_data["moment"]
        if moment is None:
            return given
        name = made_names.kept_name_of_test(given["name"], moment)
        return {**given, "name": name, "hypothesis": made_names.hypothesis_to_keep(given["hypothesis"], moment)}

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

    def mend(self, name: str) -> list[Mend]:
        """Buttons for a key made from the entered text, and for the moment's name."""
        if name == "key":
            key = drafts.free_key(key_from(str(self["key"].value() or ""), "experiment"))
            return [Mend(gettext("Use {value}").format(value=key), {"key": key})]
        if name == "name":
            chosen = self["moment"].value()
            moment = AhaMoment.objects.filter(pk=chosen).first() if chosen else None
            made = made_names.made_test_name(moment) if moment is not None else gettext("New nudge")
            return [Mend(gettext("Use {value}").format(value=made), {"name": made})]
        if name == "moment":
            return [Mend(gettext("Test the nudge alone"), {"moment": ""})]
        return []


class VariantsForm(StepForm):
    names = ("nudge", "flag_key", "value_type", "default_value")
    usual = {"value_type": "boolean", "default_value": "false"}
    nudge = forms.CharField(
        label=_("Nudge"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("What users of the treatment see, and where. The developer builds what stands here."),
    )
    flag_key = forms.CharField(
        label=_("Flag key"), max_length=128, help_text=_("What the service asks for. One live experiment per flag.")
    )
    value_type = forms.ChoiceField(label=_("Type of value"), choices=Experiment.ValueType.choices)
    default_value = ValueField(
        label=_("Value outside the experiment"),
        required=False,
        help_text=_("Everybody else gets it, and everybody after the stop."),
    )

    def mend(self, name: str) -> list[Mend]:
        """A button that uses the experiment's own key as the flag key."""
        if name == "flag_key" and self.experiment is not None:
            key = self.experiment.key
            return [Mend(gettext("Use {value}").format(value=key), {"flag_key": key})]
        return super().mend(name)


class AudienceStepForm(StepForm):
    names = ("enrolment", "layer", "layer_low", "layer_high", "holdout", "sources", "cluster", "saturations")
    usual = {
        "enrolment": "new_units",
        "who": "everyone",
        "everyone_coverage": "100",
        "rest_coverage": "",
        "layer": "",
        "layer_low": "0",
        "layer_high": "100",
        "holdout": "",
        "sources": "",
        "cluster": "",
        "saturations": "",
    }
    enrolment = forms.ChoiceField(label=_("Who"), choices=Experiment.Enrolment.choices)
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
    layer_low = PercentField(label=_("Slice from (%)"), required=False)
    layer_high = PercentField(label=_("Slice to (%)"), required=False)
    holdout = forms.ModelChoiceField(
        Holdout.objects.none(),
        label=_("Holdout"),
        required=False,
        empty_label=_("none"),
        help_text=_("Users whom no experiment touches."),
    )
    sources = SourcesField(
        label=_("Sources whose client keys report exposures"),
        required=False,
        help_text=_(
            "One a line: the apps and sites that show the experiment. What other client keys send is not counted; "
            "server keys and Insight's own doors always count. Left empty, a start takes the only source there is."
        ),
    )

    cluster = cluster_field()
    saturations = saturations_field()

    def __init__(self, data: Any = None, *, experiment: Experiment | None = None, **options: Any) -> None:
        super().__init__(data, experiment=experiment, **options)
        layer: Any = self.fields["layer"]
        holdout: Any = self.fields["holdout"]
        layer.queryset, holdout.queryset = Layer.objects.all(), Holdout.objects.all()

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

    def clean_layer_low(self) -> int:
        """Empty means the beginning of the layer."""
        return self.cleaned_data["layer_low"] or 0

    def clean_layer_high(self) -> int:
        """Empty means the end of the layer."""
        high = self.cleaned_data["layer_high"]
        return WHOLE if high is None else int(high)


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
