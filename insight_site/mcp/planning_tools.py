"""Planning tools, and those that write: a draft, and a study that waits for a worker."""

from collections.abc import Iterable

from experiments.management.commands.design import document as design_document
from experiments.models import Experiment
from experiments.plan.lifecycle import Action
from experiments.plan.mistakes import problems, words
from experiments.plan.moves import refusal
from experiments.plan.search.asked_search import Given, search_by_name
from experiments.plan.stored import plan_of, situation_of
from insight_site.mcp.agent_caller import ToolRefusal
from insight_site.mcp.agent_tool import AgentTool, Json, ToolCall, ask, number, segment, text, whole
from insight_site.mcp.no_exposures import refuse_exposures, refuse_exposures_of_segments

DRAFT, STUDY = "plans:draft", "studies:start"
# Fields that an agent may set in a draft: REST's, without those about operating a site.
PLAN = (
    *("key", "name", "hypothesis", "nudge", "moment", "value_type", "default_value", "variants", "audience"),
    *("primary_metrics", "secondary_metrics", "guardrail_metrics", "guardrail_rules", "otherwise"),
    *("alpha", "power", "smallest_effect", "planned_effect", "method", "looks", "spending"),
    *("expected_take_up", "planned_units", "planned_end", "expected_daily_units", "expected_base"),
    *("covariates", "primary", "active_days_before", "signup_event", "clock", "day_mode", "enrolment", "cluster"),
)
DEFINING = (
    *("primary_metrics", "secondary_metrics", "guardrail_metrics", "guardrail_rules"),
    *("covariates", "signup_event", "cluster"),
)
WHAT_IF = (
    *("planned_effect", "margin", "primaries", "variants", "method", "looks", "spending"),
    *("cluster_size", "cluster_variation", "cluster_correlation", "signup_event"),
)
STUDY_INPUTS = (
    *("signup_event", "days", "retention", "behaviours", "max_times", "segment", "first_date", "last_date"),
    *("choose", "gap", "day_mode", "inert"),
)
KEY = {"key": text("key of the experiment", 128)}
TAKE_UP = number("share of users whom the nudge moves, 0 to 1")


def check_plan(asked: ToolCall) -> Json:
    """Problems that block the start of a draft, its review and its checklist; changes nothing."""
    row = _draft(asked)
    review: Json = ask(asked.who, asked.tool, "GET", f"experiments/{segment(row.key)}/review")
    return {
        "experiment": row.key,
        "problems": [{"code": one.code, "sentence": words(one)} for one in problems(plan_of(row), situation_of(row))],
        "start": {"allowed": not (why := refusal(row, Action.START)), "why_not": why},
        "drafted_by_agent": row.drafted_by_agent,
        "review": {name: review[name] for name in ("needed", "code", "checks")},
    }


def size_plan(asked: ToolCall) -> Json:
    """How many units a draft needs and how long that takes, as in REST's power operation."""
    row = _draft(asked)
    _refuse_of_plan(row)
    refuse_exposures(asked["signup_event"])
    query = {name: asked[name] for name in WHAT_IF}
    if query["margin"] is None:
        query["margin"] = asked["smallest_effect"]
    found: Json = ask(asked.who, asked.tool, "GET", f"experiments/{segment(row.key)}/power", query=query)
    return found


def search_designs(asked: ToolCall) -> Json:
    """Which test design for the behaviour of a draft or moment decides soonest."""
    name = str(asked["key"])
    row = Experiment.objects.filter(key=name).first()
    if row is not None:
        _refuse_of_plan(_draft(asked))
    else:  # a moment: behaviours that aren't promoted need a study first
        moment = ask(asked.who, asked.tool, "GET", f"moments/{segment(name)}")
        refuse_exposures(*(moment[field] for field in ("behaviour", "retention", "signup_event")))
    given = {name: asked[name] for name in ("effect", "daily_units", "alpha", "power", "deadline") if asked[name]}
    take_ups = () if asked["take_up"] is None else (("", float(asked["take_up"])),)
    found: Json = design_document(search_by_name(name, Given(**given, take_ups=take_ups, segments=False)))
    return found


def draft_experiment(asked: ToolCall) -> Json:
    """Create a draft marked with the agent's name; a person reviews it before it can start."""
    refuse_exposures(*(asked[name] for name in DEFINING))
    refuse_exposures_of_segments(*_segments(asked["audience"] or ()))
    return ask(asked.who, asked.tool, "POST", "experiments", body=asked.arguments)  # type: ignore[no-any-return]


def draft_from_moment(asked: ToolCall) -> Json:
    """Create the draft that tests an AHA moment, sized as on its page."""
    key = segment(asked["moment"])
    moment = ask(asked.who, asked.tool, "GET", f"moments/{key}")
    refuse_exposures(*(moment[field] for field in ("behaviour", "retention", "signup_event")))
    body = {"take_up": asked["take_up"]}
    return ask(asked.who, asked.tool, "POST", f"moments/{key}/experiments", body=body)  # type: ignore[no-any-return]


def start_study(asked: ToolCall) -> Json:
    """Create a study that waits for a worker."""
    inputs = {name: value for name, value in asked.arguments.items() if name in STUDY_INPUTS}
    refuse_exposures(inputs)
    refuse_exposures_of_segments(inputs.get("segment"))
    body = {"inputs": inputs, "title": asked["title"] or "", "seed": asked["seed"] or 1}
    return ask(asked.who, asked.tool, "POST", "studies", body=body)  # type: ignore[no-any-return]


def _draft(asked: ToolCall) -> Experiment:
    """The draft with this key; refuses started plans: they are frozen, and their data may reveal a locked outcome."""
    found: Json = ask(asked.who, asked.tool, "GET", f"experiments/{segment(asked['key'])}")
    if found["status"] != Experiment.Status.DRAFT:
        raise ToolRefusal("frozen", "The plan has started and is frozen: this tool looks at drafts alone.")
    return Experiment.objects.select_related("moment", "layer", "holdout").get(key=found["key"])


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
        note="What would forbid the start of a draft, in sentences; whether it needs a review and where that is; the "
        "checklist of the review.",
        own=KEY,
        needs=("key",),
    ),
    AgentTool(
        "size_plan",
        "Size a draft",
        size_plan,
        "experiments_power_retrieve",
        "Nothing is changed.",
        WHAT_IF,
        {**KEY, "smallest_effect": number("the same as margin")},
        ("key",),
    ),
    AgentTool(
        "search_designs",
        "Which test decides soonest",
        search_designs,
        note="Designs for the test of a draft's behaviour or of an AHA moment, the soonest first: nudge or feature, "
        "with a placebo or not, adjusted or not, which looks.",
        own={
            "key": text("key of a draft, or of an AHA moment", 128),
            "effect": number("effect of the behaviour that is planned for, absolute"),
            "take_up": TAKE_UP,
            "daily_units": number("users a day; those of the last four weeks unless given"),
            "alpha": number("two-sided error rate"),
            "power": number("chance to find the planned effect"),
            "deadline": whole("days for which smallest effects are compared; 60 unless given", 1),
        },
        needs=("key",),
    ),
    AgentTool(
        "draft_experiment",
        "Draft an experiment",
        draft_experiment,
        "experiments_create",
        "It carries your name, and a person has to review it before it can start, whatever the site's rule is. Check "
        "and size it afterwards; you can't start it.",
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
        "A nudge for new users, judged by the moment's own retention. It carries your name and needs a person's "
        "review.",
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
        "It searches for behaviours that go together with staying: read it with read_study when its status is done. "
        "It ranks correlations; only an experiment shows a cause.",
        (*STUDY_INPUTS, "title", "seed"),
        needs=("signup_event", "days", "retention"),
        scope=STUDY,
        changes=True,
    ),
)
