"""The second factor: encryption of its secrets, and who must have one."""

import base64
import hashlib
from typing import TYPE_CHECKING

from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.contrib.auth.models import User
from django.utils.encoding import force_bytes
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

SUPERUSER = "superuser"


class SecondFactor(DefaultMFAAdapter):  # type: ignore[misc]
    """allauth's adapter for second factors, which encrypts the stored secrets of apps and recovery codes."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": _("This code isn't right, or it was used already."),
    }

    def encrypt(self, text: str) -> str:
        """Encrypt a secret: a copy of the database alone must not be enough to make codes."""
        return _box().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Decrypt with the present SECRET_KEY or an earlier one.

        Raises:
            cryptography.fernet.InvalidToken: it was encrypted with another key.
        """
        return _box().decrypt(encrypted_text.encode()).decode()


def is_required(user: User) -> bool:
    """Whether one of this person's roles requires a second factor (`MFA_REQUIRED_ROLES`)."""
    wanted = set(settings.MFA_REQUIRED_ROLES)
    if not wanted:
        return False
    if SUPERUSER in wanted and user.is_superuser:
        return True
    return user.groups.filter(name__in=wanted - {SUPERUSER}).exists()


def _box() -> "MultiFernet":
    from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415 - a web worker starts without OpenSSL's bindings

    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet(
        [Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"mfa:" + force_bytes(key)).digest())) for key in keys]
    )
