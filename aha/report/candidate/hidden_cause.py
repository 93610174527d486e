"""How strong a hidden cause would have to be to explain a candidate. Pure."""

from aha.study.result import Candidate
from reporting.numbers import decimal, p_text, points
from reporting.words import gettext, reason_words
from stats.results import computable


def sentences(candidate: Candidate) -> tuple[str, ...]:
    """E-value with its benchmark, and the negative controls; one reason is said once."""
    return tuple(dict.fromkeys((benchmark(candidate), calibrated(candidate))))


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
