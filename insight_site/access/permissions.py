"""Who may call what: one table from route to rule, deny by default, in front of every view.

The doors of `insight_site.machine` carry their rules in their own table.
Apps don't import this. They find `request.caller`, a frozen `events.schema.Caller`, and on doors that take a key in the
body `request.identify(key)`, which answers with the caller or with the refusal to send back.
"""

import base64
import binascii
import ipaddress
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import translation

from events.schema import Caller
from insight_site.access.keys import digest, find_caller

log = structlog.get_logger()
BAD_KEYS_A_MINUTE = 20
REST_BYTES = 8 * 1024 * 1024
MANAGEMENT_BYTES = 1024 * 1024
REST_SECONDS = 10.0
IDLE_SECONDS = 5.0


@dataclass(frozen=True)
class Rule:
    """What one route asks of its caller.

    Attributes:
        door: its name in logs, metrics and throttles.
        scope: what the key must be allowed to do; None for routes without keys (`door` says which).
        methods: those that are answered; others get 405.
        key_in_body: the door reads a key from the body when the headers have none.
        key_in_path: the key is the path's `client_key`; then only client keys are taken.
        internal: callers from INTERNAL_NETWORKS need no key.
        write_scope: what a key needs for methods that change something; None for the same as `scope`.
        session: a person who is logged in needs no key; the view checks their permission.
    """

    door: str
    scope: str | None = None
    methods: tuple[str, ...] = ()
    key_in_body: bool = False
    key_in_path: bool = False
    internal: bool = False
    write_scope: str | None = None
    session: bool = False

    def scope_for(self, method: str | None) -> str | None:
        """The scope that a call with this method needs."""
        return self.write_scope if self.write_scope and method not in ("GET", "HEAD", "OPTIONS") else self.scope


PEOPLE = Rule("people")  # the view asks for a session itself
RULES: dict[str, Rule] = {
    "admin:*": PEOPLE,
    "home": Rule("pages", methods=("GET", "HEAD")),
    "demo_report": Rule("pages", methods=("GET", "HEAD")),
    "login": PEOPLE,
    "logout": PEOPLE,
    "set_language": PEOPLE,
    "set_theme": PEOPLE,
    "dismiss_tour": PEOPLE,
    "picture": PEOPLE,
    "glossary": PEOPLE,
    "methods": PEOPLE,
    "method": PEOPLE,
    "takeaway": PEOPLE,
    "share": PEOPLE,
    "revoke_share": PEOPLE,
    "shared": Rule("shared", methods=("GET", "HEAD")),
    "events:*": PEOPLE,
    "connect:*": PEOPLE,
    "pick:*": PEOPLE,
