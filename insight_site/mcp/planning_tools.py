"""Tools that help to plan, and those that write: a draft, and a study that waits for a worker."""

from collections.abc import Iterable

from events.metrics.line import LONGEST_LINE
from experiments.management.commands.design import document as design_document
from experiments.models import Experiment
from experiments.plan.lifecycle import Action
from experiments.plan.mistakes import problems, words
from experiments.plan.moves import refusal
from experiments.plan.search.asked_search import Given, search_by_name
from experiments.plan.stored import plan_of, situation_of
from insight_site.mcp.agent_caller import ToolRefusal
from insight_site.mcp.agent_tool import AgentTool, Json, ToolCall, ask, number, one_of, segment, text, texts, whole
from insight_site.mcp.no_exposures import refuse_exposures, refuse_exposures_of_segments

DRAFT, STUDY = "plans:draft", "studies:start"
# What an agent may set in a draft: REST's fields, without those that say how a site is run.
PLAN: dict[str, Json] = {
    "key": text("of the experiment: letters, digits, dots, dashes, underscores", 128),
    "name": text("of the experiment", 200),
    "hypothesis": text("what is expected, and why", 4_000),
    "nudge": text("what the nudge is", 4_000),
    "moment": text("key of the AHA moment that it tests"),
    "value_type": one_of("type of the flag's values", "string", "integer", "number", "boolean", "json"),
    "default_value": {"description": "value outside the experiment"},
    "variants": {
        "type": "array",
        "minItems": 1,
        "maxItems": 100,
        "items": {"type": "object"},
        "description": "arms, the control first: key, value, weight in steps of 0.01 % (together 10000), and role "
        "(nudge, placebo or dose) where there is a moment",
    },
    "audience": {
        "type": "array",
        "maxItems": 100,
        "items": {"type": "object"},
        "description": "rows of segment_key and coverage (steps of 0.01 %); none for everyone",
    },
    "primary_metrics": texts("one or two outcomes that decide, such as window:14-20 or metric:KEY", 2, LONGEST_LINE),
    "secondary_metrics": texts("further outcomes", longest=LONGEST_LINE),
    "guardrail_metrics": texts("what must not get worse", longest=LONGEST_LINE),
    "guardrail_rules": {"type": "object", "description": "by guardrail: direction (higher or lower) and margin"},
    "otherwise": one_of("if neither success nor harm is proved", "ship", "dont", "ask"),
    "alpha": number("two-sided error rate"),
    "power": number("chance to find the planned effect"),
    "smallest_effect": number("smallest effect of interest, absolute"),
    "planned_effect": number("effect that the size is computed for, absolute"),
    "method": one_of("when the outcome may be read", "fixed", "group_sequential", "always_valid"),
    "looks": {"type": "array", "items": {"type": "number"}, "maxItems": 20, "description": "shares, the last one 1"},
    "spending": one_of("how looks spend alpha", "obrien_fleming", "pocock"),
    "expected_take_up": number("share of units whom the nudge moves, 0 to 1"),
    "planned_units": whole("units of all arms together", 1),
    "planned_end": text("last day of enrolment, 2027-01-31; the result comes an outcome window later", 10),
    "expected_daily_units": whole("new users a day to plan by, where the log has none of the last four weeks", 1),
    "expected_base": number("share without the nudge to plan by, 0 to 1, where the log doesn't say it"),
    "covariates": texts("properties of the signup event, known before assignment", 10),
    "primary": one_of("the comparison that decides", "unadjusted", "lin", "lin_predicted"),
    "active_days_before": whole("days before the exposure whose activity is a covariate"),
    "signup_event": text("what starts a unit's clock", 256),
    "clock": one_of("day 0 begins with", "exposure", "signup"),
    "day_mode": one_of("days are", "rolling", "calendar"),
    "enrolment": one_of("who may enter", "all", "new_units"),
    "cluster": text("attribute whose clusters are drawn", 64),
}
DEFINING = (
    *("primary_metrics", "secondary_metrics", "guardrail_metrics", "guardrail_rules"),
    *("covariates", "signup_event", "cluster"),
)
WHAT_IF = ("smallest_effect", "planned_effect", "alpha", "power", "expected_take_up", "planned_units")
STUDY_INPUTS: dict[str, Json] = {
    "signup_event": text("starts a user's clock; * for the first event of any kind", 256),
    "days": {
        "type": "array",
        "minItems": 1,
        "maxItems": 30,
        "items": {"type": "integer", "minimum": 1},
        "description": "behaviours are counted within so many days, for example [1, 3, 7]",
    },
    "retention": text("who stayed, for example window:14-20, or metric:KEY"),
    "behaviours": texts("EVENT, EVENT[property=value] or EVENT#property; none for all events of the log", 200),
    "max_times": whole("count a behaviour up to so many times", 1),
    "segment": text("key of a segment; leave it out for everyone"),
    "first_date": text("signups from this date on, 2026-01-31", 10),
    "last_date": text("signups until this date", 10),
    "choose": text("rule by which the threshold is chosen, j unless given", 20),
    "gap": whole("days between the behaviour and the window of retention"),
    "day_mode": one_of("days are", "rolling", "calendar"),
    "inert": texts("behaviours that can't matter: negative controls", 50),
}
KEY = {"key": text("key of the experiment", 128)}


def check_plan(asked: ToolCall) -> Json:
    """What forbids the start of a draft, its review and its checklist; nothing is changed."""
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
    """How many units a draft needs and how long that takes, as REST's power."""
    row = _draft(asked)
    _refuse_of_plan(row)
    refuse_exposures(asked["signup_event"])
    query = {name: asked[name] for name in (*WHAT_IF, "signup_event")}
    found: Json = ask(asked.who, asked.tool, "GET", f"experiments/{segment(row.key)}/power", query=query)
    return found


def search_designs(asked: ToolCall) -> Json:
    """Which test of a draft's or a moment's behaviour decides soonest."""
    name = str(asked["key"])
    row = Experiment.objects.filter(key=name).first()
    if row is not None:
        _refuse_of_plan(_draft(asked))
    else:  # a moment: a behaviour that nobody promoted is a question for a study
        moment = ask(asked.who, asked.tool, "GET", f"moments/{segment(name)}")
        refuse_exposures(*(moment[field] for field in ("behaviour", "retention", "signup_event")))
    given = {name: asked[name] for name in ("effect", "daily_units", "alpha", "power", "deadline") if asked[name]}
    take_ups = () if asked["take_up"] is None else (("", float(asked["take_up"])),)
    found: Json = design_document(search_by_name(name, Given(**given, take_ups=take_ups, segments=False)))
    return found


def draft_experiment(asked: ToolCall) -> Json:
    """A draft with the agent's name on it; a person reviews it before it can start."""
    refuse_exposures(*(asked[name] for name in DEFINING))
    refuse_exposures_of_segments(*_segments(asked["audience"] or ()))
    return ask(asked.who, asked.tool, "POST", "experiments", body=asked.arguments)  # type: ignore[no-any-return]


def draft_from_moment(asked: ToolCall) -> Json:
    """The draft that tests an AHA moment, sized as the page sizes it."""
    key = segment(asked["moment"])
    moment = ask(asked.who, asked.tool, "GET", f"moments/{key}")
    refuse_exposures(*(moment[field] for field in ("behaviour", "retention", "signup_event")))
    body = {"take_up": asked["take_up"]}
    return ask(asked.who, asked.tool, "POST", f"moments/{key}/experiments", body=body)  # type: ignore[no-any-return]


def start_study(asked: ToolCall) -> Json:
    """A study that waits for a worker."""
    inputs = {name: value for name, value in asked.arguments.items() if name in STUDY_INPUTS}
    refuse_exposures(inputs)
    refuse_exposures_of_segments(inputs.get("segment"))
    body = {"inputs": inputs, "title": asked["title"] or "", "seed": asked["seed"] or 1}
    return ask(asked.who, asked.tool, "POST", "studies", body=body)  # type: ignore[no-any-return]


def _draft(asked: ToolCall) -> Experiment:
    """The draft of this key. What has started is frozen, and how its users do is the outcome that is locked."""
    found: Json = ask(asked.who, asked.tool, "GET", f"experiments/{segment(asked['key'])}")
    if found["status"] != Experiment.Status.DRAFT:
        raise ToolRefusal("frozen", "The plan has started and is frozen: this tool looks at drafts alone.")
    return Experiment.objects.select_related("moment", "layer", "holdout").get(key=found["key"])


def _refuse_of_plan(row: Experiment) -> None:
    """A plan that somebody else drafted may count exposures too."""
    refuse_exposures(*(getattr(row, name) for name in DEFINING))
    if row.moment is not None:
        refuse_exposures(row.moment.behaviour, row.moment.retention, row.moment.signup_event)


def _segments(audience: Iterable[Json]) -> list[str]:
    return [str(row.get("segment_key") or "") for row in audience]


TOOLS = (
    AgentTool(
        "check_plan",
        "Check a draft",
        "What would forbid the start of a draft, in sentences; whether it needs a review and where that is; the "
        "checklist of the review.",
        check_plan,
        KEY,
        ("key",),
    ),
    AgentTool(
        "size_plan",
        "Size a draft",
        "How many units a draft needs, how many days that takes, and the power it has, from the units of the last four "
        "weeks. Values that you give are tried in place of the plan's own; nothing is changed.",
        size_plan,
        {
            **KEY,
            **{name: PLAN[name] for name in WHAT_IF},
            "signup_event": text("what starts a unit's clock; * for any event", 256),
        },
        ("key",),
    ),
    AgentTool(
        "search_designs",
        "Which test decides soonest",
        "Designs for the test of a draft's behaviour or of an AHA moment, the soonest first: nudge or feature, with a "
        "placebo or not, adjusted or not, which looks.",
        search_designs,
        {
            "key": text("key of a draft, or of an AHA moment", 128),
            "effect": number("effect of the behaviour that is planned for, absolute"),
            "take_up": number("share of users whom the nudge moves, 0 to 1"),
            "daily_units": number("users a day; those of the last four weeks unless given"),
            "alpha": PLAN["alpha"],
            "power": PLAN["power"],
            "deadline": whole("days for which smallest effects are compared; 60 unless given", 1),
        },
        ("key",),
    ),
    AgentTool(
        "draft_experiment",
        "Draft an experiment",
        "Write a draft. It carries your name, and a person has to review it before it can start, whatever the site's "
        "rule is. Check and size it afterwards; you can't start it.",
        draft_experiment,
        PLAN,
        ("key", "variants", "hypothesis"),
        scope=DRAFT,
        changes=True,
    ),
    AgentTool(
        "draft_from_moment",
        "Draft the test of an AHA moment",
        "Draft the experiment that tests an AHA moment: a nudge for new users, judged by the moment's own retention, "
        "sized by what is known. It carries your name and needs a person's review.",
        draft_from_moment,
        {"moment": text("key of the AHA moment"), "take_up": number("share of users whom the nudge moves, 0 to 1")},
        ("moment",),
        scope=DRAFT,
        changes=True,
    ),
    AgentTool(
        "start_study",
        "Start a study",
        "Start a search for behaviours that go together with staying. A worker computes it: read it with read_study "
        "when its status is done. It ranks correlations; only an experiment shows a cause.",
        start_study,
        {**STUDY_INPUTS, "title": text("of the study", 100), "seed": whole("of its random numbers; 1 unless given")},
        ("signup_event", "days", "retention"),
        scope=STUDY,
        changes=True,
    ),
)
