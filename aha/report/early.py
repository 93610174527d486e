"""Partial results of a running study: counts of every behaviour in naive order, and the evidence so far. Pure.

The columns are those of the finished study's tables; values that aren't known yet are left empty.
"""

from collections.abc import Callable, Mapping
from typing import Any

from aha.report.candidates_table import mark_words
from aha.report.claim import caveat, number_words
from aha.report.cohort import flow_of
from aha.report.honesty import step_words
from aha.study import preliminary
from aha.study.cells import Cell
from aha.study.preliminary import Chances, Counted, Followed, Jumps, Left, Marked, Places
from events.metrics import display_name
from reporting.document import load
from reporting.numbers import between, count, difference, p_value, percent
from reporting.table import Growing, GrowingTable
from reporting.words import gettext, reason_words
from stats.results import NotComputable, computable

NUMBERS, WIDE = frozenset({2, 3, 4, 5, 6, 7, 9, 10, 11, 14}), frozenset({1, 7, 8, 12, 13, 14})

type Documents = Mapping[str, Any]
type Text = str | None


def page(documents: Documents) -> Growing | None:
    """The page of a running study.

    Args:
        documents: the parts of `aha.study.preliminary` that exist so far, by name.

    Returns:
        The page's record; None before the first counts.

    Raises:
        pydantic.ValidationError: for parts of another version.
    """
    if preliminary.COUNTED not in documents:
        return None
    counts = load(Counted, documents[preliminary.COUNTED])
    flow = flow_of(counts.population, {}, sampled=counts.retention_sampled)
    return Growing(
        gettext("So far: counts and correlation"),
        counted_sentence(counts),
        " ".join((counted_sentence(counts), come_sentence(documents))),
        gettext("Preliminary: the order is that of the raw difference alone, and numbers may still change.")
        + " "
        + caveat(),
        (behaviours(counts, documents), GrowingTable(flow.title, flow.columns, flow.rows, flow.note, frozenset({1}))),
    )


def counted_sentence(counts: Counted) -> str:
    """Number of users that the counts are based on."""
    everybody = counts.population.eligible
    if counts.sampled:
        text = gettext("Counted on a sample: {n} of {all} users, drawn by seed {seed}. The exact counts follow.")
        return text.format(n=count(counts.users), all=count(everybody), seed=counts.seed)
    return gettext("Counted on all {all} users.").format(all=count(everybody))


def come_sentence(documents: Documents) -> str:
    """The evidence that is available so far, as a sentence."""
    names = {
        preliminary.MARKED: gettext("marks"),
        preliminary.ACTIVE: gettext("comparison with equally active users"),
        preliminary.LUCK: gettext("comparison with luck"),
        preliminary.MODEL: gettext("ranks in the model"),
        preliminary.JUMPS: gettext("jumps"),
    }
    come = [words for name, words in names.items() if name in documents]
    left = sum(name.startswith(preliminary.LEFT) for name in documents)
    if left:
        come.append(gettext("adjusted differences: {n}").format(n=left))
    if not come:
        return gettext("No evidence has come yet.")
    return gettext("Evidence that has come: {names}.").format(names=", ".join(come))


def behaviours(counts: Counted, documents: Documents) -> GrowingTable:
    """Every behaviour with A, B and C, and a column for each kind of evidence."""
    columns = (
        gettext("behaviour"),
        gettext("number considered"),
        gettext("A: stayed without"),
        gettext("B: did it and stayed"),
        gettext("C: did it and left"),
        gettext("retained if did it"),
        gettext("retained if not"),
        gettext("raw difference, points"),
        gettext("marks"),
        gettext("adjusted p: luck"),
        gettext("adjusted p: equally active users"),
        gettext("rank in the model (95% CI)"),
        gettext("does it jump?"),
        gettext("number taken"),
        gettext("left after adjustment, points"),
    )
    evidence = (_marks, _chance(preliminary.LUCK), _chance(preliminary.ACTIVE), _rank, _jump, _taken, _left)
    rows = tuple(
        (display_name(name), *_counts(cell), *(column(name, documents) for column in evidence))
        for name, cell in zip(counts.behaviours, counts.cells, strict=True)
    )
    note = gettext("The number considered is the one that the study's rule likes best among the users counted so far.")
    reasons = " ".join(_reasons(counts, documents))
    title = gettext("All behaviours, the largest raw difference first")
    return GrowingTable(title, columns, rows, f"{note} {reasons}".strip(), NUMBERS, WIDE)


def _counts(cell: Cell | NotComputable) -> tuple[str, ...]:
    if isinstance(cell, NotComputable):
        return (_none(), "", "", "", "", "", "")
    shares = (
        percent(value.estimate, 0) if computable(value) else _none() for value in (cell.ppv, cell.retained_without)
    )
    gap = difference(cell.difference) if computable(cell.difference) else _none()
    return (number_words(cell.times, cell.days), *map(count, (cell.a, cell.b, cell.c)), *shares, gap)


def _marks(name: str, documents: Documents) -> Text:
    if preliminary.MARKED not in documents:
        return None
    return mark_words(load(Marked, documents[preliminary.MARKED]).codes.get(name, ()))


def _chance(part: str) -> Callable[[str, Documents], Text]:
    def column(name: str, documents: Documents) -> Text:
        if part not in documents:
            return None
        value = load(Chances, documents[part]).p_values.get(name)
        return _none() if value is None else p_value(value)

    return column


def _rank(name: str, documents: Documents) -> Text:
    if preliminary.MODEL not in documents:
        return None
    place = load(Places, documents[preliminary.MODEL]).ranks.get(name)
    return _none() if place is None else f"{place.rank} ({between(str(place.low), str(place.high))})"


def _jump(name: str, documents: Documents) -> Text:
    if preliminary.JUMPS not in documents:
        return None
    jump = load(Jumps, documents[preliminary.JUMPS]).jumps.get(name)
    if jump is None or jump.reason is not None:
        return gettext("not tested")
    return step_words(jump.verdict, None, jump.levels_off)


def _taken(name: str, documents: Documents) -> Text:
    if preliminary.JUMPS not in documents:
        return None
    taken = load(Jumps, documents[preliminary.JUMPS]).taken.get(name)
    return _none() if taken is None or isinstance(taken, NotComputable) else number_words(taken.times, taken.days)


def _left(name: str, documents: Documents) -> Text:
    if preliminary.LEFT + name in documents:
        left = load(Left, documents[preliminary.LEFT + name]).difference
        return _none() if isinstance(left, NotComputable) else difference(left)
    if preliminary.FOLLOWED in documents and name not in load(Followed, documents[preliminary.FOLLOWED]).behaviours:
        return gettext("no candidate")
    return None


def _none() -> str:
    return gettext("n/a")


def _reasons(counts: Counted, documents: Documents) -> list[str]:
    """Why whole columns are empty; reasons of single numbers are on the finished page."""
    reasons = [reason_words(cell) for cell in counts.cells if isinstance(cell, NotComputable)]
    come: list[Chances | Places] = [
        load(Chances, documents[part]) for part in (preliminary.LUCK, preliminary.ACTIVE) if part in documents
    ]
    if preliminary.MODEL in documents:
        come.append(load(Places, documents[preliminary.MODEL]))
    reasons += [reason_words(part.missing) for part in come if part.missing is not None]
    return list(dict.fromkeys(reasons))
