"""Forms of the sign-in pages."""

from typing import Any, cast

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from insight_site.signin import throttle
from insight_site.signin.adapters import locked_text


class LoginForm(AuthenticationForm):
    """Name and password, through the throttle. One error message for every cause."""

    def clean(self) -> dict[str, Any]:
        """Authenticate; `get_user` then returns the account.

        Raises:
            ValidationError: wrong, or throttled.
        """
        try:
            self.user_cache = throttle.check_password(
                cast(HttpRequest, self.request),
                self.cleaned_data.get("username", ""),
                self.cleaned_data.get("password", ""),
            )
        except throttle.Locked as locked:
            raise ValidationError(locked_text(locked), code="locked") from None
        if self.user_cache is None:
            raise self.get_invalid_login_error()
        return self.cleaned_data


class ChangeForm(PasswordChangeForm):
    """Change a known password; wrong guesses of the old one are throttled too."""

    def __init__(self, user: Any, *args: Any, request: Any, **kwargs: Any) -> None:
        self.request = request
        super().__init__(user, *args, **kwargs)

    def clean_old_password(self) -> str:
        """Check the old password.

        Raises:
            ValidationError: it is wrong, or was throttled.
        """
        typed: str = self.cleaned_data["old_password"]
        try:
            found = throttle.check_password(self.request, self.user.get_username(), typed)
        except throttle.Locked as locked:
            raise ValidationError(locked_text(locked), code="locked") from None
        if found is None:
            raise ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return typed


class ResetForm(forms.Form):
    """The address for a password link."""

    email = forms.EmailField(
        label=_("E-mail address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )
