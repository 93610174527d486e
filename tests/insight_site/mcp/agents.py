"""Agents inside the test's own process: what a tool answers, without a server."""

from typing import Any

from django.contrib.auth.models import User

from events.models import Source
from insight_site.access.keys import find_caller, issue_key
from insight_site.agents.agent_server import call
from insight_site.agents.agent_tool import AgentCaller

READ = "reports:read"


def agent(*scopes: str, name: str = "helper", made_by: User | None = None) -> AgentCaller:
    """An agent with a key of these scopes beside that of the door."""
    source, _ = Source.objects.get_or_create(name="agents")
    key = issue_key(name=name, source=source, kind="server", scopes=(READ, *scopes), created_by=made_by)[1]
    caller = find_caller(key)
    assert caller is not None
    return AgentCaller(caller, "127.0.0.1", "r1")


def told(who: AgentCaller, tool: str, **arguments: Any) -> dict[str, Any]:
    """What a tool answers, a refusal included."""
    found: dict[str, Any] = call(who, tool, arguments).structured_content
    return found
