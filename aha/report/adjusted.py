"""A candidate's adjusted differences, sensitivity to unmeasured confounding, and expected value. Pure."""

from collections.abc import Sequence

from aha.evidence.aipw import Difference
from aha.evidence.ladder import RungName
from aha.evidence.sensitivity import EarlierOutcome, shows_confounding
from aha.report.axes import ROW
from aha.study.result import Candidate
from reporting.charts import GREY, Drawn, alt, categories, data, forest
from reporting.numbers import count, decimal, difference, p_text, percent, points
from reporting.table import Part, Table
from reporting.words import days_words, gettext, reason_words
from stats.results import Reason, computable

# The adjustment ladder of a candidate. Pure.


def part(candidate: Candidate, prefix: str) -> Part:
    """Section of the adjustment ladder."""
    return Part(
        f"{prefix}ladder",
        gettext("What is left after more adjustment?"),
        ladder_finding(candidate),
        ladder_table(candidate),
        draw=(lambda: chart(candidate))
        if any(computable(rung.difference) for rung in candidate.ladder.rungs)
        else None,
        note=" ".join((caution(), overlap(candidate))).strip(),
    )


def ladder_finding(candidate: Candidate) -> str:
    """The adjusted difference beside the raw one: by the daily trials where computable."""
    raw, headline = candidate.ladder.rungs[0].difference, candidate.ladder.headline
    if not computable(raw):
        return reason_words(raw)
    left = headline.difference
    if not computable(left):
        text = gettext("The raw difference is {raw} points; how much is left can't be said. {reason}")
        return text.format(raw=decimal(100 * raw.estimate, 1), reason=reason_words(left))
    if headline.name is RungName.DAILY:
        return _daily_words(raw, left)
    text = gettext("Of {raw} points {full} are left after adjusting for everything measured.")
    return text.format(raw=decimal(100 * raw.estimate, 1), full=decimal(100 * left.estimate, 1))


def _daily_words(raw: Difference, left: Difference) -> str:
    """Sentence of the daily trials; since they adjust only for measured covariates, it never denies confounding."""
    text = gettext(
        "Day by day, users who come to the number stay more than those who don't yet, by {left} points ({low} to "
        "{high}), where {raw} were seen. That adjusts for what was measured before that day, no more."
    )
    low, high = decimal(100 * left.low, 1), decimal(100 * left.high, 1)
    return text.format(left=decimal(100 * left.estimate, 1), low=low, high=high, raw=decimal(100 * raw.estimate, 1))


def caution() -> str:
    """The caution below every ladder."""
    return gettext(
        "Adjustment helps to rank candidates; it can't prove a cause, since what wasn't measured isn't adjusted for."
    )


def overlap(candidate: Candidate) -> str:
    """How comparable doers and others are, from the overlap of the headline rung."""
    headline = candidate.ladder.headline
    if headline.adjusted is None:
        return ""
    text = gettext(
        "Overlap of the fourth rung: {clipped} of the scores clipped, {outside} outside 5 to 95%. The weights leave "
        "{did} of the doers and {other} of the others as effective sample."
    )
    if headline.name is RungName.DAILY:
        text = gettext(
            "Quality of the daily comparison: {clipped} of the scores clipped, {outside} outside 5 to 95%. After "
            "weighting, {did} of the days with the behaviour and {other} of the others count."
        )
    shares = headline.adjusted.overlap
    return text.format(
        clipped=percent(shares.clipped),
        outside=percent(shares.outside),
        did=percent(shares.effective_with),
        other=percent(shares.effective_without),
    )


def ladder_table(candidate: Candidate) -> Table:
    """The rungs."""
    rows = tuple(
        (rung_words(rung.name), difference(rung.difference), count(rung.units)) for rung in candidate.ladder.rungs
    )
    columns = (gettext("adjusted for"), gettext("difference in retention, points"), gettext("users"))
    left = candidate.ladder.surviving_share
    if computable(left):
        note = gettext("Share of the gap left after adjustment: {share}.").format(share=percent(left, 0))
    else:
        note = gettext("Share of the gap left after adjustment: not estimable. {reason}").format(
            reason=reason_words(left)
        )
    if candidate.ladder.days:
        text = gettext("Activity and other behaviours are adjusted for over {days}, the candidate's own window.")
        note += " " + text.format(days=days_words(candidate.ladder.days))
    daily = candidate.ladder.daily
    if daily is not None and daily.adjusted is not None:
        text = gettext(
            "The daily comparison sets {did} days on which users came to the number against {other} on which they "
            "hadn't yet."
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
    names = categories(labels, wrap=38)
    layers = forest(alt.Chart(data(rows)).encode(y=names), gettext("doers stay more by so many points"))
    if gone:
        layers.append(
            alt.Chart(data(gone))
            .mark_text(align="left", dx=8, color=GREY, fontSize=12)
            .encode(y=names, x=alt.datum(0), text="text:N")
        )
    return alt.layer(*layers).properties(width=420, height=ROW * len(labels)), 3 * len(rows) + 2


def rung_words(name: RungName) -> str:
    """What a rung of the ladder adjusts for."""
    names = {
        RungName.RAW: gettext("nothing adjusted for"),
        RungName.STRATIFIED: gettext("equally active, same week and segment"),
        RungName.BASE: gettext("same attributes at signup"),
        RungName.FULL: gettext("and same activity and other behaviours"),
        RungName.DAILY: gettext("day by day, all that was measured before"),
    }
    return names[name]


# How strong a hidden cause would have to be to explain a candidate. Pure.


def sentences(candidate: Candidate) -> tuple[str, ...]:
    """E-value and robustness value with their benchmarks, and the negative controls; a shared reason appears once."""
    lines = (benchmark(candidate), robustness(candidate), calibrated(candidate), earlier(candidate))
    return tuple(line for line in dict.fromkeys(lines) if line)


def benchmark(candidate: Candidate) -> str:
    """The E-value, compared with a hidden cause as strong as activity."""
    text = hidden_cause_sentence(candidate)
    if not computable(candidate.e_value) or not computable(candidate.benchmark):
        return text
    activity = candidate.benchmark
    more = gettext(
        "For the limit of the interval it would need {limit}. Activity itself: the most active third are {did} times "
        "as frequent among doers, and {retained} times as likely to stay."
    )
    return f"{text} " + more.format(
        limit=decimal(candidate.e_value.limit),
        did=decimal(activity.ratio_did, 1),
        retained=decimal(activity.ratio_retained, 1),
    )


def robustness(candidate: Candidate) -> str:
    """The robustness value with what activity explains; "" in reports of earlier versions."""
    result = candidate.robustness
    if not computable(result):
        return "" if result.reason is Reason.EARLIER_VERSION else reason_words(result)
    text = gettext(
        "Robustness value: a hidden cause would have to explain {value} of what is left of both behaviour and "
        "retention to bring the difference to 0, and {limit} to bring it within chance (linear model, adjusted for "
        "everything measured, {units} users). Beyond all else that was measured, activity explains {did} of the one "
        "and {outcome} of the other."
    )
    sentence = text.format(
        value=percent(result.value),
        limit=percent(result.limit),
        units=count(result.units),
        did=percent(result.activity_did),
        outcome=percent(result.activity_outcome),
    )
    compared = (
        gettext("As much as activity explains would be enough.")
        if result.activity_would_erase
        else gettext("As much as activity explains would not be enough.")
    )
    return f"{sentence} {compared}"


def earlier(candidate: Candidate) -> str:
    """Negative-control outcomes, where any difference is confounding; "" where nothing was known at signup."""
    rows = candidate.earlier_outcomes
    if not any(computable(row.difference) for row in rows):
        return reason_words(rows[0].difference) if rows and not computable(rows[0].difference) else ""
    telling = shows_confounding(rows)
    if telling:
        text = gettext(
            "The behaviour can't change what was known at signup, yet after adjusting for all else this differs, in "
            "points: {list}. That is confounding, and what is left of the difference in retention may hold more of "
            "it."
        )
        return text.format(list=_listed(telling))
    text = gettext(
        "The behaviour can't change what was known at signup, and after adjusting for all else this does not differ, "
        "in points: {list}. So this shows no confounding; it knows of no other."
    )
    return text.format(list=_listed([row for row in rows if computable(row.difference)]))


def _listed(rows: Sequence[EarlierOutcome]) -> str:
    return "; ".join(f"{row.name} {difference(row.difference)}" for row in rows)


def calibrated(candidate: Candidate) -> str:
    """The candidate against the negative controls."""
    interval = candidate.calibrated
    if not computable(interval):
        return reason_words(interval)
    text = gettext("Against the negative controls: {low} to {high} points after calibration, {p}.")
    return text.format(low=points(interval.low), high=points(interval.high), p=p_text(interval.p_value))


def hidden_cause_sentence(candidate: Candidate) -> str:
    """The E-value with its benchmark: the number alone can't be interpreted."""
    if not computable(candidate.e_value):
        return reason_words(candidate.e_value)
    strength = gettext(
        "A hidden cause would need a risk ratio of {e} with both behaviour and retention to explain this."
    )
    sentence = strength.format(e=f"{candidate.e_value.point:.2f}")
    if not computable(candidate.benchmark):
        return sentence
    compared = (
        gettext("One as strong as activity would erase it.")
        if candidate.benchmark.would_erase
        else gettext("One as strong as activity would not erase it.")
    )
    return f"{sentence} {compared}"


# What moving more users across a candidate's number would be worth. Pure.


def promise_finding(candidate: Candidate) -> str:
    """What moving more users across would be worth, by the raw and by the adjusted difference."""
    promise = candidate.promise
    if not computable(promise.naive):
        return reason_words(promise.naive)
    text = gettext(
        "If {moved} more of all users did it, retention would rise by {naive} points were the raw difference an "
        "effect, and by {adjusted} after adjusting for everything measured. Neither is a forecast before an "
        "experiment."
    )
    adjusted = gettext("an unknown number") if not computable(promise.adjusted) else points(promise.adjusted.estimate)
    return text.format(moved=percent(promise.moved, 0), naive=points(promise.naive.estimate), adjusted=adjusted)


def promise_table(candidate: Candidate) -> Table:
    """Expected values by raw difference, adjusted difference and experiment."""
    promise = candidate.promise
    rows = (
        (gettext("raw difference taken for an effect"), difference(promise.naive)),
        (gettext("adjusted for everything measured"), difference(promise.adjusted)),
        (gettext("measured by an experiment"), difference(promise.causal)),
    )
    columns = (gettext("read as"), gettext("change of all users' retention, points"))
    title = gettext("If {moved} more of all users did it").format(moved=percent(promise.moved, 0))
    note = gettext("{share} of the users don't do it yet.").format(share=percent(promise.headroom))
    return Table(title, columns, rows, note)
