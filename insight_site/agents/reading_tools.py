"""Tools that list and read what REST lists and reads, and the results of an experiment: health, outcome, a peek.

REST enforces the outcome lock, and hides peeked outcomes from keys that may not peek. These tools are stricter: while
the outcome is locked they return only the fields listed here.
"""

import json
from collections.abc import Callable

from insight_site.agents.agent_tool import (
    PAGE,
    AgentTool,
    Json,
    ToolCall,
    ToolRefusal,
    ask,
    flag,
    paging,
    refuse_exposures,
    segment,
    text,
    whole,
)
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
        page: Json = ask(asked.who, asked.tool, "GET", path, query=query)
        rows = [{name: value for name, value in row.items() if name not in LARGE} for row in page["results"]]
        return {**page, "results": rows}

    return run


def read(path: str, name: str, *defining: str) -> Callable[[ToolCall], Json]:
    """A tool that returns one row; refused if its `defining` fields count exposures."""

    def run(asked: ToolCall) -> Json:
        document: Json = ask(asked.who, asked.tool, "GET", f"{path}/{segment(asked[name])}")
        refuse_exposures(*(document.get(field) for field in defining))
        return document

    return run


def list_candidates(call: ToolCall) -> Json:
    """The candidates of a finished study, best first, without fields that only the page needs."""
    study = read("studies", "study", "inputs")(call)
    report = study["report"]
    summary = {"study": study["id"], "status": study["status"], "reason": study["reason"]}
    if not isinstance(report, dict) or "candidates" not in report:
        return {**summary, "candidates": [], "report": report}
    fields = ("floor", "more_candidates", "parts", "population")
    return {**summary, **{name: report[name] for name in fields}, "candidates": report["candidates"]}


def read_segment(call: ToolCall) -> Json:
    """A segment with its profile; refused if its rule counts exposures."""
    number = call["id"]
    document: Json = ask(call.who, call.tool, "GET", f"segments/{segment(number)}")
    rule = Segment.objects.filter(pk=document["id"]).values_list("version__rule", flat=True).first()
    refuse_exposures(json.dumps(rule))
    return document


def _word(value: object) -> object:
    """As in a URL: booleans in lower case."""
    return str(value).lower() if isinstance(value, bool) else value


def read_map(call: ToolCall) -> Json:
    """The map of causes: of finished experiments alone, so that no locked outcome is behind it."""
    refuse_exposures(call["outcome"])
    document: Json = ask(call.who, call.tool, "GET", "map", query={name: call[name] for name in ("outcome", "margin")})
    return document


def read_launch(call: ToolCall) -> Json:
    """A launch's registered answers and its newest readings: suggestions, never verdicts."""
    document: Json = read("launches", "key", "outcome", "unmoved", "took_part", "signup_event")(call)
    readings: Json = ask(call.who, call.tool, "GET", f"launches/{segment(call['key'])}/readings")
    return {**document, "readings": readings["results"]}


# ── Results of an experiment ──────────────────────────────────────────────────
def list_analyses(call: ToolCall) -> Json:
    """Analyses, newest first; without peeked outcomes."""
    page: Json = ask(call.who, call.tool, "GET", _path(call), query=paging(call))
    rows = [{**{name: row[name] for name in ROW}, "verdict": row["verdict"] or None} for row in page["results"]]
    return {**page, "results": rows}


def read_health(call: ToolCall) -> Json:
    """Data health and progress of the experiment; never an outcome, locked or not."""
    run = _shown(call)
    document = _document(run)
    return {
        **{name: run[name] for name in ROW},
        **{name: document[name] for name in STANDING},
        **{name: document["standing"][name] for name in COUNTS},
        "health": document["health"],
    }


def read_result(call: ToolCall) -> Json:
    """The last successful analysis, or the requested one; while the outcome is locked, why and until when."""
    run = _shown(call)
    document = _document(run)
    summary = {**{name: run[name] for name in ROW}, **{name: document[name] for name in STANDING}}
    if document["state"] != OPEN:
        return {**summary, "locked": True, "verdict": None, "document": None}
    return {**summary, "locked": False, "verdict": run["verdict"], "document": document}


def explain_result(call: ToolCall) -> Json:
    """The sentences at the top of a result's page."""
    result = read_result(call)
    document = result.pop("document")
    words = {} if document is None else {name: document[name] for name in WORDS}
    return {**result, "in_words": words}


def peek(call: ToolCall) -> Json:
    """Request a peek, as a person does."""
    row: Json = ask(call.who, call.tool, "POST", _path(call), body={"peek": True})
    return {**{name: row[name] for name in ROW}, "read_with": "read_result"}


def _path(call: ToolCall) -> str:
    return f"experiments/{segment(call['key'])}/analyses"


def _shown(call: ToolCall) -> Json:
    """The analysis that this agent may read: the requested one, else the last successful one."""
    if call["analysis"] is not None:
        run: Json = ask(call.who, call.tool, "GET", f"{_path(call)}/{segment(call['analysis'])}")
        return run
    try:
        run = ask(call.who, call.tool, "GET", f"{_path(call)}/latest")
    except ToolRefusal as refusal:
        if refusal.problem["code"] == "not_found":
            ask(call.who, call.tool, "GET", f"experiments/{segment(call['key'])}")  # reports an unknown experiment
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
KEY = {"key": text("key", 128)}
NUMBER = {"id": whole("id", 1)}
EXPERIMENT = {"key": text("key of the experiment", 128)}
ANALYSIS = {"analysis": whole("id of an analysis; default: the latest successful one", 1)}
TOOLS = (
    AgentTool("list_studies", "List studies", listed("studies", *THING), "studies_list", takes=THING, own=PAGE),
    AgentTool(
        "read_study",
        "Read a study",
        read("studies", "id", "inputs"),
        "studies_retrieve",
        "list_candidates returns only the candidates.",
        own=NUMBER,
        needs=("id",),
    ),
    AgentTool(
        "list_candidates",
        "List the candidates of a study",
        list_candidates,
        note="List the candidates of a finished study, best first, with their evidence: correlations that are worth "
        "an experiment, not proof of a cause.",
        own={"study": whole("id of the study", 1)},
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
        own={"targetable": flag("true: only segments that an experiment can use as audience"), **PAGE},
    ),
    AgentTool("read_segment", "Read a segment", read_segment, "segments_retrieve", own=NUMBER, needs=("id",)),
    AgentTool(
        "list_experiments",
        "List experiments",
        listed("experiments", "status", "moment", "flag", "layer", "tag", "owner"),
        "experiments_list",
        takes=("status", "tag", "owner"),
        own={
            "moment": text("only experiments that test the AHA moment with this key"),
            "flag": text("only experiments with this flag key"),
            "layer": text("only experiments in the layer with this key"),
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
        own={"tag": text("only metrics with this tag"), "owner": text("only metrics owned by this account"), **PAGE},
    ),
    AgentTool("read_metric", "Read a metric", read("metrics", "key"), "metrics_retrieve", own=KEY, needs=("key",)),
    AgentTool("read_map", "Read the map of causes", read_map, "map", takes=("outcome", "margin")),
    AgentTool("list_launches", "List launches", listed("launches"), "launches_list", own=PAGE),
    AgentTool(
        "read_launch",
        "Read a launch",
        read_launch,
        "launches_retrieve",
        "With its newest readings. What a curve suggests is no verdict: nobody was drawn by lot.",
        own=KEY,
        needs=("key",),
    ),
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
        note="Read the data-quality checks of an experiment (sample ratio, missing exposures, senders), the number of "
        "enrolled units, and the date on which its outcome opens. Never returns an outcome.",
        own=EXPERIMENT,
        needs=("key",),
    ),
    AgentTool(
        "read_result",
        "Read the result of an experiment",
        read_result,
        note="Read the outcome once the plan allows it: verdict, effects with intervals, decision. Until then "
        '"locked" is true with the reason; calling again does not change that.',
        own={**EXPERIMENT, **ANALYSIS},
        needs=("key",),
    ),
    AgentTool(
        "explain_result",
        "Explain a result in words",
        explain_result,
        note="Read a result in sentences, as on its page: heading, verdict, estimand, decision. Locked under the same "
        "conditions as read_result.",
        own={**EXPERIMENT, **ANALYSIS},
        needs=("key",),
    ),
    AgentTool(
        "peek_at_outcome",
        "Peek at a locked outcome",
        peek,
        note="Read the outcome of a fixed plan before its planned date. The report permanently shows the peek in its "
        "first line, and the audit log names you. Call this only if a person has explicitly requested this peek.",
        own=EXPERIMENT,
        needs=("key",),
        scope=PEEK,
        changes=True,
    ),
)
