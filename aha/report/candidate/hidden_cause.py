"""How strong a hidden cause would have to be to explain a candidate. Pure."""

from collections.abc import Sequence

from aha.evidence.earlier_outcomes import EarlierOutcome, shows_confounding
from aha.study.result import Candidate
from reporting.numbers import count, decimal, difference, p_text, percent, points
from reporting.words import gettext, reason_words
from stats.results import Reason, computable


def sentences(candidate: Candidate) -> tuple[str, ...]:
    """E-value and robustness value with their benchmarks, and the negative controls; one reason is said once."""
    lines = (benchmark(candidate), robustness(candidate), calibrated(candidate), earlier(candidate))
    return tuple(line for line in dict.fromkeys(lines) if line)


def benchmark(candidate: Candidate) -> str:
    """The E-value with what a hidden cause as strong as activity could do."""
    text = hidden_cause_sentence(candidate)
    if not computable(candidate.e_value) or not computable(candidate.benchmark):
        return text
    found = candidate.benchmark
    more = gettext(
        "For the limit of the interval it would need {limit}. Activity itself: the most active third are {did} times "
        "as frequent among doers, and {retained} times as likely to stay."
    )
    return f"{text} " + more.format(
        limit=decimal(candidate.e_value.limit),
        did=decimal(found.ratio_did, 1),
        retained=decimal(found.ratio_retained, 1),
    )


def robustness(candidate: Candidate) -> str:
    """The robustness value with what activity explains; "" in reports of earlier versions."""
    found = candidate.robustness
    if not computable(found):
        return "" if found.reason is Reason.EARLIER_VERSION else reason_words(found)
    text = gettext(
        "Robustness value: a hidden cause would have to explain {value} of what is left of both behaviour and "
        "retention to bring the difference to 0, and {limit} to bring it within chance (linear model, all that was "
        "measured held equal, {units} users). Beyond all else that was measured, activity explains {did} of the one "
        "and {outcome} of the other."
    )
    said = text.format(
        value=percent(found.value),
        limit=percent(found.limit),
        units=count(found.units),
        did=percent(found.activity_did),
        outcome=percent(found.activity_outcome),
    )
    compared = (
        gettext("As much as activity explains would be enough.")
        if found.activity_would_erase
        else gettext("As much as activity explains would not be enough.")
    )
    return f"{said} {compared}"


def earlier(candidate: Candidate) -> str:
    """What the behaviour can't change: any difference there is confounding; "" where nothing was known at signup."""
    rows = candidate.earlier_outcomes
    if not any(computable(row.difference) for row in rows):
        return reason_words(rows[0].difference) if rows and not computable(rows[0].difference) else ""
    telling = shows_confounding(rows)
    if telling:
        text = gettext(
            "What was known at signup can't be changed by it, yet differs with all else held equal, in points: {list}. "
            "That is confounding, and what is left of the difference in retention may hold more of it."
        )
        return text.format(list=_listed(telling))
    text = gettext(
        "What was known at signup can't be changed by it, and does not differ with all else held equal, in points: "
        "{list}. So this shows no confounding; it knows of no other."
    )
    return text.format(list=_listed([row for row in rows if computable(row.difference)]))


def _listed(rows: Sequence[EarlierOutcome]) -> str:
    return "; ".join(f"{row.name} {difference(row.difference)}" for row in rows)


def calibrated(candidate: Candidate) -> str:
    """The candidate against the negative controls."""
    found = candidate.calibrated
    if not computable(found):
        return reason_words(found)
    text = gettext("Against the negative controls: {low} to {high} points after calibration, {p}.")
    return text.format(low=points(found.low), high=points(found.high), p=p_text(found.p_value))


def hidden_cause_sentence(candidate: Candidate) -> str:
    """The E-value with its benchmark: a bare number says nothing."""
    if not computable(candidate.e_value):
        return reason_words(candidate.e_value)
    strength = gettext(
        "A hidden cause would need a risk ratio of {e} with both behaviour and retention to explain this."
    )
    found = strength.format(e=f"{candidate.e_value.point:.2f}")
    if not computable(candidate.benchmark):
        return found
    compared = (
        gettext("One as strong as activity would erase it.")
        if candidate.benchmark.would_erase
        else gettext("One as strong as activity would not erase it.")
    )
    return f"{found} {compared}"
