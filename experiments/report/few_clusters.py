"""What is said of few clusters, in one sentence. Pure."""

from experiments.analyse.effects import Report
from reporting.numbers import p_relation
from reporting.words import gettext
from stats.results import computable


def randomisation_sentence(report: Report) -> str:
    """The randomisation tests beside the p-values of few clusters; empty without any."""
    found = [
        (outcome, row, row.randomisation)
        for outcome in report.outcomes
        for row in outcome.comparisons
        if row.randomisation is not None
    ]
    tests = [(outcome, row, test) for outcome, row, test in found if computable(test)]
    if not tests:
        return ""
    sentence = gettext(
        "Few clusters: a randomisation test of the cluster means (%(draws)s other assignments, seed %(seed)s) gives p "
        "%(tests)s."
    )
    texts = [f"{p_relation(test.p_value)} ({outcome.name} · {row.variant})" for outcome, row, test in tests]
    first = tests[0][2]
    return " " + sentence % {"draws": f"{first.draws:,}", "seed": first.seed, "tests": ", ".join(texts)}
