"""Retention over time in sentences: the findings that head its charts. Pure."""

from collections.abc import Mapping, Sequence

from reporting.numbers import GLUE, between, count, decimal, effect_text, p_text, percent, signed
from reporting.words import gettext, reason_words
from stats.novelty import Change, Novelty, Trend
from stats.results import Estimate, NotComputable
from stats.survival.day_curve import CurveDifference, DayShare


def stay_finding(differences: Mapping[str, Estimate | NotComputable], tau: float) -> str:
    """How much longer each variant stays than control (RMST), a line per variant.

    Args:
        differences: variant to difference in days, positive when it stays longer.
        tau: horizon in days.
    """
    sentences = []
    for variant, found in differences.items():
        if isinstance(found, NotComputable):
            sentences.append(f"{variant}: {reason_words(found)}")
            continue
        if found.low > 0:
            text = gettext("{variant}: stays {days} days longer than control, of the first {tau} ({limits}).")
        elif found.high < 0:
            text = gettext("{variant}: leaves {days} days earlier than control, of the first {tau} ({limits}).")
        else:
            text = gettext("{variant}: no longer or shorter stay than control was shown in {tau} days ({limits}).")
        limits = between(signed(found.low), signed(found.high))
        sentences.append(text.format(variant=variant, days=decimal(abs(found.estimate)), tau=f"{tau:g}", limits=limits))
    return "\n".join(sentences)


def curve_finding(curves: Mapping[str, Sequence[DayShare]]) -> str:
    """The shares active on the last day that all arms have; empty without such a day."""
    by_day = [{row.day: row for row in rows} for rows in curves.values()]
    common = set.intersection(*(set(rows) for rows in by_day)) if by_day else set()
    if not common:
        return ""
    last = max(common)
    shares = ", ".join(
        f"{name}{GLUE}{percent(rows[last].share.estimate)}" for name, rows in zip(curves, by_day, strict=True)
    )
    return gettext("Active on day {day}: {shares}.").format(day=last, shares=shares)


def difference_finding(found: Mapping[str, CurveDifference]) -> str:
    """On which days each variant differs from control, all days considered together: a line per statement."""
    sentences = []
    for variant, curve in found.items():
        for days, text in (
            (curve.higher, gettext("{variant}: higher than control on day {days}, all days considered together.")),
            (curve.lower, gettext("{variant}: lower than control on day {days}, all days considered together.")),
        ):
            if days:
                sentences.append(text.format(variant=variant, days=day_ranges(days)))
        if not curve.higher and not curve.lower:
            text = gettext("{variant}: no day differs from control when all days are considered together.")
            sentences.append(text.format(variant=variant))
    return "\n".join(sentences)


def novelty_finding(found: Mapping[str, Novelty], *, share: bool) -> str:
    """Whether each variant's effect fades or grows over enrolment weeks, a line per variant."""
    sentences = []
    for variant, novelty in found.items():
        trend = novelty.trend
        if isinstance(trend, NotComputable):
            sentences.append(f"{variant}: {reason_words(trend)}")
            continue
        text = _change_sentence(trend)
        first, last = (effect_text(end.estimate, share=share, plus=True) for end in (trend.first, trend.last))
        sentences.append(text.format(variant=variant, first=first, last=last, p=p_text(trend.slope.p_value)))
    return "\n".join(sentences)


def _change_sentence(trend: Trend) -> str:
    return {
        Change.FADES: gettext("{variant}: the effect fades with later enrolment, from {first} to {last} ({p})."),
        Change.GROWS: gettext("{variant}: the effect grows with later enrolment, from {first} to {last} ({p})."),
        Change.TURNS: gettext("{variant}: the effect turns with later enrolment, from {first} to {last} ({p})."),
        Change.NONE_DETECTED: gettext(
            "{variant}: no steady change of the effect over enrolment weeks can be detected ({p})."
        ),
    }[trend.change]


def sizes(named: Mapping[str, int]) -> str:
    """Group sizes for a subtitle: ``n: control 1,000 · nudge 990``."""
    return "n: " + " · ".join(f"{name}{GLUE}{count(n)}" for name, n in named.items())


def day_ranges(days: Sequence[int]) -> str:
    """Rising days as ranges: 1, 2, 3, 7 is ``1–3, 7``."""
    runs: list[list[int]] = []
    for day in days:
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
