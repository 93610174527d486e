"""Tools that list and read what REST lists and reads, and the results of an experiment: health, outcome, a peek.

REST enforces the outcome lock, and hides peeked outcomes from keys that may not peek. These tools are stricter: while
the outcome is locked they return only the fields listed here.
"""

import json
from collections.abc import Callable

from insight_site.mcp.agent_caller import ToolRefusal
from insight_site.mcp.agent_tool import PAGE, AgentTool, Json, ToolCall, ask, flag, paging, segment, text, whole
from insight_site.mcp.no_exposures import refuse_exposures
from segments.models import Segment

# Large fields, returned only when the row itself is read.
LARGE = ("evidence", "finding", "profile")
PEEK = "outcomes:peek"
OPEN = "open"
ROW = ("id", "experiment", "status", "final", "peek", "as_of", "reason", "created_at", "finished_at")
# Fields that are safe while the outcome is locked: enrolment, data health, opening date.
STANDING = ("state", "state_reason", "opens_on", "final", "peeked")
COUNTS = ("exposed", "mature", "fraction")
WORDS = ("heading", "sentence", "estimand", "alarms", "known", "decision", "finding", "contrasts")
NOBODY_LOOKED = "Nothing has been analysed yet: analyses are made each night, or when a person asks."


def listed(path: str, *filters: str) -> Callable[[ToolCall], Json]:
    """A tool that returns a page of a list."""

    def run(asked: ToolCall) -> Json:
        query = {name: _word(asked[name]) for name in filters} | paging(asked)
        found: Json = ask(asked.who, asked.tool, "GET", path, query=query)
        rows = [{name: value for name, value in row.items() if name not in LARGE} for row in found["results"]]
        return {**found, "results": rows}

    return run


def read(path: str, name: str, *defining: str) -> Callable[[ToolCall], Json]:
    """A tool that returns one row; refused if its `defining` fields count exposures."""

    def run(asked: ToolCall) -> Json:
        found: Json = ask(asked.who, asked.tool, "GET", f"{path}/{segment(asked[name])}")
        refuse_exposures(*(found.get(field) for field in defining))
        return found

    return run


def list_candidates(asked: ToolCall) -> Json:
    """The candidates of a finished study, best first, without fields that only the page needs."""
    study = read("studies", "study", "inputs")(asked)
    report = study["report"]
    found = {"study": study["id"], "status": study["status"], "reason": study["reason"]}
    if not isinstance(report, dict) or "candidates" not in report:
        return {**found, "candidates": [], "report": report}
    kept = ("floor", "more_candidates", "parts", "population")
    return {**found, **{name: report[name] for name in kept}, "candidates": report["candidates"]}


def read_segment(asked: ToolCall) -> Json:
    """A segment with its profile; refused if its rule counts exposures."""
    number = asked["id"]
    found: Json = ask(asked.who, asked.tool, "GET", f"segments/{segment(number)}")
    rule = Segment.objects.filter(pk=found["id"]).values_list("version__rule", flat=True).first()
    refuse_exposures(json.dumps(rule))
    return found


def _word(value: object) -> object:
    """As in a URL: booleans in lower case."""
    return str(value).lower() if isinstance(value, bool) else value


# ── Results of an experiment ──────────────────────────────────────────────────
def list_analyses(asked: ToolCall) -> Json:
    """Analyses, newest first; without peeked outcomes."""
    found: Json = ask(asked.who, asked.tool, "GET", _path(asked), query=paging(asked))
    rows = [{**{name: row[name] for name in ROW}, "verdict": row["verdict"] or None} for row in found["results"]]
    return {**found, "results": rows}


def read_health(asked: ToolCall) -> Json:
    """Data health and progress of the experiment; never an outcome, locked or not."""
    run = _shown(asked)
    document = _document(run)
    return {
        **{name: run[name] for name in ROW},
        **{name: document[name] for name in STANDING},
        **{name: document["standing"][name] for name in COUNTS},
        "health": document["health"],
    }


def read_result(asked: ToolCall) -> Json:
    """The last successful analysis, or the requested one; while the outcome is locked, why and until when."""
    run = _shown(asked)
    document = _document(run)
    found = {**{name: run[name] for name in ROW}, **{name: document[name] for name in STANDING}}
    if document["state"] != OPEN:
        return {**found, "locked": True, "verdict": None, "document": None}
    return {**found, "locked": False, "verdict": run["verdict"], "document": document}


def explain_result(asked: ToolCall) -> Json:
    """The sentences at the top of a result's page."""
    found = read_result(asked)
    document = found.pop("document")
    words = {} if document is None else {name: document[name] for name in WORDS}
    return {**found, "in_words": words}


def peek(asked: ToolCall) -> Json:
    """Request a peek, as a person does."""
    row: Json = ask(asked.who, asked.tool, "POST", _path(asked), body={"peek": True})
    return {**{name: row[name] for name in ROW}, "read_with": "read_result"}


def _path(asked: ToolCall) -> str:
    return f"experiments/{segment(asked['key'])}/analyses"


def _shown(asked: ToolCall) -> Json:
    """The analysis that this agent may read: the requested one, else the last successful one."""
    if asked["analysis"] is not None:
        run: Json = ask(asked.who, asked.tool, "GET", f"{_path(asked)}/{segment(asked['analysis'])}")
        return run
    try:
        run = ask(asked.who, asked.tool, "GET", f"{_path(asked)}/latest")
    except ToolRefusal as refusal:
        if refusal.problem["code"] == "not_found":
            ask(asked.who, asked.tool, "GET", f"experiments/{segment(asked['key'])}")  # reports an unknown experiment
            raise ToolRefusal("nothing_analysed", NOBODY_LOOKED) from None
        raise
    return run


def _document(run: Json) -> Json:
    document = run["document"]
    if not isinstance(document, dict) or "standing" not in document:
        raise ToolRefusal("no_result", run["reason"] or (document or {}).get("unreadable") or NOBODY_LOOKED)
    return document


# ── The tools ─────────────────────────────────────────────────────────────────
THING = ("status", "tag", "owner", "archived")
KEY = {"key": text("its key", 128)}
NUMBER = {"id": whole("its number", 1)}
EXPERIMENT = {"key": text("key of the experiment", 128)}
ANALYSIS = {"analysis": whole("number of one analysis; leave it out for the last good one", 1)}
TOOLS = (
    AgentTool("list_studies", "List studies", listed("studies", *THING), "studies_list", takes=THING, own=PAGE),
    AgentTool(
        "read_study",
        "Read a study",
        read("studies", "id", "inputs"),
        "studies_retrieve",
        "list_candidates gives the candidates alone.",
        own=NUMBER,
        needs=("id",),
    ),
    AgentTool(
        "list_candidates",
        "List the candidates of a study",
        list_candidates,
        note="The candidates of a finished study, the best first: claims worth an experiment, with their evidence. "
        "None of them proves a cause.",
        own={"study": whole("number of the study", 1)},
        needs=("study",),
    ),
    AgentTool("list_moments", "List AHA moments", listed("moments", *THING), "moments_list", takes=THING, own=PAGE),
    AgentTool(
        "read_moment",
        "Read an AHA moment",
        read("moments", "key", "behaviour", "retention", "signup_event"),
        "moments_retrieve",
        own=KEY,
        needs=("key",),
    ),
    AgentTool(
        "list_segments",
        "List segments",
        listed("segments", "targetable"),
        "segments_list",
        own={"targetable": flag("true: those that an experiment may use as audience"), **PAGE},
    ),
    AgentTool("read_segment", "Read a segment", read_segment, "segments_retrieve", own=NUMBER, needs=("id",)),
    AgentTool(
        "list_experiments",
        "List experiments",
        listed("experiments", "status", "moment", "flag", "layer", "tag", "owner"),
        "experiments_list",
        takes=("status", "tag", "owner"),
        own={
            "moment": text("key of the AHA moment that it tests"),
            "flag": text("flag key"),
            "layer": text("key of the layer"),
            **PAGE,
        },
    ),
    AgentTool(
        "read_experiment",
        "Read the plan of an experiment",
        read("experiments", "key"),
        "experiments_retrieve",
        own=KEY,
        needs=("key",),
    ),
    AgentTool(
        "list_metrics",
        "List metrics",
        listed("metrics", "status", "tag", "owner"),
        "metrics_list",
        takes=("status",),
        own={"tag": text("only those with this tag"), "owner": text("only those of this account"), **PAGE},
    ),
    AgentTool("read_metric", "Read a metric", read("metrics", "key"), "metrics_retrieve", own=KEY, needs=("key",)),
    AgentTool(
        "list_analyses",
        "List the analyses of an experiment",
        list_analyses,
        "experiments_analyses_list",
        own={**EXPERIMENT, **PAGE},
        needs=("key",),
    ),
    AgentTool(
        "read_health",
        "Read the health of an experiment",
        read_health,
        note="Whether the data of an experiment are sound (sample ratio, missing exposures, senders), how many units "
        "are in, and when its outcome opens. Never an outcome.",
        own=EXPERIMENT,
        needs=("key",),
    ),
    AgentTool(
        "read_result",
        "Read the result of an experiment",
        read_result,
        note="The outcome, when the plan allows it to be read: verdict, effects with intervals, decision. Until then "
        '"locked" is true and the answer says why; asking again changes nothing.',
        own={**EXPERIMENT, **ANALYSIS},
        needs=("key",),
    ),
    AgentTool(
        "explain_result",
        "Explain a result in words",
        explain_result,
        note="A result in the sentences of its page: heading, verdict, what the number means, decision. Locked as "
        "read_result is.",
        own={**EXPERIMENT, **ANALYSIS},
        needs=("key",),
    ),
    AgentTool(
        "peek_at_outcome",
        "Peek at a locked outcome",
        peek,
        note="See the outcome of a fixed plan before its time. It costs: the report says for good, in its first line, "
        "that somebody looked; the log names you. Never do it unless a person has asked for this very peek.",
        own=EXPERIMENT,
        needs=("key",),
        scope=PEEK,
        changes=True,
    ),
)
