"""The form of a display name."""

from typing import TYPE_CHECKING

from django import forms

from events.models import EventLabel

if TYPE_CHECKING:
    Base = forms.ModelForm[EventLabel]
else:
    Base = forms.ModelForm  # takes no type at run time


class LabelForm(Base):
    """Display name and description in both languages, and whether lists leave it out."""

    class Meta:
        model = EventLabel
        fields = ["name_en", "name_ko", "description_en", "description_ko", "hidden"]
        widgets = {name: forms.Textarea(attrs={"rows": 2}) for name in ("description_en", "description_ko")}
