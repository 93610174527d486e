"""The agents' server over standard input and output, for one agent that runs on this machine with a key of the site."""

import logging
from typing import Any

from django.http import HttpResponse
from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError

from insight_site.mcp.agent_caller import AgentCaller
from insight_site.mcp.agent_door import with_key
from insight_site.mcp.agent_server import agent_server


async def serve(key: str) -> None:
    """Serve until the input ends. The key is looked up with each message, so that a revoked one ends at once."""
    logging.getLogger("mcp").setLevel(logging.ERROR)

    def identify(_: ServerRequestContext[Any, Any]) -> AgentCaller:
        found = with_key(key)
        if isinstance(found, HttpResponse):
            raise MCPError(code=types.INVALID_REQUEST, message=f"refused with {found.status_code}: see docs/agents.md")
        return found

    server = agent_server(identify)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())
