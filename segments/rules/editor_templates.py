"""Templates of a rule form: account age by change of activity, and newcomers; one fills the rows. Pure."""

from dataclasses import dataclass
from typing import Any

from reporting.words import gettext
from segments.rules.editor_rows import TypedGroup, rows_of
from segments.rules.records import parse_rule


@dataclass(frozen=True)
class RuleTemplate:
    """A rule to start from: its key in the form, its name, whom it takes in words, and its document."""

    key: str
    title: str
    about: str
    document: dict[str, Any]


# Days since the first activity, from and to. A young account's days are few enough to lie wholly in its life.
OLD, YOUNG = (90, None), (28, 89)
MANY_DAYS, FEW_DAYS = 28, 14
# Active days that are many and few, of so many.
USUAL = {MANY_DAYS: (8, 3), FEW_DAYS: (6, 2)}


def rule_templates() -> tuple[RuleTemplate, ...]:
    """All templates, in the order of the page and in the reader's language."""
    newcomers = {"all": [{"feature": "tenure", "at_most": 7}, {"feature": "sessions", "at_most": 1}]}
    old = {"tenure": OLD[0], **_numbers(MANY_DAYS)}
    young = {"low": YOUNG[0], "high": YOUNG[1], **_numbers(FEW_DAYS)}
    old_fell = gettext(
        "Here for {tenure} days or more; active on {many} days or more of the {days} before, and on {few} or fewer of "
        "the last {days}."
    )
    old_grew = gettext(
        "Here for {tenure} days or more; active on {few} days or fewer of the {days} before, and on {many} or more of "
        "the last {days}."
    )
    young_fell = gettext(
        "Here for {low} to {high} days; active on {many} days or more of the {days} before, and on {few} or fewer of "
        "the last {days}."
    )
    young_grew = gettext(
        "Here for {low} to {high} days; active on {few} days or fewer of the {days} before, and on {many} or more of "
        "the last {days}."
    )
    return (
        RuleTemplate(
            "new",
            gettext("New users who did nothing yet"),
            gettext("Here for at most 7 days, with one session."),
            newcomers,
        ),
        RuleTemplate(
            "old-fell",
            gettext("Old account whose activity fell"),
            old_fell.format(**old),
            _change(OLD, MANY_DAYS, fell=True),
        ),
        RuleTemplate(
            "old-grew",
            gettext("Old account whose activity grew"),
            old_grew.format(**old),
            _change(OLD, MANY_DAYS, fell=False),
        ),
        RuleTemplate(
            "young-fell",
            gettext("Young account whose activity fell"),
            young_fell.format(**young),
            _change(YOUNG, FEW_DAYS, fell=True),
        ),
        RuleTemplate(
            "young-grew",
            gettext("Young account whose activity grew"),
            young_grew.format(**young),
            _change(YOUNG, FEW_DAYS, fell=False),
        ),
    )


def template_rows(key: str) -> TypedGroup | None:
    """The rows of a template; None for an unknown key."""
    return next((rows_of(parse_rule(each.document)) for each in rule_templates() if each.key == key), None)


def _numbers(days: int) -> dict[str, int]:
    many, few = USUAL[days]
    return {"days": days, "many": many, "few": few}


def _change(age: tuple[int, int | None], days: int, *, fell: bool) -> dict[str, Any]:
    many, few = USUAL[days]
    at_least, at_most = {"at_least": many}, {"at_most": few}
    earliest, latest = age
    active = {"feature": "active_days", "last": days}
    return {
        "all": [
            {"feature": "tenure", "at_least": earliest},
            *([] if latest is None else [{"feature": "tenure", "at_most": latest}]),
            {**active, "before": days, **(at_least if fell else at_most)},
            {**active, **(at_most if fell else at_least)},
        ]
    }
