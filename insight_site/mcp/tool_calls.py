"""Call a tool: check its arguments and the key's scope, run it in English, and say failures without their text."""

import json
import time
from typing import Any

import jsonschema
import structlog
from django.db import DatabaseError, InterfaceError
from django.utils import translation
from mcp import types

from insight_site.mcp import explaining_tools, planning_tools, reading_tools, result_tools
from insight_site.mcp.agent_caller import AgentCaller, ToolRefusal
from insight_site.mcp.tool_record import AgentTool, Json, ToolCall
from reporting.document import outward
from runs.refusals import Refused

TOOLS: dict[str, AgentTool] = {
    one.name: one for one in (*reading_tools.TOOLS, *result_tools.TOOLS, *planning_tools.TOOLS, *explaining_tools.TOOLS)
}
MOST_CHARS = 400  # of a sentence about an argument: it may quote the argument
log = structlog.get_logger()


def tools_of(who: AgentCaller) -> list[types.Tool]:
    """The tools that this agent's key may use."""
    return [
        types.Tool(
            name=one.name,
            title=one.title,
            description=one.description,
            input_schema=one.schema,
            annotations=types.ToolAnnotations(
                title=one.title, read_only_hint=not one.changes, destructive_hint=False, open_world_hint=False
            ),
        )
        for one in TOOLS.values()
        if not one.scope or who.caller.may(one.scope)
    ]


def call(who: AgentCaller, name: str, arguments: Json) -> types.CallToolResult:
    """The answer of a tool, or its refusal. Nothing is raised: what went wrong inside stays in the log."""
    began = time.monotonic()
    with structlog.contextvars.bound_contextvars(request_id=who.request_id), translation.override("en"):
        code, found = _outcome(who, name, arguments)
        log.info(
            "agent.tool",
            tool=name if name in TOOLS else "?",
            key=who.caller.key_prefix,
            code=code,
            seconds=round(time.monotonic() - began, 3),
        )
    said = json.dumps(found, ensure_ascii=False)
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=said)], structured_content=found, is_error=code != "ok"
    )


def _outcome(who: AgentCaller, name: str, arguments: Json) -> tuple[str, Json]:
    """The code of what came of it, and what is said."""
    try:
        return "ok", _run(who, name, arguments)
    except ToolRefusal as refusal:
        problem = refusal.problem
    except Refused as refused:
        problem = {"code": "refused", "detail": str(refused)}
    except (DatabaseError, InterfaceError):
        log.exception("agent.database_away", tool=name)
        problem = {"code": "unavailable", "detail": "The database is away; try again."}
    except Exception:
        log.exception("agent.tool_failed", tool=name)
        problem = {"code": "failed", "detail": "It failed inside; the log has the reason under this request_id."}
    return str(problem["code"]), {**problem, "request_id": who.request_id}


def _run(who: AgentCaller, name: str, arguments: Json) -> Json:
    tool = TOOLS.get(name)
    if tool is None:
        raise ToolRefusal("no_such_tool", "There is no such tool.")
    if tool.scope and not who.caller.may(tool.scope):
        raise ToolRefusal("missing_scope", f"This key may not do {tool.scope}.")
    wrong = jsonschema.Draft202012Validator(tool.schema)
    mistake = jsonschema.exceptions.best_match(wrong.iter_errors(arguments))
    if mistake is not None:
        place = "/".join(map(str, mistake.absolute_path))
        raise ToolRefusal("bad_arguments", f"{place + ': ' if place else ''}{mistake.message[:MOST_CHARS]}")
    found: Any = outward(tool.run(ToolCall(who, name, arguments)))
    # As JSON and back: lazy texts, dates and the like become what any client reads.
    return dict(json.loads(json.dumps(found, default=str)))
