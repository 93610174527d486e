"""Overlap of experiments: shared units, interactions, and the difference of two effects on one outcome. Pure."""

from collections.abc import Sequence
from typing import Any

from experiments.analyse.across.overlap_pairs import Counts, Member, OutcomeTest, Overlap, SharingPair, is_found
from experiments.analyse.codes import Code
from experiments.analyse.corrected import best_difference
from experiments.analyse.effects import leading
from experiments.analyse.health.sample_ratio import SAMPLE_RATIO_ALARM
from experiments.analyse.result import AnalysisResult, Opened
from experiments.plan.design import Kind
from experiments.report.names import metric_words
from reporting.document import dump, outward
from reporting.numbers import Absent, count, effect_limits, effect_text, level_text, p_relation, p_value, percent
from reporting.table import Part, Table
from reporting.words import gettext, reason_words
from stats.interaction import Interaction
from stats.results import Estimate, NotComputable, computable
from stats.synthesis import difference_of

# Sentences and tables on experiments that share units. Pure.


def headline(overlap: Overlap) -> str:
    """How many pairs share users, and how many of them have a problem."""
    if not overlap.pairs:
        text = gettext("No two of the {n} experiments that run or stopped within {days} days share users.")
        return text.format(n=len(overlap.members), days=overlap.days)
    troubled = sum(bool(overlap.troubles(pair)) for pair in overlap.pairs)
    text = gettext("{pairs} of {checked} pairs of experiments share users; {troubled} of them have trouble.")
    return text.format(pairs=len(overlap.pairs), checked=overlap.checked, troubled=troubled)


def overview(overlap: Overlap) -> Table:
    """Every pair that shares users."""
    rows = []
    for pair in overlap.pairs:
        first, second = overlap.member(pair.first), overlap.member(pair.second)
        rows.append(
            (
                _name(first),
                _name(second),
                count(pair.shared),
                _part_of(pair.shared, first),
                _part_of(pair.shared, second),
                count(pair.shared_by_assignment),
                _balance(pair),
                _tested(pair),
            )
        )
    columns = (
        gettext("first"),
        gettext("second"),
        gettext("met both"),
        gettext("of the first's users"),
        gettext("of the second's users"),
        gettext("assigned in both"),
        gettext("groups independent"),
        gettext("interaction"),
    )
    return Table(gettext("Pairs that share users"), columns, tuple(rows))


def parts(found: Overlap) -> tuple[Part, ...]:
    """Each pair: its problems, its users by arms, and its tests where they may be seen."""
    return tuple(_part(found, pair, place) for place, pair in enumerate(found.pairs, start=1))


def lines_of(overlap: Overlap, key: str) -> list[str]:
    """One line for each experiment that shares users with this one, with the pair's problems."""
    lines = []
    for pair in overlap.pairs:
        if key not in (pair.first, pair.second):
            continue
        other = overlap.member(pair.second if key == pair.first else pair.first)
        text = gettext("{n} users met “{other}” too ({share} of those who met this one).")
        sentences = [
            text.format(n=count(pair.shared), other=_name(other), share=_part_of(pair.shared, overlap.member(key)))
        ]
        lines.append(" ".join([*sentences, *(trouble_sentence(code, pair) for code in overlap.troubles(pair))]))
    return lines


def interactions(overlap: Overlap) -> Table | None:
    """Every contrast of every test that may be seen."""
    rows = [row for pair in overlap.pairs for test in pair.tests for row in _contrasts(overlap, pair, test)]
    if not rows:
        return None
    columns = (
        gettext("experiments"),
        gettext("outcome"),
        gettext("groups"),
        gettext("what both together add"),
        gettext("interval"),
        gettext("users"),
        gettext("p"),
        gettext("p over all tests"),
    )
    note = gettext(
        "What both together add: the effect of the first group among users of the second group, minus its effect "
        "among users of the second control. Welch-James test with a variance for each cell; Holm over all tests of "
        "this page."
    )
    return Table(gettext("Does one change what the other does?"), columns, tuple(rows), note)


def document(overlap: Overlap) -> dict[str, Any]:
    """The overlap as JSON values."""
    whole: dict[str, Any] = outward(dump(overlap))
    pairs = [
        {**row, "shared": pair.shared, "troubles": list(overlap.troubles(pair))}
        for row, pair in zip(whole["pairs"], overlap.pairs, strict=True)
    ]
    return {"sentence": headline(overlap), **whole, "pairs": pairs}


def _part(overlap: Overlap, pair: SharingPair, place: int) -> Part:
    first, second = overlap.member(pair.first), overlap.member(pair.second)
    sentences = [trouble_sentence(code, pair) for code in overlap.troubles(pair)]
    sentences += [_test_sentence(overlap, pair, test) for test in pair.tests]
    if pair.selects is not None:
        for member, other, test in ((first, second, pair.selects[0]), (second, first, pair.selects[1])):
            if computable(test) and test.p_value < SAMPLE_RATIO_ALARM:
                text = gettext(
                    "Who is exposed to {other} depends on the group in {name}: the test may compare different people."
                )
                sentences.append(text.format(other=_name(other), name=_name(member)))
    heading = gettext("{first} and {second}").format(first=_name(first), second=_name(second))
    return Part(f"pair-{place}", heading, " ".join(sentences), by_arms(first, second, pair.exposed))


def by_arms(first: Member, second: Member, counts: Counts) -> Table:
    """Users exposed to both, by arms."""
    rows = tuple((arm, *map(count, row)) for arm, row in zip(first.arms, counts, strict=True))
    title = gettext("Users who met both, by groups")
    corner = gettext("{first} ↓ {second} →").format(first=_name(first), second=_name(second))
    return Table(title, (corner, *second.arms), rows)


def trouble_sentence(code: str, pair: SharingPair) -> str:
    """Sentence for a problem of a pair."""
    sentences = {
        "one_layer": gettext(
            "Both lie in one layer and share users all the same: somebody was assigned past the slices."
        ),
        "arms_hang_together": gettext(
            "The group in one predicts the group in the other (p {p}), so their draws aren't independent. Check "
            "their seeds and who assigns."
        ),
        "interaction": gettext("They change each other's effect: neither can be read as if it ran alone."),
    }
    balance = pair.balance
    return sentences[code].format(p=p_relation(balance.p_value) if computable(balance) else "")


def _test_sentence(overlap: Overlap, pair: SharingPair, outcome_test: OutcomeTest) -> str:
    name, outcome = _name(overlap.member(outcome_test.experiment)), metric_words(outcome_test.outcome)
    reasons = {
        "locked": gettext("“{outcome}” of {name}: locked until both plans have opened their outcomes."),
        "broken": gettext("“{outcome}” of {name}: not tested, since the data of one of them are broken."),
        "clustered": gettext("“{outcome}” of {name}: not tested, since one of them draws whole clusters."),
        "quantile": gettext("“{outcome}” of {name}: not tested, since it is a quantile."),
    }
    if outcome_test.why:
        return reasons[outcome_test.why].format(outcome=outcome, name=name)
    test = outcome_test.test
    if test is None or not computable(test):
        text = gettext("“{outcome}” of {name}: {reason}")
        return text.format(outcome=outcome, name=name, reason="" if test is None else reason_words(test))
    text = (
        gettext("“{outcome}” of {name}: the effects don't add up (p {p} over all tests; {n} users).")
        if is_found(outcome_test)
        else gettext("“{outcome}” of {name}: no interaction is proved (p {p} over all tests; {n} users).")
    )
    return text.format(outcome=outcome, name=name, p=p_relation(_adjusted(outcome_test, test)), n=count(test.units))


def _contrasts(overlap: Overlap, pair: SharingPair, outcome_test: OutcomeTest) -> list[tuple[str, ...]]:
    test = outcome_test.test
    if test is None or not computable(test):
        return []
    other = pair.second if outcome_test.experiment == pair.first else pair.first
    mine, its = overlap.member(outcome_test.experiment), overlap.member(other)
    share = outcome_test.kind == Kind.PROPORTION
    return [
        (
            f"{_name(mine)} × {_name(its)}",
            metric_words(outcome_test.outcome),
            f"{mine.arms[row.first]} × {its.arms[row.second]}",
            effect_text(row.change.estimate, share=share, plus=True),
            f"{effect_limits(row.change.low, row.change.high, share)} ({level_text(row.change.level)})",
            count(test.units),
            p_value(row.change.p_value),
            p_value(_adjusted(outcome_test, test)),
        )
        for row in test.contrasts
    ]


def _adjusted(outcome_test: OutcomeTest, test: Interaction) -> float:
    return test.p_value if outcome_test.adjusted_p is None else outcome_test.adjusted_p


def _balance(pair: SharingPair) -> str:
    if isinstance(pair.balance, NotComputable):
        return Absent(reason_words(pair.balance))
    return f"p {p_relation(pair.balance.p_value)}"


def _tested(pair: SharingPair) -> str:
    """The smallest p-value of the pair, or that it is locked."""
    known = [test.adjusted_p for test in pair.tests if test.adjusted_p is not None]
    if known:
        return f"p {p_relation(min(known))}"
    if any(test.why == "locked" for test in pair.tests):
        return gettext("locked")
    return gettext("not tested")


def _part_of(shared: int, member: Member) -> str:
    everybody = sum(member.exposed)
    return percent(shared / everybody) if everybody else "–"


def _name(member: Member) -> str:
    return member.name or member.key


# Difference of two experiments on one outcome, or why it can't be computed. Pure.

ALPHA = 0.05


def difference_sentence(first: AnalysisResult | None, second: AnalysisResult | None, names: Sequence[str]) -> str:
    """The nudge's effect on everyone in the first minus that in the second.

    Only for the same outcome with the same day 0, since points of different outcomes aren't comparable. Never while
    either outcome is locked or its data are broken.
    """
    locked = gettext("No difference is shown: the outcome of {name} isn't open yet.")
    broken = gettext("No difference is shown: the data of {name} are broken.")
    for opened, name in zip((first, second), names, strict=True):
        if not isinstance(opened, Opened):
            return locked.format(name=name)
        if opened.verdict.code is Code.INVALID:
            return broken.format(name=name)
    if not isinstance(first, Opened) or not isinstance(second, Opened):
        return ""
    if _measured(first) != _measured(second):
        return gettext("No difference is shown: both read different outcomes ({first}; {second}).").format(
            first=metric_words(first.plan.primary[0]), second=metric_words(second.plan.primary[0])
        )
    difference = difference_of(_effect(first), _effect(second), alpha=ALPHA)
    if not computable(difference):
        return gettext("No difference is shown: an effect can't be computed.")
    share = first.report.outcomes[0].kind is Kind.PROPORTION
    text = gettext(
        "Effect of the nudge on everyone, {first} minus {second}: {effect} ({limits} at 95%; p {p}). The users, "
        "weeks and nudges differ too: the difference alone doesn't say which of them made it."
    )
    return text.format(
        first=names[0],
        second=names[1],
        effect=effect_text(difference.estimate, share=share, plus=True),
        limits=effect_limits(difference.low, difference.high, share),
        p=p_relation(difference.p_value),
    )


def _measured(opened: Opened) -> tuple[str, str, str]:
    plan = opened.plan
    return plan.primary[0], plan.clock, plan.day_mode


def _effect(opened: Opened) -> Estimate | NotComputable:
    return best_difference(opened, leading(opened.report))
