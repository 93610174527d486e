"""Tools about what came of an experiment: its health at any time, its outcome when the plan allows, and a peek.

REST keeps the outcome lock, and what a peek has shown from keys that may not peek. This door is narrower: while the
outcome is locked it gives the fields that are named here and no others.
"""

from insight_site.mcp.agent_caller import ToolRefusal
from insight_site.mcp.agent_tool import PAGE, AgentTool, Json, ToolCall, ask, paging, segment, text, whole

PEEK = "outcomes:peek"
OPEN = "open"
ROW = ("id", "experiment", "status", "final", "peek", "as_of", "reason", "created_at", "finished_at")
# What may be said of an experiment whose outcome is locked: who is in, whether the data are sound, when it opens.
STANDING = ("state", "state_reason", "opens_on", "final", "peeked")
COUNTS = ("exposed", "mature", "fraction")
WORDS = ("heading", "sentence", "estimand", "alarms", "known", "decision", "finding", "contrasts")
KEY = {"key": text("key of the experiment", 128)}
NOBODY_LOOKED = "Nothing has been analysed yet: analyses are made each night, or when a person asks."


def list_analyses(asked: ToolCall) -> Json:
    """Analyses, the newest first; what came of a peek stands in none of them."""
    found: Json = ask(asked.who, asked.tool, "GET", _path(asked), query=paging(asked))
    rows = [{**{name: row[name] for name in ROW}, "verdict": row["verdict"] or None} for row in found["results"]]
    return {**found, "results": rows}


def read_health(asked: ToolCall) -> Json:
    """Whether the data are sound and how far the experiment is; never an outcome, locked or not."""
    run = _shown(asked)
    document = _document(run)
    return {
        **{name: run[name] for name in ROW},
        **{name: document[name] for name in STANDING},
        **{name: document["standing"][name] for name in COUNTS},
        "health": document["health"],
    }


def read_result(asked: ToolCall) -> Json:
    """The last good analysis, or the one that is asked for; while the outcome is locked, why and until when."""
    run = _shown(asked)
    document = _document(run)
    found = {**{name: run[name] for name in ROW}, **{name: document[name] for name in STANDING}}
    if document["state"] != OPEN:
        return {**found, "locked": True, "verdict": None, "document": None}
    return {**found, "locked": False, "verdict": run["verdict"], "document": document}


def explain_result(asked: ToolCall) -> Json:
    """The sentences that a result's page begins with."""
    found = read_result(asked)
    document = found.pop("document")
    words = {} if document is None else {name: document[name] for name in WORDS}
    return {**found, "in_words": words}


def peek(asked: ToolCall) -> Json:
    """Ask for a peek, as a person does."""
    row: Json = ask(asked.who, asked.tool, "POST", _path(asked), body={"peek": True})
    return {**{name: row[name] for name in ROW}, "read_with": "read_result"}


def _path(asked: ToolCall) -> str:
    return f"experiments/{segment(asked['key'])}/analyses"


def _shown(asked: ToolCall) -> Json:
    """The analysis that this agent may read: the one it names, else the last good one that it may."""
    if asked["analysis"] is not None:
        run: Json = ask(asked.who, asked.tool, "GET", f"{_path(asked)}/{segment(asked['analysis'])}")
        return run
    try:
        run = ask(asked.who, asked.tool, "GET", f"{_path(asked)}/latest")
    except ToolRefusal as refusal:
        if refusal.problem["code"] == "not_found":
            ask(asked.who, asked.tool, "GET", f"experiments/{segment(asked['key'])}")  # which says when it isn't there
            raise ToolRefusal("nothing_analysed", NOBODY_LOOKED) from None
        raise
    return run


def _document(run: Json) -> Json:
    document = run["document"]
    if not isinstance(document, dict) or "standing" not in document:
        raise ToolRefusal("no_result", run["reason"] or (document or {}).get("unreadable") or NOBODY_LOOKED)
    return document


TOOLS = (
    AgentTool(
        "list_analyses",
        "List the analyses of an experiment",
        "Analyses of an experiment, the newest first, without their documents.",
        list_analyses,
        {**KEY, **PAGE},
        ("key",),
    ),
    AgentTool(
        "read_health",
        "Read the health of an experiment",
        "Whether the data of an experiment are sound (sample ratio, missing exposures, senders), how many units are "
        "in, and when its outcome opens. Never an outcome.",
        read_health,
        KEY,
        ("key",),
    ),
    AgentTool(
        "read_result",
        "Read the result of an experiment",
        "The outcome, when the plan allows it to be read: verdict, effects with intervals, decision. Until then "
        '"locked" is true and the answer says why; asking again changes nothing.',
        read_result,
        {**KEY, "analysis": whole("number of one analysis; leave it out for the last good one", 1)},
        ("key",),
    ),
    AgentTool(
        "explain_result",
        "Explain a result in words",
        "A result in the sentences of its page: heading, verdict, what the number means, decision. Locked as "
        "read_result is.",
        explain_result,
        {**KEY, "analysis": whole("number of one analysis; leave it out for the last good one", 1)},
        ("key",),
    ),
    AgentTool(
        "peek_at_outcome",
        "Peek at a locked outcome",
        "See the outcome of a fixed plan before its time. It costs: the report says for good, in its first line, that "
        "somebody looked; the log names you. Never do it unless a person has asked for this very peek.",
        peek,
        KEY,
        ("key",),
        scope=PEEK,
        changes=True,
    ),
)
