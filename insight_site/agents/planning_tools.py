"""Planning tools, and those that write: a draft, and a study that waits for a worker."""

from collections.abc import Iterable
from dataclasses import asdict

from experiments.models import Experiment
from experiments.plan.design_search import Given, search_by_name
from experiments.plan.fields import OF_DATA, Part, in_parts
from experiments.plan.lifecycle import Action
from experiments.plan.moves import refusal
from experiments.plan.record import FIELDS
from experiments.plan.stored import plan_of, situation_of
from experiments.plan.validation import problems, words
from experiments.report import planning
from insight_site.agents.agent_tool import (
    AgentTool,
    Json,
    ToolCall,
    ToolRefusal,
    ask,
    number,
    refuse_exposures,
    refuse_exposures_of_segments,
    segment,
    text,
    whole,
)

DRAFT, STUDY = "plans:draft", "studies:start"
# Fields that an agent may set in a draft: REST's, without those about operating a site.
PLAN = (*in_parts({name: field for name, field in FIELDS.items() if field.agents}, *Part), "variants", "audience")
DEFINING = tuple(field.name for field in FIELDS.values() if field.kind in OF_DATA)
WHAT_IF = (
    *("planned_effect", "margin", "primaries", "variants", "method", "looks", "spending"),
    *("cluster_size", "cluster_variation", "cluster_correlation", "signup_event"),
)
STUDY_INPUTS = (
    *("signup_event", "days", "retention", "behaviours", "max_times", "segment", "level", "first_date", "last_date"),
    *("choose", "gap", "day_mode", "inert"),
)
KEY = {"key": text("key of the experiment", 128)}
TAKE_UP = number("expected take-up: share of users that the nudge moves to the behaviour, 0 to 1")


def check_plan(call: ToolCall) -> Json:
    """Problems that block the start of a draft, its review and its checklist; changes nothing."""
    row = _draft(call)
    review: Json = ask(call.who, call.tool, "GET", f"experiments/{segment(row.key)}/review")
    return {
        "experiment": row.key,
        "problems": [
            {"code": problem.code, "sentence": words(problem)} for problem in problems(plan_of(row), situation_of(row))
        ],
        "start": {"allowed": not (why := refusal(row, Action.START)), "why_not": why},
        "drafted_by_agent": row.drafted_by_agent,
        "review": {name: review[name] for name in ("needed", "code", "checks")},
    }


def size_plan(call: ToolCall) -> Json:
    """How many units a draft needs and how long that takes, as in REST's power operation."""
    row = _draft(call)
    _refuse_of_plan(row)
    refuse_exposures(call["signup_event"])
    query = {name: call[name] for name in WHAT_IF}
    if query["margin"] is None:
        query["margin"] = call["smallest_effect"]
    power: Json = ask(call.who, call.tool, "GET", f"experiments/{segment(row.key)}/power", query=query)
    return power


def search_designs(call: ToolCall) -> Json:
    """Which test design for the behaviour of a draft or moment decides soonest."""
    name = str(call["key"])
    row = Experiment.objects.filter(key=name).first()
    if row is not None:
        _refuse_of_plan(_draft(call))
    else:  # a moment: behaviours that aren't promoted need a study first
        moment = ask(call.who, call.tool, "GET", f"moments/{segment(name)}")
        refuse_exposures(*(moment[field] for field in ("behaviour", "retention", "signup_event")))
    given = {name: call[name] for name in ("effect", "daily_units", "alpha", "power", "deadline") if call[name]}
    take_ups = () if call["take_up"] is None else (("", float(call["take_up"])),)
    search = search_by_name(name, Given(**given, take_ups=take_ups, segments=False))
    document: Json = planning.search_document(asdict(search.subject), search.inputs, search.result, search.parting)
    return document


def draft_experiment(asked: ToolCall) -> Json:
    """Create a draft marked with the agent's name; a person reviews it before it can start."""
    refuse_exposures(*(asked[name] for name in DEFINING))
    refuse_exposures_of_segments(*_segments(asked["audience"] or ()))
    return ask(asked.who, asked.tool, "POST", "experiments", body=asked.arguments)  # type: ignore[no-any-return]


def draft_from_moment(call: ToolCall) -> Json:
    """Create the draft that tests an AHA moment, sized as on its page."""
    key = segment(call["moment"])
    moment = ask(call.who, call.tool, "GET", f"moments/{key}")
    refuse_exposures(*(moment[field] for field in ("behaviour", "retention", "signup_event")))
    body = {"take_up": call["take_up"]}
    return ask(call.who, call.tool, "POST", f"moments/{key}/experiments", body=body)  # type: ignore[no-any-return]


def start_study(call: ToolCall) -> Json:
    """Create a study that waits for a worker."""
    inputs = {name: value for name, value in call.arguments.items() if name in STUDY_INPUTS}
    refuse_exposures(inputs)
    refuse_exposures_of_segments(inputs.get("segment"))
    body = {"inputs": inputs, "title": call["title"] or "", "seed": call["seed"] or 1}
    return ask(call.who, call.tool, "POST", "studies", body=body)  # type: ignore[no-any-return]


def _draft(call: ToolCall) -> Experiment:
    """The draft with this key; refuses started plans: they are frozen, and their data may reveal a locked outcome."""
    document: Json = ask(call.who, call.tool, "GET", f"experiments/{segment(call['key'])}")
    if document["status"] != Experiment.Status.DRAFT:
        raise ToolRefusal("frozen", "The plan has started and is frozen: this tool looks at drafts alone.")
    return Experiment.objects.select_related("moment", "layer", "holdout").get(key=document["key"])


def _refuse_of_plan(row: Experiment) -> None:
    """Refuse a plan that counts exposures, which another author may have drafted."""
    refuse_exposures(*(getattr(row, name) for name in DEFINING))
    if row.moment is not None:
        refuse_exposures(row.moment.behaviour, row.moment.retention, row.moment.signup_event)


def _segments(audience: Iterable[Json]) -> list[str]:
    return [str(row.get("segment_key") or "") for row in audience]


TOOLS = (
    AgentTool(
        "check_plan",
        "Check a draft",
        check_plan,
        note="List the problems that block the start of a draft, the state of its review, and the review checklist. "
        "Changes nothing.",
        own=KEY,
        needs=("key",),
    ),
    AgentTool(
        "size_plan",
        "Size a draft",
        size_plan,
        "experiments_power_retrieve",
        "Changes nothing.",
        WHAT_IF,
        {**KEY, "smallest_effect": number("alias of margin")},
        ("key",),
    ),
    AgentTool(
        "search_designs",
        "Search for the fastest design",
        search_designs,
        note="Compare designs for testing a draft's behaviour or an AHA moment, shortest duration first: nudge or "
        "feature, with or without placebo and covariate adjustment, and the interim looks.",
        own={
            "key": text("key of a draft, or of an AHA moment", 128),
            "effect": number("absolute effect of the behaviour to detect"),
            "take_up": TAKE_UP,
            "daily_units": number("new users per day; default: mean of the last four weeks"),
            "alpha": number("two-sided significance level"),
            "power": number("probability to detect the planned effect"),
            "deadline": whole("duration in days at which minimum detectable effects are compared; default 60", 1),
        },
        needs=("key",),
    ),
    AgentTool(
        "draft_experiment",
        "Draft an experiment",
        draft_experiment,
        "experiments_create",
        "The draft carries your name, and a person must review it before it can start, whatever the site's review "
        "rule is. You can't start it. Call check_plan and size_plan next.",
        PLAN,
        needs=("key", "variants", "hypothesis"),
        scope=DRAFT,
        changes=True,
    ),
    AgentTool(
        "draft_from_moment",
        "Draft the test of an AHA moment",
        draft_from_moment,
        "moments_experiments_create",
        "The draft nudges new users and uses the moment's retention as primary outcome. It carries your name, and a "
        "person must review it.",
        ("take_up",),
        {"moment": text("key of the AHA moment")},
        ("moment",),
        scope=DRAFT,
        changes=True,
    ),
    AgentTool(
        "start_study",
        "Start a study",
        start_study,
        "studies_create",
        "A study searches for behaviours associated with retention. Read it with read_study once its status is done. "
        "It ranks correlations; only an experiment shows a cause.",
        (*STUDY_INPUTS, "title", "seed"),
        needs=("signup_event", "days", "retention"),
        scope=STUDY,
        changes=True,
    ),
)
