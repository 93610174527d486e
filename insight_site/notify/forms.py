"""Forms of notices: preferences, a further channel, a team's channel."""

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _

from insight_site.models import NoticeChannel, NoticeChoice, Timing
from insight_site.notify.notice_kinds import ADMINS, KINDS, Kind
from insight_site.notify.preferences import timing_of
from insight_site.notify.send_safely import check_address
from runs.refusals import Refused


class ChoiceForm(forms.Form):
    """Preferences of an account: when it is notified of each kind, and about whose rows."""

    everything = forms.ChoiceField(
        label=_("Of what?"),
        choices=[("", _("What I made or work on")), ("1", _("Everything that I may see"))],
        widget=forms.RadioSelect,
        required=False,
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        self.user = user
        self.choice = NoticeChoice.objects.filter(user=user).first()
        super().__init__(*args, **kwargs)
        self.fields["everything"].initial = "1" if self.choice and self.choice.everything else ""
        for kind in kinds_for(user):
            self.fields[kind.key] = forms.ChoiceField(
                label=str(kind.title), choices=Timing.choices, initial=timing_of(kind, self.choice)
            )

    @property
    def kinds(self) -> list[forms.BoundField]:
        """The fields of kinds, in the order of the table."""
        return [self[kind.key] for kind in kinds_for(self.user)]

    def save(self) -> None:
        """Save the preferences."""
        timings = {kind.key: self.cleaned_data[kind.key] for kind in kinds_for(self.user)}
        everything = bool(self.cleaned_data["everything"])
        NoticeChoice.objects.update_or_create(user=self.user, defaults={"timings": timings, "everything": everything})


class AddressForm(forms.Form):
    """A further channel of one account."""

    url = forms.CharField(
        label=_("Address"),
        max_length=1_000,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=_(
            "The webhook that Slack, Teams, Discord or Google Chat shows, or an address of Apprise such as "
            "ntfys://ntfy.example.com/topic. It is stored as a secret and not shown again."
        ),
    )
    name = forms.CharField(label=_("Name"), max_length=100, required=False, help_text=_("A name to recognise it by."))

    def clean_url(self) -> str:
        """Check that notices may go to this address."""
        return allowed(str(self.cleaned_data["url"]).strip())


class ChannelForm(forms.ModelForm):  # type: ignore[type-arg]
    """A team's channel, in the admin."""

    url = forms.CharField(label=_("Address"), max_length=1_000, required=False, strip=True)
    kinds = forms.MultipleChoiceField(
        label=_("What it hears"),
        choices=[(kind.key, kind.title) for kind in KINDS],
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = NoticeChannel
        fields = ["name", "language", "enabled"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        is_new = self.instance.pk is None
        self.fields["kinds"].initial = self.instance.kinds
        self.fields["url"].help_text = (
            _("A secret: it is stored and not shown again.")
            if is_new
            else _("A secret, which isn't shown. Leave it empty to keep it.")
        )

    def clean_url(self) -> str:
        """Required for a new channel; left empty, an existing channel keeps its address."""
        url = str(self.cleaned_data["url"])
        if not url and self.instance.pk is None:
            raise forms.ValidationError(_("A new channel needs an address."))
        return allowed(url) if url else ""


def kinds_for(user: User) -> list[Kind]:
    """The kinds that can concern an account."""
    admin = user.is_superuser or user.groups.filter(name="Admin").exists()
    return [
        kind
        for kind in KINDS
        if (not kind.needs or user.has_perm(kind.needs)) and (kind.concerned != (ADMINS,) or admin)
    ]


def allowed(url: str) -> str:
    """The address, or a validation error with the reason."""
    try:
        check_address(url)
    except Refused as refusal:
        raise forms.ValidationError(refusal.sentence) from None
    return url
