"""Texts of hygiene: what each rule means, and what to do about a row."""

from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser, User
from django.utils.translation import gettext, ngettext

from events.upkeep.thing_kinds import kind_of
from experiments.models import Experiment
from insight_site.tidying.tidy_rules import TidyRule
from insight_site.tidying.untidy import Untidy
from reporting.numbers import count

SHOWN = 50  # rows of one rule on the page


@dataclass(frozen=True)
class Act:
    """Advice about a row: a link to the page where to act."""

    label: str
    url: str


@dataclass(frozen=True)
class TidyLine:
    """One row of the page, with further information."""

    row: Untidy
    kind: str
    more: str
    act: Act | None


@dataclass(frozen=True)
class TidySection:
    """One rule with its findings."""

    rule: TidyRule
    title: str
    why: str
    lines: tuple[TidyLine, ...]
    total: int


def sections(rows: list[Untidy], user: User | AnonymousUser) -> list[TidySection]:
    """The rules with findings, in their order."""
    found = []
    for rule in TidyRule:
        mine = [row for row in rows if row.rule is rule]
        if mine:
            title, why = rule_words(rule)
            lines = tuple(_line(row, user) for row in mine[:SHOWN])
            found.append(TidySection(rule, title, why, lines, len(mine)))
    return found


def rule_words(rule: TidyRule) -> tuple[str, str]:
    """A rule's name, why it matters and what to do."""
    return {
        TidyRule.PAST_END: (
            gettext("Running past its planned end"),
            gettext("The plan's last day is over. Read the result, then stop it: users still get its arms."),
        ),
        TidyRule.STILL_ASKED: (
            gettext("Over, but its flag is still asked for"),
            gettext(
                "Services ask by name, or for all flags at once as web and mobile apps do. Take the flag out of the "
                "code, then archive."
            ),
        ),
    }[rule]


def _line(row: Untidy, user: User | AnonymousUser) -> TidyLine:
    more = ""
    if row.calls is not None:
        more = ngettext("{n} call a day", "{n} calls a day", row.calls).format(n=count(row.calls))
    kind = kind_of(Experiment)
    return TidyLine(row, str(kind.name), more, _act(row, user.has_perm(kind.permission("change"))))


def _act(row: Untidy, may_change: bool) -> Act | None:
    """What this person may do about it; None without the permission."""
    if not may_change:
        return None
    if row.rule is TidyRule.PAST_END:
        return Act(gettext("Stop"), f"{row.url}do/stop/")
    return Act(gettext("Who asks"), f"{row.url}setup/")
