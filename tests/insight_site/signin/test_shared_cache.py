"""A code that was used in one process is used in all, without Redis."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from allauth.core.internal import ratelimit
from allauth.mfa.totp.internal import auth
from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.db import DatabaseCache
from django.db import connection
from django.test import Client
from django.urls import reverse

from tests.insight_site.signin.make import inside, log_in, person

ROOT = Path(__file__).resolve().parents[3]
USE = """
import django
django.setup()
from allauth.mfa.totp.internal import auth
from allauth.core.internal import ratelimit
print(auth.cache.add("used", "y", timeout=60), ratelimit.cache.get("used"))
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_code__used_in_one_process__is_used_in_another() -> None:
    url = f"sqlite:///{connection.settings_dict['NAME']}"
    if connection.vendor == "postgresql":
        place = connection.settings_dict
        url = f"postgres://{place['USER']}:{place['PASSWORD']}@{place['HOST']}:{place['PORT']}/{place['NAME']}"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "insight_site.settings", "DATABASE_URL": url}
    environment |= {"SECRET_KEY": settings.SECRET_KEY}
    command = [sys.executable, "-W", "ignore", "-c", USE]

    said = [
        subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout.strip()
        for _ in range(2)
    ]

    caches["signin"].clear()
    assert said == ["True y", "False y"]


def test_allauth__has_the_shared_cache() -> None:
    for place in (ratelimit, auth):
        assert isinstance(place.cache._connections["signin"], DatabaseCache)


@pytest.mark.django_db
def test_codes__guessed__are_stopped_after_ten(client: Client) -> None:
    caches["signin"].clear()
    auth.TOTP.activate(person(), auth.generate_totp_secret())
    log_in(client)

    texts = [client.post(reverse("mfa_authenticate"), {"code": f"{n:06}"}).content.decode() for n in range(12)]

    assert ["Too many tries" in text for text in texts] == [False] * 10 + [True] * 2
    assert not inside(client)
    caches["signin"].clear()


@pytest.mark.django_db
def test_codes__guessed__are_not_forgotten_because_many_strangers_ask_for_links(client: Client) -> None:
    caches["signin"].clear()
    auth.TOTP.activate(person(), auth.generate_totp_secret())
    log_in(client)
    for n in range(10):
        client.post(reverse("mfa_authenticate"), {"code": f"{n:06}"})

    for n in range(320):  # as allauth names them; a third of Django's usual 300 would go, these last
        caches["signin"].set(f"allauth:rl:insight:reset:10/3600.0/ip:ip:192.0.2.{n}", [1.0], 3600)

    assert "Too many tries" in client.post(reverse("mfa_authenticate"), {"code": "123456"}).content.decode()
    caches["signin"].clear()
