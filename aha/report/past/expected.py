"""What an experiment with a candidate may be expected to find: the price of its promise. Pure."""

from aha.evidence.past.price import ExpectedGain
from aha.study.result import Candidate
from reporting.numbers import between, count, decimal, difference, level_text, percent, points
from reporting.table import Table
from reporting.words import gettext, reason_words
from stats.results import NotComputable, computable


def sentence(candidate: Candidate) -> str:
    """The expected causal gain in a sentence, with what it rests on."""
    found = candidate.expected
    if not computable(found):
        return reason_words(found)
    text = gettext(
        "An experiment may be expected to find {gain} points of all users' retention ({limits}, {level}): {share} of "
        "the promise of {promise} points, for the {moved} of all users whom a nudge is expected to move."
    )
    return text.format(
        gain=points(found.estimate, 2),
        limits=between(points(found.low, 2), points(found.high, 2)),
        level=level_text(found.level),
        share=percent(found.ratio.estimate, 0),
        promise=points(found.promise),
        moved=percent(found.headroom * found.take_up),
    )


def rests_on(found: ExpectedGain | NotComputable) -> str:
    """Where ratio and take-up come from."""
    if not computable(found):
        return ""
    if found.assumed:
        text = gettext(
            "The share that is left is assumed: too few experiments have tested a promise here ({n}, five are needed)."
        )
    else:
        text = gettext("The share that is left is what {n} experiments found of their promises.")
    lines = [text.format(n=count(found.experiments))]
    if not found.measured:
        lines.append(gettext("The take-up is assumed: no experiment has nudged to this behaviour yet."))
    return " ".join(lines)


def table(candidate: Candidate) -> Table | None:
    """Promise, ratio, users moved and gain; None where there is no gain."""
    found = candidate.expected
    if not computable(found):
        return None
    ratio = found.ratio
    limits = between(decimal(ratio.low), decimal(ratio.high))
    rows = (
        (gettext("promise: the last rung of the ladder, points"), points(found.promise)),
        (gettext("share of a promise that experiments find"), f"{decimal(ratio.estimate)} ({limits})"),
        (gettext("users who don't reach it by themselves"), percent(found.headroom)),
        (gettext("of these, moved by a nudge"), percent(found.take_up)),
        (gettext("expected gain, points of all users' retention"), gain_cell(found)),
    )
    title = gettext("Expected causal gain")
    note = gettext("Limits: {level}. {why}").format(level=level_text(found.level), why=rests_on(found))
    return Table(title, (gettext("quantity"), gettext("value")), rows, note)


def gain_cell(found: ExpectedGain | NotComputable) -> str:
    """The gain with its limits in points."""
    if not computable(found):
        return reason_words(found)
    return f"{points(found.estimate, 2)} ({between(points(found.low, 2), points(found.high, 2))})"


def promise_cell(candidate: Candidate) -> str:
    """Its place by what the correlation promises, with that promise."""
    place = "–" if candidate.rank_by_promise is None else str(candidate.rank_by_promise)
    return f"{place} · {difference(candidate.ladder.rungs[0].difference)}"
