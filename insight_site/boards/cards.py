"""What the cards of a board show: headlines alone, with when they were counted, and never a locked outcome."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext

from aha.models import AhaMoment
from aha.moments import reach
from aha.moments.promote import badge
from aha.report import moment_page
from aha.report import reach as report_reach
from experiments.analyse.codes import LIGHTS, Code, code_words
from experiments.models import Analysis, Experiment
from experiments.report.names import metric_words
from experiments.status.overview import Headline, headline_document
from insight_site.models import Board, BoardCard


@dataclass(frozen=True)
class Card:
    """One card.

    Attributes:
        row: its row.
        kind, title, url: of what it shows; `kind` in words.
        tag, words: class and text of its state; "" for none.
        line: what is known, in a sentence; "" for none.
        headline: figures of an experiment whose outcome may be read; else None.
        trend: weekly reach of a moment, or None.
        counted_at: when its figures were counted; None for none.
        loads: its answer is asked for when the page is there.
    """

    row: BoardCard
    kind: str
    title: str
    url: str
    tag: str = ""
    words: str = ""
    line: str = ""
    headline: Headline | None = None
    trend: Any = None
    counted_at: datetime | None = None
    loads: bool = False


def cards_of(board: Board) -> list[Card]:
    """The cards of a board, in their order."""
    rows = board.cards.select_related("view", "experiment__moment").defer("experiment__moment__evidence")
    keys = [row.moment_id for row in rows if row.moment_id]
    moments = {row.pk: row for row in AhaMoment.objects.light("study", "kept_reach").filter(pk__in=keys)}
    return [_card(row, moments) for row in rows]


def _card(row: BoardCard, moments: dict[int, AhaMoment]) -> Card:
    if row.view is not None:
        url = reverse("explore:open", args=[row.view.pk])
        return Card(row, row.view.get_view_display(), row.view.name, url, loads=True)
    if row.experiment is not None:
        return _of_experiment(row, row.experiment)
    if row.causes_of:
        return _of_map(row)
    if row.growth:
        title, url = gettext("Growth forecast"), reverse("growth:newest")
        return Card(row, gettext("All users"), title, url, loads=True)
    return _of_moment(row, moments[row.moment_id or 0])


def asked_of(row: BoardCard) -> str | None:
    """The outcome that a card's map asks for; None for that which most experiments share."""
    return None if row.causes_of == BoardCard.USUAL else row.causes_of


def _of_map(row: BoardCard) -> Card:
    """The map takes seconds where nothing is kept of it, so it comes when the page is there."""
    outcome, title, url = asked_of(row), gettext("Map of causes"), reverse("experiments:causes_map")
    if outcome is not None:
        title = gettext("Map of causes: %(outcome)s") % {"outcome": metric_words(outcome)}
        url = f"{url}?{urlencode({'outcome': outcome})}"
    return Card(row, gettext("All experiments"), title, url, loads=True)


def _of_moment(row: BoardCard, moment: AhaMoment) -> Card:
    state, kept = badge(moment), getattr(moment, "kept_reach", None)
    return Card(
        row,
        gettext("AHA moment"),
        str(moment),
        reverse("aha:moment", args=[moment.key]),
        state.tag,
        state.words,
        moment_page.finding(moment.finding),
        trend=report_reach.trend(reach.weeks_of(moment)),
        counted_at=None if kept is None else kept.counted_at,
    )


def _of_experiment(row: BoardCard, experiment: Experiment) -> Card:
    """The headline of its latest analysis; nothing of an outcome that is locked, or was only peeked at."""
    url = reverse("experiments:report", args=[experiment.key])
    card = Card(
        row, gettext("Experiment"), experiment.title, url, f"state-{experiment.status}", experiment.get_status_display()
    )
    done = Analysis.objects.filter(experiment=experiment, status=Analysis.Status.DONE).order_by("-pk")
    last = done.defer("payload", "inputs").first()
    if last is None or not last.figures or not last.verdict or last.peek:
        return Card(**{**vars(card), "line": gettext("No result to show yet.")})
    code = Code(last.verdict)
    words = code_words(code, whole_clusters=experiment.moves_whole_clusters)
    return Card(
        **{
            **vars(card),
            "tag": LIGHTS[code],
            "words": words,
            "line": "" if last.final else gettext("not final yet"),
            "headline": headline_document(last.figures, last.verdict),
            "counted_at": last.as_of or last.finished_at,
        }
    )
