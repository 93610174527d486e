"""The current actor: the request that is being answered, or the command that an operator runs."""

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import structlog
from django.http import HttpRequest

from insight_site.addresses import client_address

# These run for the scheduler, a queue or a release; the person's act that caused them is already logged.
NO_PERSONS_ACT = ("migrate", "worker", "runserver", "test", "flush_events", "collectstatic", "makemigrations", "mcp")


@dataclass
class Acting:
    """One request or command; `records` counts the audit entries written for it."""

    request: HttpRequest | None
    command: str = ""
    records: int = field(default=0)

    def who(self) -> tuple[str, str]:
        """Kind of actor (``person``, ``key``, ``command`` or ``stranger``) and name."""
        if self.request is None:
            return "command", self.command
        caller = getattr(self.request, "caller", None)
        if caller is not None:
            return "key", f"{caller.key_name} ({caller.key_prefix}…)"
        user = getattr(self.request, "user", None)
        if user is not None and user.is_authenticated:
            return "person", str(user.get_username())
        return "stranger", ""

    def where(self) -> dict[str, str]:
        """Address, request id and route."""
        if self.request is None:
            return {}
        match = self.request.resolver_match
        tool = getattr(self.request, "agent_tool", "")  # the tool distinguishes an agent's call from a program's
        asked = f"{f'agent {tool}: ' if tool else ''}{self.request.method} {match.view_name if match else ''}"
        return {
            "address": client_address(self.request)[:45],
            "request_id": str(structlog.contextvars.get_contextvars().get("request_id", "")),
            "route": asked.strip()[:150],
        }


_acting: ContextVar[Acting | None] = ContextVar("acting", default=None)


def now_acting() -> Acting | None:
    """The current actor; None in a worker's task."""
    return _acting.get() or _of_command()


@contextmanager
def acting(one: Acting) -> Iterator[Acting]:
    """Make this the actor of everything written inside the block."""
    token = _acting.set(one)
    try:
        yield one
    finally:
        _acting.reset(token)


def _of_command() -> Acting | None:
    """This process's management command, if a person runs one."""
    if not sys.argv[0].endswith("manage.py") or len(sys.argv) < 2 or sys.argv[1] in NO_PERSONS_ACT:
        return None
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as in containers
        name = "?"
    return Acting(None, f"{name}: manage.py {sys.argv[1]}")
