"""The form of an audience: which users, where the list goes, how often."""

from itertools import count
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from aha.models import AhaMoment
from insight_site.models.audiences import MOST_HOURS, Audience
from runs.key_from_name import key_from
from segments.published.members import models_with_current

EVERY = [(1, _("every hour")), (6, _("every 6 hours")), (24, _("once a day")), (MOST_HOURS, _("once a week"))]
APART = "/"  # between the keys of a model and of its segment


class AudienceForm(forms.Form):
    """Everything that a person decides; `values` are what `audiences` takes."""

    name = forms.CharField(label=_("Name"), max_length=100)
    who = forms.ChoiceField(label=_("Who"), choices=Audience.Who.choices)
    segment = forms.ChoiceField(
        label=_("Segment"), required=False, help_text=_("A new version of it is followed by itself.")
    )
    moment = forms.ChoiceField(label=_("AHA moment"), required=False)
    way = forms.ChoiceField(label=_("How it goes out"), choices=Audience.Way.choices)
    url = forms.CharField(
        label=_("Address"),
        max_length=500,
        required=False,
        help_text=_("https://… for a webhook, s3://bucket/path for files. Programs that fetch it need none."),
    )
    hours = forms.TypedChoiceField(label=_("Counted"), choices=EVERY, coerce=int, initial=24)
    enabled = forms.BooleanField(label=_("Switched on"), required=False, initial=True)

    def __init__(self, *args: Any, audience: Audience | None = None, **options: Any) -> None:
        self.audience = audience
        super().__init__(*args, **options)
        fields: dict[str, Any] = self.fields
        fields["segment"].choices = [("", "—"), *_segments()]
        fields["moment"].choices = [("", "—"), *((one.key, str(one)) for one in AhaMoment.objects.light())]
        if audience is not None and audience.hours not in dict(EVERY):  # created by REST
            fields["hours"].choices = [*EVERY, (audience.hours, _("every %(n)s hours") % {"n": audience.hours})]

    def values(self) -> dict[str, Any]:
        """Fields of `Audience`."""
        given = dict(self.cleaned_data)
        model, _apart, group = given.pop("segment").partition(APART)
        models = {row.key: row for row in models_with_current()}
        given["segment_model"], given["segment_key"] = models.get(model), group
        given["moment"] = AhaMoment.objects.light("study").filter(key=given["moment"]).first()
        if self.audience is None:
            given["key"] = _free_key(key_from(given["name"], "audience")[:50])
        return given


def first_values(audience: Audience) -> dict[str, Any]:
    """Initial values of the form for an existing audience."""
    model = audience.segment_model
    return {
        **{name: getattr(audience, name) for name in ("name", "who", "way", "url", "hours", "enabled")},
        "segment": f"{model.key}{APART}{audience.segment_key}" if model else "",
        "moment": audience.moment.key if audience.moment else "",
    }


def _free_key(wanted: str) -> str:
    taken = set(Audience.objects.values_list("key", flat=True))
    return next(key for n in count(1) if (key := wanted if n == 1 else f"{wanted}-{n}") not in taken)


def _segments() -> list[tuple[str, str]]:
    return [
        (f"{model.key}{APART}{row.key}", str(model) if str(row) == str(model) else f"{model} · {row}")
        for model in models_with_current()
        for version in model.current_versions
        for row in version.segments.all()
    ]
