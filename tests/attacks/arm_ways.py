"""Ways to a locked outcome past the experiment itself, over the log of `arm_world`, and honest questions beside them.

`table` writes both as docs/security.md shows them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.attacks import arm_doors as at

START = {"signup_event": "signup", "days": [1, 3], "retention": "window:14-20"}
COMES_BACK = "window:14-20"
IS_NUDGE = {"trait": "variant", "is": "nudge"}
IS_IOS = {"trait": "platform", "is": "ios"}
RETURNS = {"behaviour": "return", "days": 21, "at_least": 1}
# Users of one week, and what they did in it: for them the last days are the first of their life.
OF_A_WEEK = [{"feature": "tenure", "at_least": 40}, {"feature": "tenure", "at_most": 45}]
LATELY = {"last": 7, "before": 39, "at_least": 1}
CHATS = {"behaviour": "chat", "days": 7, "at_least": 1}


# Metrics of drafts that the ways size.
DRAFTS = {
    "plain": COMES_BACK,
    "coming": "min_events:back_nudge:14-20:1",
    "funnel": "funnel:shown_nudge:return:0-20",
    "case": "sql:0-20:SELECT user_id, SUM(CASE WHEN property('variant') LIKE 'v:nudge%' AND day >= 14 THEN 1 ELSE 0 "
    "END) AS value FROM events GROUP BY user_id",
    "negated": "sql:0-20:SELECT user_id, COUNT(*) AS value FROM events WHERE (NOT (property('arm') = 'control') "
    "AND day >= 14) OR event = 'buy' GROUP BY user_id",
    "sum": "sum:open:code:0-20",
}


@dataclass(frozen=True)
class Way:
    """One attempt.

    Attributes:
        door: which door is asked, and by whom.
        asks: what of it, in words.
        ask: the door of `arm_doors`, with what it is given.
    """

    door: str
    asks: str
    ask: tuple[Callable[..., Any], dict[str, Any]]


WAYS = (
    Way(
        "study, agent",
        "users who began with the app's own event of one arm",
        (at.agent_study, {**START, "signup_event": "shown_nudge", "behaviours": ["chat"]}),
    ),
    Way(
        "study, person by REST",
        "the other arm, to be subtracted from everybody",
        (at.person_study, {**START, "signup_event": "shown_control", "behaviours": ["chat"]}),
    ),
    Way(
        "study, person by REST",
        "a property of an event among other behaviours",
        (at.person_study, {**START, "behaviours": ["chat", "open[arm=nudge]", "buy"]}),
    ),
    Way(
        "study, agent",
        "an event that one arm logs early and the other late",
        (at.agent_study, {**START, "behaviours": ["welcome"]}),
    ),
    Way(
        "study, command",
        "a segment: the trait or another trait, published before the start",
        (at.command_study, {"segment": "either"}),
    ),
    Way(
        "size, agent that only reads",
        "a draft of somebody else from the arm's event on",
        (at.agent_size, {"key": "plain", "signup_event": "shown_nudge"}),
    ),
    Way("size, key by REST", "coming back as an event of one arm alone", (at.key_size, {"key": "coming"})),
    Way("size, key by REST", "a funnel that begins with the arm", (at.key_size, {"key": "funnel"})),
    Way("size, key by REST", "an SQL metric: a CASE on a part of a property", (at.key_size, {"key": "case"})),
    Way("size, key by REST", "an SQL metric: the other arm, negated", (at.key_size, {"key": "negated"})),
    Way("size, key by REST", "the sum of a number that codes the arm", (at.key_size, {"key": "sum"})),
    Way("metric's check", "the SQL metric in the catalogue, on its past", (at.metric_check, {"line": DRAFTS["case"]})),
    Way(
        "Explore, page",
        "retention from the arm's event on",
        (at.page, {"view": "retention", "signup_event": "shown_nudge", "retention": COMES_BACK}),
    ),
    Way(
        "Explore, page",
        "a funnel with the arm as its first step",
        (at.page, {"view": "funnel", "steps": ["open[arm=nudge]", "back_nudge"], "days": 30}),
    ),
    Way(
        "Explore, page",
        "retention by how often: one arm logs twice",
        (at.page, {"view": "times", "behaviour": "drawn", "days": 7, "retention": COMES_BACK}),
    ),
    Way(
        "Explore, page",
        "a published segment beside everybody: two calls and a subtraction",
        (at.page, {"view": "retention", "retention": COMES_BACK, "segment": "members"}),
    ),
    Way(
        "rule, counted while it is written",
        "the trait inside a larger rule",
        (at.rule_count, {"rule": {"all": [{"any": [IS_NUDGE, CHATS]}, RETURNS]}}),
    ),
    Way(
        "rule, counted while it is written",
        "the arm's event on the last days",
        (at.rule_count, {"rule": {"all": [{"behaviour": "shown_nudge", **LATELY}, RETURNS]}}),
    ),
    Way(
        "rule, counted while it is written",
        "of the users of one week, an event that one arm logs early and the other late",
        (at.rule_count, {"rule": {"all": [*OF_A_WEEK, {"behaviour": "welcome", **LATELY}, RETURNS]}}),
    ),
    Way(
        "rule, published",
        "not of the other arm, by trait, and came back",
        (at.rule_publish, {"rule": {"all": [{"none": [{"trait": "variant", "is": "control"}]}, RETURNS]}}),
    ),
    Way(
        "AHA moment, and its audience", "who came back, from the arm's event on", (at.moment, {"start": "shown_nudge"})
    ),
    Way("plan", "another experiment whose outcome is a funnel from the arm on", (at.start, {"key": "funnel"})),
    Way(
        "metric's preview", "an SQL metric that nobody has saved yet", (at.metric_preview, {"line": DRAFTS["negated"]})
    ),
    Way(
        "Explore, page",
        "everybody by the trait that holds the arm",
        (at.page, {"view": "retention", "retention": COMES_BACK, "group": "trait:variant"}),
    ),
    Way(
        "Explore, page",
        "a funnel by it",
        (at.page, {"view": "funnel", "steps": ["signup", "return"], "days": 30, "group": "trait:variant"}),
    ),
    Way(
        "launch",
        "those who could meet it, by the trait that holds the arm",
        (at.launch, {"trait": "variant", "reached": ("nudge",), "spared": ("control",)}),
    ),
    Way("launch", "those who took part, by the app's own event of one arm", (at.launch, {"took_part": "shown_nudge"})),
    Way(
        "launch", "who comes back of one arm, as the outcome", (at.launch, {"outcome": "min_events:back_nudge:14-20:1"})
    ),
    Way(
        "launch",
        "how often active users see one arm's event",
        (at.launch, {"curve": "per_active_user", "outcome": "back_nudge", "signup_event": ""}),
    ),
    Way(
        "event balance",
        "points for what the app logs of one arm",
        (at.event_balance, {"rules": [{"behaviour": "shown_nudge", "points": 1}]}),
    ),
    Way(
        "event balance",
        "a segment: the trait or another trait, published before the start",
        (at.event_balance, {"rules": [{"behaviour": "chat", "points": 1}], "segment": "either"}),
    ),
)

MOVED = ("invite", "share", "chat", "buy")
HONEST = (
    *(
        Way("study", f"does {name} early go with coming back", (at.study_checks, {**START, "behaviours": [name]}))
        for name in MOVED
    ),
    Way("study", "all of them", (at.study_checks, {**START, "behaviours": list(MOVED), "inert": ["chat"]})),
    Way("study", "every event of the log", (at.study_checks, {**START, "behaviours": []})),
    Way("study", "from the first invitation on", (at.study_checks, {**START, "signup_event": "invite"})),
    Way("study", "a property that both arms say", (at.study_checks, {**START, "behaviours": ["open[platform=ios]"]})),
    Way("study", "different friends invited", (at.study_checks, {**START, "behaviours": ["invite#to"]})),
    Way("study", "within one day and seven", (at.study_checks, {**START, "days": [1, 7], "behaviours": ["share"]})),
    Way("study", "stays by chats", (at.study_checks, {**START, "retention": "min_events:chat:14-20:1"})),
    *(
        Way("Explore", f"{name} by day", (at.explore, {"view": "activity", "behaviour": name, "days": 7}))
        for name in (*MOVED, "open")
    ),
    *(
        Way(
            "Explore", f"{name}, how often", (at.explore, {"view": "times", "behaviour": name, "retention": COMES_BACK})
        )
        for name in MOVED
    ),
    *(
        Way("Explore", f"retention {line}", (at.explore, {"view": "retention", "retention": line}))
        for line in (COMES_BACK, "on_day:1", "week:2", "min_days:0-6:2", "survival:7", "min_events:invite:0-6:2")
    ),
    *(
        Way("Explore", f"funnel {' → '.join(steps)}", (at.explore, {"view": "funnel", "steps": steps, "days": 14}))
        for steps in (["signup", "invite"], ["signup", "chat", "buy"], ["invite", "share"])
    ),
    Way("Explore", "weeks of users", (at.explore, {"view": "lifecycle"})),
    *(
        Way("size", line, (at.size, {"metric": line}))
        for line in (
            *(COMES_BACK, "count:invite:0-6", "sum:buy:price:0-13", "funnel:signup:invite:0-6"),
            "count:buy:0-13 / active_days:0-13",
            "sql:0-6:SELECT user_id, SUM(number('price')) AS value FROM events WHERE event = 'buy' AND "
            "property('item') = 'hat' GROUP BY user_id",
        )
    ),
    Way(
        "launch",
        "the users of one platform",
        (at.launch, {"trait": "platform", "reached": ("ios",), "spared": ("web",)}),
    ),
    Way("event balance", "points for chats", (at.event_balance, {"rules": [{"behaviour": "chat", "points": 1}]})),
    Way("launch", "who took part by inviting", (at.launch, {"took_part": "invite"})),
    *(
        Way("rule", words, (at.rule_count, {"rule": rule}))
        for words, rule in {
            "invited somebody": {"all": [{**CHATS, "behaviour": "invite"}]},
            "invited twice, or on iOS": {"any": [{**CHATS, "behaviour": "invite", "at_least": 2}, IS_IOS]},
            "not on the web": {"none": [{"trait": "platform", "is": "web"}]},
            "bought and chats": {"all": [{**CHATS, "behaviour": "buy"}, CHATS]},
            "invited of late and chatted before, active as ever": {
                "any": [
                    {"behaviour": "invite", "last": 28, "at_least": 1},
                    {"behaviour": "chat", "last": 28, "before": 28, "at_least": 1},
                    {"feature": "active_days", "last": 28, "at_least": 2},
                ]
            },
        }.items()
    ),
)


def table() -> str:
    """Both lists by door, as docs/security.md has them."""
    rows = ["| | door | asked | |", "|---|---|---|---|"]
    for what, ways, answer in (("way", WAYS, "refused"), ("question", HONEST, "answered")):
        doors: dict[str, list[str]] = {}
        for way in ways:
            doors.setdefault(way.door, []).append(way.asks.replace("|", "/"))
        rows += [f"| {what} | {door} | {'; '.join(asked)} | {len(asked)} {answer} |" for door, asked in doors.items()]
    return "\n".join(rows)
