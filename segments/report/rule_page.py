"""Information beside a rule editor: member count, missing parts, effect of publishing. Pure."""

from collections.abc import Iterable
from typing import Any, Protocol

from reporting.numbers import between, decimal, percent
from reporting.words import gettext, say
from segments.rules import Rule, sentence
from segments.rules.editor_check import Mistake
from segments.rules.editor_rows import Path, TypedCondition, walk
from segments.rules.editor_state import TEXT, State
from segments.search.leaving import Share


class CountOfUsers(Protocol):
    """`segments.published.rule_members.Counted`."""

    @property
    def members(self) -> int:
        """Number of counted users that match the rule."""

    @property
    def units(self) -> int:
        """Number of users counted."""

    @property
    def one_in(self) -> int:
        """1 when all users are counted, else one in so many."""

    @property
    def share(self) -> Share | None:
        """The share, None without users."""


def count_shown(counted: CountOfUsers, rule: Rule) -> dict[str, Any]:
    """The count in words: users, share, the rule as a sentence."""
    context: dict[str, Any] = {"sentence": sentence(rule), "members": "", "share": ""}
    if counted.share is None:
        return context | {"members": gettext("There is no user yet to try this on.")}
    share, context["fraction"] = counted.share, f"{counted.share.estimate:.4f}"
    if counted.one_in == 1:
        text = gettext("{members} of {units} users").format(members=f"{counted.members:,}", units=f"{counted.units:,}")
        return context | {"members": text, "share": percent(share.estimate)}
    limits = between(decimal(100 * share.low, 1), decimal(100 * share.high, 1))
    text = gettext(
        "{limits} (95% CI). From a sample of {units} users (one in {every}), to be quick; publishing counts everybody."
    )
    about = gettext("About {share} of the users").format(share=percent(share.estimate))
    return context | {
        "members": about,
        "share": text.format(limits=limits, units=f"{counted.units:,}", every=counted.one_in),
    }


def mistakes_in_words(state: State, blocking: Iterable[Mistake]) -> list[str]:
    """Errors that keep the rule from being counted, each with the number of its condition."""
    if state.mode == TEXT:
        return [str(state.wrong)] if state.wrong is not None else []
    numbers: dict[Path, int] = {}
    for path, row in walk(state.rows):
        if isinstance(row, TypedCondition):
            numbers[path] = len(numbers) + 1
    return [
        str(say("Condition {number}: {what}", number=numbers[each.path], what=each.why))
        if each.path in numbers
        else str(each.why)
        for each in blocking
    ]


def what_publishing_does(key: str, known_as: tuple[str, int] | None) -> str:
    """Whether publishing under this key makes a new segment or a new version of one (its name and version number)."""
    if not key:
        return ""
    if known_as is None:
        return gettext("Publishing makes a new segment with the key {key}.").format(key=key)
    name, number = known_as
    return gettext(
        "The key {key} belongs to ‘{name}’: publishing makes its version {number}. Experiments that began with an "
        "older version stay with it."
    ).format(key=key, name=name, number=number)
