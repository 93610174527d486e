"""The tables of a study as words: title, columns, rows. The command prints them; every number has its interval."""

from aha import words
from aha.cells import Number
from aha.report import Report
from events.metrics import display_name
from reporting.words import Gettext, reason_words
from stats.results import computable

type Rows = tuple[str, tuple[str, ...], list[tuple[str, ...]]]

MOST_RANKED = 15


def population(report: Report, gettext: Gettext) -> Rows:
    """Signups, exclusions, eligible units and their retention; the numbers add up."""
    found = report.population
    rows = [(gettext("signups"), f"{found.signups:,}")]
    for code, n in found.excluded.items():
        rows.append((gettext("left out: {why}").format(why=words.exclusion_words(code, gettext)), f"{n:,}"))
    rows.append((gettext("eligible"), f"{found.eligible:,}"))
    rows.append((gettext("retained"), f"{found.retained:,}, {_share(found.rate, gettext)}"))
    return gettext("Users"), (gettext("who"), gettext("number")), [tuple(row) for row in rows]


def ranking(report: Report, gettext: Gettext) -> Rows:
    """What the model leans on: predictive, not causal."""
    title = gettext("What a model of retention leans on (predictive, not causal)")
    columns = (gettext("feature"), gettext("rank"), gettext("importance (log-odds)"))
    model = report.model
    if not computable(model):
        return title, columns, [(reason_words(model, gettext), "", "")]
    if not computable(model.ranking):
        return title, columns, [(reason_words(model.ranking, gettext), "", "")]
    rows: list[tuple[str, ...]] = [
        (display_name(row.name), f"{row.rank} ({row.rank_low} to {row.rank_high})", f"{row.importance:.3f}")
        for row in model.ranking[:MOST_RANKED]
    ]
    return title, columns, rows


def candidates(report: Report, gettext: Gettext) -> Rows:
    """The candidates, the best first."""
    columns = (
        gettext("candidate"),
        gettext("step"),
        gettext("reach"),
        gettext("J where it was not chosen"),
        gettext("share of picks"),
        gettext("marks"),
    )
    rows: list[tuple[str, ...]] = []
    for row in report.candidates:
        honest = f"{row.honest_j:.3f}" if isinstance(row.honest_j, float) else _share(row.honest_j, gettext)
        marks = ", ".join(words.flag_words(code, gettext) for code in row.flags)
        claim, step = words.claim_words(row, gettext), words.step_words(row.step, row.smooth_range, gettext)
        rows.append((claim, step, _share(row.cell.reach, gettext), honest, f"{row.pick_share:.0%}", marks))
    if not rows:
        nothing = (
            gettext("no behaviour is better than luck")
            if (untested := report.untested) is None
            else gettext("nothing was tested: {why}").format(why=reason_words(untested, gettext))
        )
        rows.append((nothing, "", "", "", "", ""))
    return gettext("Candidates"), columns, rows


def cells(report: Report, gettext: Gettext) -> Rows:
    """A, B, C, O of the candidates."""
    columns = (
        gettext("candidate"),
        gettext("A: stayed without"),
        gettext("B: did it and stayed"),
        gettext("C: did it and left"),
        gettext("O: neither"),
        gettext("stayed of those who did"),
        gettext("stayed of the others"),
    )
    rows: list[tuple[str, ...]] = []
    for row in report.candidates:
        cell = row.cell
        counts = (f"{n:,}" for n in (cell.a, cell.b, cell.c, cell.o))
        shares = (_share(number, gettext) for number in (cell.ppv, cell.retained_without))
        rows.append((words.claim_words(row, gettext), *counts, *shares))
    return gettext("Counts"), columns, rows


def ladder(report: Report, gettext: Gettext) -> Rows:
    """How much of each difference is left when more is held equal."""
    rungs = report.candidates[0].ladder.rungs if report.candidates else ()
    columns = (gettext("candidate"), *(words.rung_words(rung.name, gettext) for rung in rungs))
    rows: list[tuple[str, ...]] = [
        (
            words.claim_words(row, gettext),
            *(words.difference_words(rung.difference, gettext) for rung in row.ladder.rungs),
        )
        for row in report.candidates
    ]
    return gettext("Difference in retention, more and more held equal"), columns, rows


def _share(number: Number, gettext: Gettext) -> str:
    if not computable(number):
        return reason_words(number, gettext)
    return f"{number.estimate:.1%} ({number.low:.1%} to {number.high:.1%})"
