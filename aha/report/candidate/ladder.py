"""What is left of a candidate's difference when more is held equal. Pure."""

from aha.evidence.aipw import Difference
from aha.evidence.ladder import RungName
from aha.report.axes import ROW
from aha.study.result import Candidate
from reporting.charts import GREY, Drawn, alt, categories, data, forest
from reporting.counted import days_words
from reporting.numbers import count, decimal, difference, percent
from reporting.table import Part, Table
from reporting.words import gettext, reason_words
from stats.results import computable


def part(candidate: Candidate, prefix: str) -> Part:
    """What is left when more is held equal?"""
    return Part(
        f"{prefix}ladder",
        gettext("What is left when more is held equal?"),
        finding(candidate),
        table(candidate),
        draw=(lambda: chart(candidate))
        if any(computable(rung.difference) for rung in candidate.ladder.rungs)
        else None,
        note=" ".join((caution(), overlap(candidate))).strip(),
    )


def finding(candidate: Candidate) -> str:
    """What is left of the raw difference: by the daily trials where they can be computed."""
    raw, headline = candidate.ladder.rungs[0].difference, candidate.ladder.headline
    if not computable(raw):
        return reason_words(raw)
    left = headline.difference
    if not computable(left):
        text = gettext("The raw difference is {raw} points; how much is left can't be said. {reason}")
        return text.format(raw=decimal(100 * raw.estimate, 1), reason=reason_words(left))
    if headline.name is RungName.DAILY:
        return _daily_words(raw, left)
    text = gettext("Of {raw} points {full} are left when all that was measured is held equal.")
    return text.format(raw=decimal(100 * raw.estimate, 1), full=decimal(100 * left.estimate, 1))


def _daily_words(raw: Difference, left: Difference) -> str:
    """The daily trials never claim to be free of confounding: they know what was measured, and nothing else."""
    text = gettext(
        "Day by day, those who reach it stay more than those who don't yet by {left} points ({low} to {high}), where "
        "{raw} were seen. That removes what was measured before the act, no more."
    )
    low, high = decimal(100 * left.low, 1), decimal(100 * left.high, 1)
    return text.format(left=decimal(100 * left.estimate, 1), low=low, high=high, raw=decimal(100 * raw.estimate, 1))


def caution() -> str:
    """Stands under every ladder."""
    return gettext(
        "Adjustment helps to rank candidates; it can't prove a cause, since what wasn't measured isn't adjusted for."
    )


def overlap(candidate: Candidate) -> str:
    """How comparable those who did it and the others are, from the rung that is read first."""
    headline = candidate.ladder.headline
    if headline.adjusted is None:
        return ""
    text = gettext(
        "Overlap of the fourth rung: {clipped} of the scores clipped, {outside} outside 5 to 95%. The weights leave "
        "{did} of the doers and {other} of the others as effective sample."
    )
    if headline.name is RungName.DAILY:
        text = gettext(
            "Overlap of the daily trials: {clipped} of the scores clipped, {outside} outside 5 to 95%. The weights "
            "leave {did} of the days on which it was reached and {other} of the others as effective sample."
        )
    found = headline.adjusted.overlap
    return text.format(
        clipped=percent(found.clipped),
        outside=percent(found.outside),
        did=percent(found.effective_with),
        other=percent(found.effective_without),
    )


def table(candidate: Candidate) -> Table:
    """The rungs."""
    rows = tuple(
        (rung_words(rung.name), difference(rung.difference), count(rung.units)) for rung in candidate.ladder.rungs
    )
    columns = (gettext("held equal"), gettext("difference in retention, points"), gettext("users"))
    left = candidate.ladder.surviving_share
    if computable(left):
        note = gettext("Share of the gap left after adjustment: {share}.").format(share=percent(left, 0))
    else:
        note = gettext("Share of the gap left after adjustment: not estimable. {reason}").format(
            reason=reason_words(left)
        )
    if candidate.ladder.days:
        text = gettext("Activity and other behaviours are held equal over {days}, the candidate's own window.")
        note += " " + text.format(days=days_words(candidate.ladder.days))
    daily = candidate.ladder.daily
    if daily is not None and daily.adjusted is not None:
        text = gettext(
            "The daily trials compare {did} days on which it was reached with {other} on which it was not yet."
        )
        did, other = count(daily.adjusted.n_with), count(daily.adjusted.n_without)
        note += " " + text.format(did=did, other=other)
    return Table(gettext("Adjustment ladder"), columns, rows, f"{note} {caution()}")


def chart(candidate: Candidate) -> Drawn:
    """The rungs with their intervals."""
    rungs = candidate.ladder.rungs
    labels = [rung_words(rung.name) for rung in rungs]
    rows = [
        {
            "label": label,
            "low": 100 * rung.difference.low,
            "high": 100 * rung.difference.high,
            "estimate": 100 * rung.difference.estimate,
        }
        for label, rung in zip(labels, rungs, strict=True)
        if computable(rung.difference)
    ]
    gone = [
        {"label": label, "text": gettext("no number: too few comparable users")}
        for label, rung in zip(labels, rungs, strict=True)
        if not computable(rung.difference)
    ]
    names = categories(labels)
    layers = forest(alt.Chart(data(rows)).encode(y=names), gettext("doers stay more by so many points"))
    if gone:
        layers.append(
            alt.Chart(data(gone))
            .mark_text(align="left", dx=8, color=GREY, fontSize=12)
            .encode(y=names, x=alt.datum(0), text="text:N")
        )
    return alt.layer(*layers).properties(width=420, height=ROW * len(labels)), 3 * len(rows) + 2


def rung_words(name: RungName) -> str:
    """What a rung of the ladder holds equal."""
    names = {
        RungName.RAW: gettext("nothing held equal"),
        RungName.STRATIFIED: gettext("equally active, same week and segment"),
        RungName.BASE: gettext("same attributes at signup"),
        RungName.FULL: gettext("and same activity and other behaviours"),
        RungName.DAILY: gettext("day by day, all that was measured before"),
    }
    return names[name]
