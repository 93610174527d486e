"""The badge of a moment: its verdict, or that its experiments disagree.

Where the experiments of a behaviour disagree there is no pooled effect (docs/methods/pooling.md, "Agreement of
nudges"), so the badge doesn't show the verdict of a single one.
"""

from dataclasses import dataclass

from aha.evidence.findings import Definition
from aha.evidence.store_findings import past_experiments, state_of_findings
from aha.models import AhaMoment
from aha.moments.promote import STATUS_OF_VERDICT
from reporting.numbers import count
from reporting.words import gettext
from stats.instrument.pooled import Answer
from stats.results import computable

Status = AhaMoment.Status
DECIDED = (Status.CONFIRMED, Status.REFUTED, Status.INCONCLUSIVE)


@dataclass(frozen=True)
class Badge:
    """A moment's state in words.

    Attributes:
        words: text of the badge.
        tag: CSS class of the badge.
        disagree: True where its experiments disagree.
    """

    words: str
    tag: str
    disagree: bool = False


def badge(moment: AhaMoment, state: str | None = None) -> Badge:
    """The badge of a moment; where its experiments disagree, how many of them found the effect.

    Args:
        moment: the row.
        state: `state_of_findings`, for callers that make many badges.
    """
    plain = Badge(moment.get_status_display(), f"state-{moment.status}")
    if moment.status not in DECIDED:
        return plain
    found = past_experiments(Definition(moment.behaviour, moment.times, moment.days, moment.retention), state)
    said = found.pooled
    if not computable(said) or said.answer is not Answer.NUDGES_DISAGREE:
        return plain
    like_it = {(row.origin, row.source) for row in found.used if STATUS_OF_VERDICT.get(row.verdict) == moment.status}
    texts = {
        Status.CONFIRMED.value: gettext("confirmed by {k} of {n} experiments, which disagree"),
        Status.REFUTED.value: gettext("refuted by {k} of {n} experiments, which disagree"),
    }
    text = texts.get(moment.status, "") if like_it else ""
    text = text or gettext("{n} experiments disagree")
    return Badge(text.format(k=count(len(like_it)), n=count(said.experiments)), "warn", disagree=True)


def confirmed_moments() -> int:
    """How many moments are confirmed, without those whose experiments disagree."""
    rows = AhaMoment.objects.light().filter(status=Status.CONFIRMED)
    state = state_of_findings() if rows else None
    return sum(not badge(row, state).disagree for row in rows)
