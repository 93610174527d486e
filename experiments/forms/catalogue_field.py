"""Field that searches a metric of the catalogue as you type, instead of a definition."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from events.metric_catalogue.references import named_version, reference_to
from events.metrics.facts import reference
from events.pickers.inputs import Combobox
from events.pickers.mends import Mend, Mendable


class CatalogueField(forms.CharField):
    """``metric:KEY``, ``metric:KEY@2`` or only the key; empty for an own definition.

    Args:
        of: name of the field whose definition it replaces.
    """

    def __init__(self, *, of: str, **options: Any) -> None:
        self.of = of
        text = _("Chosen, it takes the place of the definition above, with its version.")
        usual = {"label": _("Or a metric of the catalogue"), "required": False, "help_text": text}
        super().__init__(**{**usual, "max_length": 90, "widget": Combobox("metric"), **options})

    def clean(self, value: Any) -> str:
        """A reference to an existing version; whether it may be picked is checked with the plan."""
        text: str = super().clean(value)
        if not text:
            return ""
        wanted = text if reference(text) else f"metric:{text}"
        version = named_version(wanted)
        if version is None:
            said = _("There is no metric “%(key)s” in the catalogue.") % {"key": text}
            raise Mendable(said, Mend("", _("Use the definition above")))
        return reference_to(version) if "@" in wanted else wanted
