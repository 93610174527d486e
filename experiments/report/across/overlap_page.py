"""Sentences and tables on experiments that share units. Pure."""

from typing import Any

from experiments.analyse.overlap.pairs import Counts, Member, OutcomeTest, Overlap, SharingPair, is_found
from experiments.plan.design import Kind
from experiments.report.names import metric_words
from reporting.document import dump, outward
from reporting.numbers import Absent, count, effect_limits, effect_text, level_text, p_relation, p_value, percent
from reporting.table import Part, Table
from reporting.words import gettext, reason_words
from stats.interaction import Interaction
from stats.results import NotComputable, computable


def headline(found: Overlap) -> str:
    """How many pairs share users, and how many of them have a problem."""
    if not found.pairs:
        text = gettext("No two of the {n} experiments that run or stopped within {days} days share users.")
        return text.format(n=len(found.members), days=found.days)
    troubled = sum(bool(found.troubles(pair)) for pair in found.pairs)
    text = gettext("{pairs} of {checked} pairs of experiments share users; {troubled} of them have trouble.")
    return text.format(pairs=len(found.pairs), checked=found.checked, troubled=troubled)


def overview(found: Overlap) -> Table:
    """Every pair that shares users."""
    rows = []
    for pair in found.pairs:
        first, second = found.member(pair.first), found.member(pair.second)
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
        gettext("arms independent"),
        gettext("interaction"),
    )
    return Table(gettext("Pairs that share users"), columns, tuple(rows))


def parts(found: Overlap) -> tuple[Part, ...]:
    """Each pair: its problems, its users by arms, and its tests where they may be seen."""
    return tuple(_part(found, pair, place) for place, pair in enumerate(found.pairs, start=1))


def lines_of(found: Overlap, key: str) -> list[str]:
    """One line for each experiment that shares users with this one, with the pair's problems."""
    lines = []
    for pair in found.pairs:
        if key not in (pair.first, pair.second):
            continue
        other = found.member(pair.second if key == pair.first else pair.first)
        text = gettext("{n} users met “{other}” too ({share} of those who met this one).")
        said = [text.format(n=count(pair.shared), other=_name(other), share=_part_of(pair.shared, found.member(key)))]
        lines.append(" ".join([*said, *(trouble_sentence(code, pair) for code in found.troubles(pair))]))
    return lines


def interactions(found: Overlap) -> Table | None:
    """Every contrast of every test that may be seen."""
    rows = [row for pair in found.pairs for one in pair.tests for row in _contrasts(found, pair, one)]
    if not rows:
        return None
    columns = (
        gettext("experiments"),
        gettext("outcome"),
        gettext("arms"),
        gettext("what both together add"),
        gettext("interval"),
        gettext("users"),
        gettext("p"),
        gettext("p over all tests"),
    )
    note = gettext(
        "What both together add: the effect of the first arm among users of the second arm, minus its effect among "
        "users of the second control. Welch-James test with a variance for each cell; Holm over all tests of this page."
    )
    return Table(gettext("Does one change what the other does?"), columns, tuple(rows), note)


def document(found: Overlap) -> dict[str, Any]:
    """The overlap as JSON values."""
    whole: dict[str, Any] = outward(dump(found))
    pairs = [
        {**row, "shared": pair.shared, "troubles": list(found.troubles(pair))}
        for row, pair in zip(whole["pairs"], found.pairs, strict=True)
    ]
    return {"sentence": headline(found), **whole, "pairs": pairs}


def _part(found: Overlap, pair: SharingPair, place: int) -> Part:
    first, second = found.member(pair.first), found.member(pair.second)
    said = [trouble_sentence(code, pair) for code in found.troubles(pair)]
    said += [_test_sentence(found, pair, one) for one in pair.tests]
    if pair.selects is not None:
        for member, other, test in ((first, second, pair.selects[0]), (second, first, pair.selects[1])):
            if computable(test) and test.p_value < 0.001:
                text = gettext("Who meets {other} depends on the arm of {name}: the test may compare different people.")
                said.append(text.format(other=_name(other), name=_name(member)))
    heading = gettext("{first} and {second}").format(first=_name(first), second=_name(second))
    return Part(f"pair-{place}", heading, " ".join(said), by_arms(first, second, pair.exposed))


def by_arms(first: Member, second: Member, counts: Counts) -> Table:
    """Users exposed to both, by arms."""
    rows = tuple((arm, *map(count, row)) for arm, row in zip(first.arms, counts, strict=True))
    title = gettext("Users who met both, by arms")
    corner = gettext("{first} ↓ {second} →").format(first=_name(first), second=_name(second))
    return Table(title, (corner, *second.arms), rows)


def trouble_sentence(code: str, pair: SharingPair) -> str:
    """Sentence for a problem of a pair."""
    sentences = {
        "one_layer": gettext(
            "Both lie in one layer and share users all the same: somebody was assigned past the slices."
        ),
        "arms_hang_together": gettext(
            "The arm of one tells of the arm of the other (p {p}): their draws aren't independent. Look at their seeds "
            "and at who assigns."
        ),
        "interaction": gettext("They change each other's effect: read neither as if it ran alone."),
    }
    balance = pair.balance
    return sentences[code].format(p=p_relation(balance.p_value) if computable(balance) else "")


def _test_sentence(found: Overlap, pair: SharingPair, one: OutcomeTest) -> str:
    name, outcome = _name(found.member(one.experiment)), metric_words(one.outcome)
    reasons = {
        "locked": gettext("“{outcome}” of {name}: locked until both plans have opened their outcomes."),
        "broken": gettext("“{outcome}” of {name}: not tested, since the data of one of them are broken."),
        "clustered": gettext("“{outcome}” of {name}: not tested, since one of them draws whole clusters."),
        "quantile": gettext("“{outcome}” of {name}: not tested, since it is a quantile."),
    }
    if one.why:
        return reasons[one.why].format(outcome=outcome, name=name)
    test = one.test
    if test is None or not computable(test):
        text = gettext("“{outcome}” of {name}: {reason}")
        return text.format(outcome=outcome, name=name, reason="" if test is None else reason_words(test))
    text = (
        gettext("“{outcome}” of {name}: the effects don't add up (p {p} over all tests; {n} users).")
        if is_found(one)
        else gettext("“{outcome}” of {name}: no interaction is proved (p {p} over all tests; {n} users).")
    )
    return text.format(outcome=outcome, name=name, p=p_relation(_adjusted(one, test)), n=count(test.units))


def _contrasts(found: Overlap, pair: SharingPair, one: OutcomeTest) -> list[tuple[str, ...]]:
    test = one.test
    if test is None or not computable(test):
        return []
    other = pair.second if one.experiment == pair.first else pair.first
    mine, its = found.member(one.experiment), found.member(other)
    share = one.kind == Kind.PROPORTION
    return [
        (
            f"{_name(mine)} × {_name(its)}",
            metric_words(one.outcome),
            f"{mine.arms[row.first]} × {its.arms[row.second]}",
            effect_text(row.change.estimate, share=share, plus=True),
            f"{effect_limits(row.change.low, row.change.high, share)} ({level_text(row.change.level)})",
            count(test.units),
            p_value(row.change.p_value),
            p_value(_adjusted(one, test)),
        )
        for row in test.contrasts
    ]


def _adjusted(one: OutcomeTest, test: Interaction) -> float:
    return test.p_value if one.adjusted_p is None else one.adjusted_p


def _balance(pair: SharingPair) -> str:
    if isinstance(pair.balance, NotComputable):
        return Absent(reason_words(pair.balance))
    return f"p {p_relation(pair.balance.p_value)}"


def _tested(pair: SharingPair) -> str:
    """The smallest p-value of the pair, or that it is locked."""
    known = [one.adjusted_p for one in pair.tests if one.adjusted_p is not None]
    if known:
        return f"p {p_relation(min(known))}"
    if any(one.why == "locked" for one in pair.tests):
        return gettext("locked")
    return gettext("not tested")


def _part_of(shared: int, member: Member) -> str:
    everybody = sum(member.exposed)
    return percent(shared / everybody) if everybody else "–"


def _name(member: Member) -> str:
    return member.name or member.key
