"""Whether a candidate holds on users who did not choose its number. Pure."""

from aha.study.cell_metrics import Cell, Interval
from aha.study.drawn_results import JudgedBy
from aha.study.result import Candidate
from reporting.numbers import decimal, difference, number, share
from reporting.table import Part, Table
from reporting.words import gettext, reason_words
from stats.results import NotComputable, Reason, computable


def part(candidate: Candidate, prefix: str) -> Part:
    """Does it hold elsewhere?"""
    heading = gettext("Does it hold elsewhere?")
    return Part(f"{prefix}honesty", heading, finding(candidate), table(candidate))


def finding(candidate: Candidate) -> str:
    """Whether the number holds on users who did not choose it."""
    cell = candidate.honest
    if not computable(cell):
        if candidate.judged_by is not JudgedBy.BOOTSTRAP:
            return reason_words(cell)
        text = gettext("Corrected for having been chosen, J is {j}.")
        return text.format(j=decimal(candidate.honesty.corrected["j"], 3))
    gap = candidate.honesty.optimism.get("difference")
    text = gettext("On users who had no part in the choice doers stay {difference} points more; optimism {optimism}.")
    return text.format(
        difference=difference(cell.difference), optimism=gettext("unknown") if gap is None else difference(gap)
    )


def table(candidate: Candidate) -> Table:
    """The cell where it was chosen, where it was not, and later."""
    found = candidate.honesty
    names = {
        "ppv": gettext("retained if did it"),
        "recall": gettext("recall"),
        "difference": gettext("difference, points"),
        "phi": "φ",
        "j": "J",
    }
    rows = []
    for name, label in names.items():
        show = difference if name in ("ppv", "recall", "difference") else number
        places = [_metric(cell, name) for cell in (found.train, found.hold_out, found.later)]
        gaps = [found.optimism.get(name), found.drift.get(name)]
        rows.append(
            (label, *(_shown(value, name) for value in places), *("" if gap is None else show(gap) for gap in gaps))
        )
    columns = (
        gettext("measure"),
        gettext("training part"),
        gettext("hold-out"),
        gettext("later cohorts"),
        gettext("optimism"),
        gettext("drift"),
    )
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
