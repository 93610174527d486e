"""Create an empty site's first administrator, and on request its first source and key; never a default password."""

from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from events.models import Source
from insight_site.access import keys
from insight_site.connect.views import SCOPES
from insight_site.signin.accounts import password_path
from runs.refusals import Refused


@dataclass(frozen=True)
class FirstStart:
    """What a first start created; None for what existed already.

    Attributes:
        administrator: the name to log in with.
        link: where the administrator chooses a password, once and within a day; None when a password was given, or when
            this site has no passwords: they then sign in by the provider with the same address.
        source: the first source's name.
        key: its key, which can't be shown again.
    """

    administrator: str | None = None
    link: str | None = None
    source: str | None = None
    key: str | None = None

    def as_json(self) -> dict[str, Any]:
        """As JSON, for `--json`."""
        return asdict(self)


def bootstrap(*, email: str, password: str | None, address: str, source: str = "", kind: str = "server") -> FirstStart:
    """Create what is missing. A second call changes nothing.

    Args:
        email: the administrator's, also the name to log in with.
        password: None for a link to choose one.
        address: what the link begins with, such as https://insight.example.
        source: the name of a first source with a key; "" for none.
        kind: of that key, "client" or "server".

    Raises:
        Refused: an invalid address, a weak password, or an administrator exists already.
    """
    email = email.strip()
    try:
        validate_email(email)
    except ValidationError:
        raise Refused("{email} is no email address.", at="email", email=email or "“”") from None
    with transaction.atomic():
        return FirstStart(**_administrator(email, password, address.rstrip("/")), **_source(source.strip(), kind))


def has_administrator() -> bool:
    """True when an account can administer this site."""
    return User.objects.filter(is_active=True, is_superuser=True).exists()


def _administrator(email: str, password: str | None, address: str) -> dict[str, str | None]:
    if User.objects.filter(username=email, is_active=True, is_superuser=True).exists():
        return {}
    if has_administrator():
        raise Refused("This site has an administrator already, who can add others under Users in the admin.")
    user = User(username=email, email=email, is_staff=True, is_superuser=True)
    if password is not None:
        try:
            validate_password(password, user)
        except ValidationError as weak:
            raise Refused("{reasons}", at="password-file", reasons=" ".join(weak.messages)) from None
    user.set_password(password)  # None: an unusable password
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:
        raise Refused("There is an account named {email} that is no administrator.", email=email) from None
    chosen_elsewhere = password is not None or not settings.LOCAL_PASSWORDS  # no page behind a link
    return {"administrator": email, "link": None if chosen_elsewhere else address + password_path(user)}


def _source(name: str, kind: str) -> dict[str, str]:
    if not name or Source.objects.filter(name=name).exists():
        return {}
    row = Source.objects.create(name=name)
    note = gettext("made at the first start")
    return {"source": name, "key": keys.issue_key(name=note, source=row, kind=kind, scopes=SCOPES)[1]}
