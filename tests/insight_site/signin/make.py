"""People, their tries, and times that pass."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from insight_site.models import SignIn

PASSWORD = "correct horse battery"
HOME, CAFE, ELSEWHERE = "203.0.113.7", "198.51.100.1", "192.0.2.200"


def person(name: str = "ann", **more: Any) -> User:
    return User.objects.create_user(name, **({"password": PASSWORD, "email": f"{name}@example.org"} | more))


def superuser(name: str = "root") -> User:
    return User.objects.create_superuser(name, f"{name}@example.org", PASSWORD)


def log_in(client: Client, name: str = "ann", password: str = PASSWORD, address: str = HOME, **more: Any) -> Any:
    return client.post("/login/", {"username": name, "password": password, **more}, REMOTE_ADDR=address)


def inside(client: Client) -> bool:
    return "_auth_user_id" in client.session


def later(**time: float) -> None:
    """Let time go by: everything on record is that much older."""
    for row in SignIn.objects.all():
        SignIn.objects.filter(pk=row.pk).update(at=row.at - timedelta(**time))


def events(name: str | None = None) -> list[str]:
    """What is on record, the oldest first."""
    rows = SignIn.objects.order_by("pk")
    return [row.event for row in (rows.filter(username=name) if name is not None else rows)]


def failures(name: str, address: str, number: int) -> None:
    """Wrong tries, without hashing each."""
    from insight_site.signin.sign_in_record import digest_of, place_of

    row = {"event": "failed", "how": "password", "name_digest": digest_of(name), "network": place_of(address)}
    SignIn.objects.bulk_create([SignIn(at=timezone.now(), address=address, **row) for _ in range(number)])
