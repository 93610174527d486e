"""One candidate as tables of text: the same rows stand behind each chart. Pure."""

from aha.report import findings, words
from aha.report.series import cells_of, splits, week_rows
from aha.study.cell_metrics import Cell, Interval
from aha.study.exhibits import JudgedBy
from aha.study.report_columns import wilson_interval
from aha.study.result import Candidate, Judged, Report
from events.metrics import display_name
from reporting.numbers import count, decimal, difference, limits, number, percent, share
from reporting.table import Row, Table
from reporting.words import gettext, reason_words
from stats.results import NotComputable, Reason, computable


def stack(report: Report, candidate: Candidate) -> Table:
    """A, B and C for every Z within the candidate's days."""
    rows = tuple(
        (
            f"{row.times}{' ◆' if row.chosen else ''}",
            *(f"{count(n)} ({percent(row.share(n), 0)})" for n in (row.a, row.b, row.c)), count(row.union),
        )
        for row in splits(report, candidate)
    )  # fmt: skip
    columns = (
        gettext("at least … times"), gettext("A: stayed without"), gettext("B: did it and stayed"),
        gettext("C: did it and left"), gettext("A + B + C"),
    )  # fmt: skip
    title = gettext("A, B and C within {days}").format(days=words.days_words(candidate.days))
    return Table(title, columns, rows, gettext("Shares of A + B + C; B's share is J. ◆: the candidate."))


def cells(report: Report, candidate: Candidate) -> Table:
    """All cells of the behaviour."""
    rows: list[Row] = []
    for cell in cells_of(report, candidate):
        sign = " ◆" if cell.chosen else " ○" if cell.as_good else ""
        key = (str(cell.days), f"{cell.times}{sign}")
        if cell.reason is not None:
            rows.append((*key, reason_words(cell.reason), "", "", "", ""))
            continue
        shares = (cell.ppv, cell.recall, cell.reach)
        texts = ("" if value is None else percent(value) for value in shares)
        rows.append(
            (*key, "" if cell.j is None else decimal(cell.j, 3), *texts, gettext("yes") if cell.on_front else "")
        )
    columns = (
        gettext("within days"), gettext("at least … times"), "J", gettext("stay of the doers (precision)"),
        gettext("doers of those who stay (recall)"), gettext("reach"), gettext("on the front"),
    )  # fmt: skip
    note = gettext(
        "◆: the candidate. ○: as good within one standard error. The front: no other cell is better in both."
    )
    return Table(
        gettext("All cells of {behaviour}").format(behaviour=display_name(candidate.behaviour)),
        columns,
        tuple(rows),
        note,
    )


def dose(found: Judged | None) -> Table | None:
    """Retention by count with the smooth curve; None when it wasn't tested."""
    if found is None or found.dose is None:
        return None
    rows = tuple(
        (
            f"{point.count}{'+' if point.last else ''}", count(point.units),
            limits(point.share, point.low, point.high), "" if point.smooth is None else percent(point.smooth),
        )
        for point in found.dose.points
    )  # fmt: skip
    columns = (gettext("times"), gettext("users"), gettext("stayed"), gettext("expected by a smooth curve"))
    title = gettext("Retention by count within {days}").format(days=words.days_words(found.dose.days))
    return Table(title, columns, rows, gettext("On the users among whom a jump is looked for."))


def ladder(candidate: Candidate) -> Table:
    """The rungs."""
    rows = tuple(
        (words.rung_words(rung.name), difference(rung.difference), count(rung.units)) for rung in candidate.ladder.rungs
    )
    columns = (gettext("held equal"), gettext("difference in retention, points"), gettext("users"))
    left = candidate.ladder.surviving_share
    text = gettext("Surviving share, last rung over first: {share}.")
    note = text.format(share=percent(left, 0) if computable(left) else reason_words(left).rstrip("."))
    if candidate.ladder.days:
        text = gettext("Activity and other behaviours are held equal over {days}, the candidate's own window.")
        note += " " + text.format(days=words.days_words(candidate.ladder.days))
    return Table(gettext("Adjustment ladder"), columns, rows, f"{note} {findings.ladder_caution()}")


def honesty(candidate: Candidate) -> Table:
    """The cell where it was chosen, where it was not, and later."""
    found = candidate.honesty
    names = {
        "ppv": gettext("stay of the doers"), "recall": gettext("recall"), "difference": gettext("difference, points"),
        "phi": "φ", "j": "J",
    }  # fmt: skip
    rows = []
    for name, label in names.items():
        show = difference if name in ("ppv", "recall", "difference") else number
        places = [_metric(cell, name) for cell in (found.train, found.hold_out, found.later)]
        gaps = [found.optimism.get(name), found.drift.get(name)]
        rows.append(
            (
                label, *(_shown(value, name) for value in places),
                *("" if gap is None else show(gap) for gap in gaps),
            )
        )  # fmt: skip
    columns = (
        gettext("measure"), gettext("training part"), gettext("hold-out"), gettext("later cohorts"),
        gettext("optimism"), gettext("drift"),
    )  # fmt: skip
    note = judges_note(candidate)
    return Table(gettext("Does it hold elsewhere?"), columns, tuple(rows), note)


def judges_note(candidate: Candidate) -> str:
    """Which users chose the number and which judge it."""
    match candidate.judged_by:
        case JudgedBy.HOLD_OUT:
            return gettext(
                "The rule chose on the training part, the hold-out judges. Optimism: training part minus hold-out. "
                "Drift: hold-out minus later cohorts. Both 0 when the claim holds."
            )
        case JudgedBy.TRAIN:
            return gettext(
                "The jump was found on the hold-out, the training part judges. Optimism: hold-out minus training part. "
                "Drift: training part minus later cohorts. Both 0 when the claim holds."
            )
        case JudgedBy.BOOTSTRAP:
            return gettext("Too few users to set some aside: all chose, and the optimism is bootstrapped.")
    return reason_words(NotComputable(Reason.NOBODY_JUDGES))


def _metric(cell: Cell | NotComputable, name: str) -> Interval | NotComputable:
    if isinstance(cell, NotComputable):
        return cell
    found: Interval | NotComputable = getattr(cell, name)
    return found


def _shown(value: Interval | NotComputable, name: str) -> str:
    if name == "difference":
        return difference(value)
    return share(value) if name in ("ppv", "recall") else number(value)


def by_week(candidate: Candidate) -> Table:
    """Reach and retention of both sides by signup week."""
    rows = tuple(
        (
            row.week, count(row.units), share(row.reach),
            *("" if side is None else share(side) for side in (row.doers, row.others)),
        )
        for row in week_rows(candidate.by_week)
    )  # fmt: skip
    columns = (
        gettext("week of signup (Monday)"), gettext("users"), gettext("reach"), gettext("stay of the doers"),
        gettext("stay of the others"),
    )  # fmt: skip
    return Table(gettext("By signup week"), columns, rows)


def by_segment(candidate: Candidate) -> Table:
    """The same cell inside each segment."""
    rows = tuple(
        (
            row.segment, count(row.cell.a + row.cell.b + row.cell.c + row.cell.o), share(row.cell.reach),
            share(row.cell.ppv), share(row.cell.retained_without),
            difference(row.cell.difference),
        )
        for row in candidate.by_segment
    )  # fmt: skip
    columns = (
        gettext("segment"), gettext("users"), gettext("reach"), gettext("stay of the doers"),
        gettext("stay of the others"), gettext("difference, points"),
    )  # fmt: skip
    return Table(gettext("By segment"), columns, rows)


def promise(candidate: Candidate) -> Table:
    """The promises side by side."""
    found = candidate.promise
    rows = (
        (gettext("raw difference taken for an effect"), difference(found.naive)),
        (gettext("all that was measured held equal"), difference(found.adjusted)),
        (gettext("measured by an experiment"), difference(found.causal)),
    )
    columns = (gettext("read as"), gettext("change of all users' retention, points"))
    title = gettext("If {moved} more of all users reached it").format(moved=percent(found.moved, 0))
    note = gettext("{share} of the users don't reach it yet.").format(share=percent(found.headroom))
    return Table(title, columns, rows, note)


def counts(candidate: Candidate) -> Table:
    """The four counts of the candidate and what they say, with intervals."""
    cell = candidate.cell
    return four_counts(cell.a, cell.b, cell.c, cell.o)


def four_counts(a: int, b: int, c: int, o: int) -> Table:
    """A, B, C, O as counts, as shares of A + B + C and of all users."""
    union, everybody = a + b + c, a + b + c + o
    names = (
        gettext("A: stayed without"), gettext("B: did it and stayed"), gettext("C: did it and left"),
        gettext("O: neither"),
    )  # fmt: skip
    rows = [
        (name, count(n), "" if name is names[3] else _of(n, union), _of(n, everybody))
        for name, n in zip(names, (a, b, c, o), strict=True)
    ]
    rows += [
        (gettext("B of B + C: stay of the doers"), count(b + c), _of(b, b + c), ""),
        (gettext("A of A + O: stay of the others"), count(a + o), _of(a, a + o), ""),
        (gettext("B of A + B: doers of those who stay"), count(a + b), _of(b, a + b), ""),
    ]
    columns = (gettext("who"), gettext("users"), gettext("share (95 % CI)"), gettext("of all users"))
    note = gettext("A, B and C as shares of A + B + C; B's share is J. Intervals are of this one cell.")
    return Table(gettext("The four counts"), columns, tuple(rows), note)


def _of(part: int, whole: int) -> str:
    if not whole:
        return ""
    found = wilson_interval(part, whole)
    return limits(found.estimate, found.low, found.high)
