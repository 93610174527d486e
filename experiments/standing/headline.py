"""Main figures of an experiment for lists, home, admin and its page: levels by arm and both effects.

Shares are levels of the first outcome among all exposed users whose outcome is known.
"""

from dataclasses import dataclass
from typing import Any

from experiments.analyse.codes import NOT_THE_BEHAVIOUR, Code
from experiments.report.names import metric_words
from reporting.numbers import effect_limits, effect_text, percent, significant
from reporting.words import gettext


@dataclass(frozen=True)
class Level:
    """The outcome in one arm: its name, formatted share or mean ("" without one), and users."""

    arm: str
    text: str
    n: int


@dataclass(frozen=True)
class Effect:
    """A formatted effect with its limits ("" for an unbounded side)."""

    text: str
    limits: str


@dataclass(frozen=True)
class Headline:
    """Results of the last analysis on the first outcome.

    Attributes:
        label: outcome and population of the pair.
        levels: by arm, control first, then the leading variant.
        pair: of these, control and the leading variant.
        nudge: effect on everyone, minus control.
        behaviour: effect on compliers; None in a plain A/B test, and where the ratio isn't the behaviour's effect.
        moved: share of users that the nudge moved; "" in a plain A/B test.
        did: shares that did it in control and with the nudge; "" in a plain A/B test.
        did_more: their difference, in points.
    """

    label: str
    levels: tuple[Level, ...]
    pair: tuple[Level, ...]
    nudge: Effect | None
    behaviour: Effect | None
    moved: str
    did: str
    did_more: str

    @property
    def said(self) -> str:
        """The pair and its difference on one line."""
        shares = " → ".join(f"{one.arm} {one.text}" for one in self.pair if one.text)
        if self.nudge is None:
            return shares
        return f"{shares} ({self.nudge.text})"

    @property
    def estimate(self) -> str:
        """The effect that the verdict is about, with its limits."""
        found = self.behaviour or self.nudge
        if found is None:
            return ""
        return f"{found.text} ({found.limits})" if found.limits else found.text


def headline(figures: dict[str, Any] | None, verdict: str) -> Headline | None:
    """The figures of an analysis, formatted; None while its outcome is locked.

    Args:
        figures: the column of `experiments.models.Analysis`.
        verdict: its code; where the data are broken, or the ratio isn't the behaviour's effect, no such effect is
            shown.
    """
    if not figures or verdict == Code.INVALID:
        return None
    share = bool(figures["share"])
    first = (figures["control"], figures["variant"])  # PostgreSQL doesn't preserve the order of a document's keys
    arms = [*first, *sorted(set(figures["levels"]) - set(first))]
    rows = [(arm, figures["levels"][arm]) for arm in arms if arm in figures["levels"]]
    levels = tuple(Level(arm, _level(row["mean"], share=share), int(row["n"])) for arm, row in rows)
    took = figures["take_up"]
    told = verdict not in NOT_THE_BEHAVIOUR
    return Headline(
        label=gettext("{outcome}, exposed users whose outcome is known").format(
            outcome=metric_words(figures["outcome"])
        ),
        levels=levels,
        pair=tuple(one for one in levels if one.arm in (figures["control"], figures["variant"])),
        nudge=_effect(figures["nudge"], share=share),
        behaviour=_effect(figures["behaviour"], share=share) if told else None,
        moved="" if took is None else percent(took["difference"]),
        did="" if took is None else f"{percent(took['control'])} → {percent(took['variant'])}",
        did_more="" if took is None else effect_text(took["difference"], share=True, plus=True),
    )


def _level(mean: float | None, *, share: bool) -> str:
    if mean is None:
        return ""
    return percent(mean) if share else significant(mean)


def _effect(found: dict[str, Any] | None, *, share: bool) -> Effect | None:
    if found is None:
        return None
    low, high = found["low"], found["high"]
    limits = "" if low is None or high is None else effect_limits(low, high, share)
    return Effect(effect_text(found["estimate"], share=share, plus=True), limits)
