"""The words of hygiene: what each rule means, and what to do about a row."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.urls import reverse
from django.utils.translation import gettext, ngettext

from events.upkeep.thing_kinds import find_kind
from insight_site.tidying.tidy_rules import TidyRule
from insight_site.tidying.untidy import Untidy
from reporting.numbers import count

SHOWN = 50  # rows of one rule on the page


@dataclass(frozen=True)
class Act:
    """What to do about a row: a link, or a button that does it at once."""

    label: str
    url: str
    post: bool = False


@dataclass(frozen=True)
class TidyLine:
    """One row of the page, and what else is known of it."""

    row: Untidy
    kind: str
    more: str
    act: Act | None


@dataclass(frozen=True)
class TidySection:
    """One rule with what it found."""

    rule: TidyRule
    title: str
    why: str
    lines: tuple[TidyLine, ...]
    total: int


def sections(rows: list[Untidy], user: User | AnonymousUser) -> list[TidySection]:
    """The rules that found something, in their order."""
    found = []
    for rule in TidyRule:
        mine = [row for row in rows if row.rule is rule]
        if mine:
            title, why = rule_words(rule)
            lines = tuple(_line(row, user) for row in mine[:SHOWN])
            found.append(TidySection(rule, title, why, lines, len(mine)))
    return found


def rule_words(rule: TidyRule) -> tuple[str, str]:
    """Name of a rule, and why it matters and what to do."""
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
        TidyRule.NO_EXPOSURES: (
            gettext("Running, but nobody new for 3 days"),
            gettext("The nudge may not be shown any more. Look at the set-up, or close enrolment if that is meant."),
        ),
        TidyRule.OWNER_GONE: (
            gettext("Its owner's account is deactivated"),
            gettext("Nobody looks after it. Open it and give it another owner."),
        ),
        TidyRule.DRIFTED: (
            gettext("Segment has drifted"),
            gettext("Its users are no longer those it was published with. Look for groups again and publish."),
        ),
        TidyRule.STUDY_FAILED: (
            gettext("Study failed"),
            gettext("It has no result. Read why, run it again with other fields, or archive it."),
        ),
        TidyRule.UNTOUCHED_DRAFT: (
            gettext("Draft that nobody has changed for 60 days"),
            gettext("Start it or archive it."),
        ),
        TidyRule.NEVER_TESTED: (
            gettext("Moment that was never tested"),
            gettext("It is a month old, and no experiment has said whether it causes staying. Test it or archive it."),
        ),
        TidyRule.UNUSED_SEGMENT: (
            gettext("Segment that nothing uses"),
            gettext("No experiment and no study names it, a month after it was made. Archive it: you can restore it."),
        ),
        TidyRule.DUPLICATE_STUDY: (
            gettext("Study that was asked twice"),
            gettext("A newer one has the same question about nearly the same data. Archive the older one."),
        ),
        TidyRule.UNUSED_KEY: (
            gettext("Key that nobody has used for 90 days"),
            gettext("A key that works and isn't needed is a risk. Revoke it."),
        ),
    }[rule]


def _line(row: Untidy, user: User | AnonymousUser) -> TidyLine:
    kind = find_kind(row.kind)
    more = ""
    if row.calls is not None:
        more = ngettext("{n} call a day", "{n} calls a day", row.calls).format(n=count(row.calls))
    return TidyLine(row, gettext("API key") if kind is None else str(kind.name), more, _act(row, user))


def _act(row: Untidy, user: User | AnonymousUser) -> Act | None:
    """What this person may do at once; None where the thing's own page is the place."""
    kind = find_kind(row.kind)
    if kind is None:
        return Act(gettext("Open the key"), row.url)
    if not user.has_perm(kind.permission("change")):
        return None
    acts: dict[TidyRule, Any] = {
        TidyRule.PAST_END: lambda: Act(gettext("Stop"), f"{row.url}do/stop/"),
        TidyRule.UNTOUCHED_DRAFT: lambda: Act(gettext("Archive"), f"{row.url}do/archive/"),
        TidyRule.NO_EXPOSURES: lambda: Act(gettext("Look at the set-up"), f"{row.url}setup/"),
        TidyRule.STILL_ASKED: lambda: Act(gettext("Who asks"), f"{row.url}setup/"),
        TidyRule.OWNER_GONE: lambda: Act(gettext("Change the owner"), f"{row.url}#upkeep"),
        TidyRule.DRIFTED: lambda: Act(gettext("Look at the drift"), row.url),
    }
    made = acts.get(row.rule)
    if made is not None:
        found: Act = made()
        return found
    return Act(gettext("Archive"), reverse("upkeep:archive", args=[row.kind, row.pk]), post=True)
