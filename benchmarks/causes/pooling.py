"""Do pooled experiments keep their promises? Coverage, bias, disagreement in thousands of made-up collections of tests.

    .venv/bin/python -m benchmarks.causes.pooling --write docs/pooling.md
    .venv/bin/python -m benchmarks.causes.pooling --runs 200

The collections and what is measured of them: `pooling_worlds.py`. Seeds are fixed, so the same commit gives the same
page. The exit code is 1 when a promise is broken.
"""

import sys
from math import sqrt

import numpy as np

from benchmarks.causes.pooling_worlds import WITH, WITHOUT, Scenario, measure
from benchmarks.frame import commit, options_of, show, table, workers

RUNS, SEED = 2_000, 20261126
COVERAGE, THEN, DETECTION, LEVEL = 0.94, 0.90, 0.80, 0.05
FROM_F = 2  # below, nudges move nothing and no estimate can have a small bias


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    options = parser.parse_args()
    scenarios = [*WITHOUT, *WITH]
    found: dict[Scenario, dict[str, float]] = {}
    with workers(options.processes) as pool:
        jobs = [(scenario, options.runs, SEED) for scenario in scenarios]
        for scenario, measured in zip(scenarios, pool.map(measure, jobs), strict=True):
            found[scenario] = measured
            print(scenario, measured, flush=True)
    text = page(found, options.runs)
    show(text, options.write)
    sys.exit(bool(missed(found)))


def promises(scenario: Scenario, row: dict[str, float]) -> dict[str, bool]:
    """What is promised of a scenario, and whether it holds."""
    if scenario.direct:
        kept = {"egger_covers_then": row["egger_covers_then"] >= THEN}
        # Three points with 3,000 users are shown, not promised.
        strong = scenario.direct * sqrt((scenario.users or 0) / 3_000) >= 0.04
        return kept | ({"disagree": row["disagree"] >= DETECTION} if strong else {})
    luck = 3.09 * sqrt(LEVEL * (1 - LEVEL) / row["runs"])  # 99.9 % of what luck gives at the nominal rate
    kept = {name: row[name] >= COVERAGE for name in ("ar", "clr")}
    kept |= {name: row[name] <= LEVEL + luck for name in ("over", "disagree")}
    if scenario.mean_f >= FROM_F:
        kept["liml"] = abs(row["liml"]) < abs(row["as_treated"]) / 10
    return kept


def missed(found: dict[Scenario, dict[str, float]]) -> list[str]:
    names = {"ar": "Anderson-Rubin coverage", "clr": "conditional likelihood-ratio coverage", "liml": "LIML's bias"}
    names |= {"over": "false over-identification", "disagree": "disagreement", "egger_covers_then": "Egger's coverage"}
    return [
        f"{names[name]}, {label(scenario)}: {100 * row[name]:.1f} {'points' if name == 'liml' else '%'}"
        for scenario, row in found.items()
        for name, kept in promises(scenario, row).items()
        if not kept
    ]


def label(scenario: Scenario) -> str:
    text = f"{scenario.experiments} experiments, mean F {scenario.mean_f:g}"
    if not scenario.direct:
        return text
    return f"{text}, {scenario.users:,} users, direct effect of {100 * scenario.direct:g} points in a quarter"


def page(found: dict[Scenario, dict[str, float]], runs: int) -> str:
    wrong = missed(found)
    return "\n".join([HEAD.format(runs=f"{runs:,}", seed=SEED, commit=commit(), broken="; ".join(wrong) or "none"),
                      *without(found), MIDDLE, *with_direct(found), TAIL])  # fmt: skip


def percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{100 * share:.1f} %"


def points(effect: float) -> str:
    return "–" if np.isnan(effect) else f"{100 * effect:+.1f}"


def without(found: dict[Scenario, dict[str, float]]) -> list[str]:
    chosen = [(scenario, row) for scenario, row in found.items() if not scenario.direct]
    names = ("ar", "clr", "clr_bounded", "over", "disagree", "liml_covers", "jive_covers", "egger_covers")
    sets = table(
        ["experiments", "mean F", "AR covers", "CLR covers", "CLR bounded", "over-identification rejects",
         "called disagreeing", "LIML ± covers", "JIVE ± covers", "Egger ± covers"],
        [[f"{s.experiments}", f"{s.mean_f:g}", *(percent(row[name]) for name in names)] for s, row in chosen],
    )  # fmt: skip
    medians = ("liml", "jive", "egger", "as_treated")
    bias = table(
        ["experiments", "mean F", "LIML", "JIVE", "Egger", "as treated", "LIML refused", "width of AR", "width of CLR",
         "random effects cover", "prediction covers"],
        [
            [f"{s.experiments}", f"{s.mean_f:g}", *(points(row[name]) for name in medians),
             percent(row["liml_refused"]),
             *(points(row[name]).lstrip("+") for name in ("ar_width", "clr_width")),
             *(percent(row[name]) for name in ("random_covers", "prediction_covers"))]
            for s, row in chosen
        ],
    )  # fmt: skip
    return [*sets, "", BIAS, "", *bias]


def with_direct(found: dict[Scenario, dict[str, float]]) -> list[str]:
    names = ("disagree", "over", "intercept", "egger_covers_then", "egger_covers", "clr", "random_covers")
    return table(
        ["users", "direct effect", "called disagreeing", "over-identification rejects", "intercept rejects",
         "Egger covers, given disagreement", "Egger covers", "CLR would cover", "random effects, where shown, cover",
         "first of the list is a culprit", "culprits among the first five"],
        [
            [f"{s.users:,}", f"{100 * s.direct:g} points", *(percent(row[name]) for name in names),
             percent(row["first_is_culprit"]), percent(row["culprits_on_top"])]
            for s, row in found.items() if s.direct
        ],
    )  # fmt: skip


HEAD = """# Pooling

Experiments that moved the same behaviour can be pooled into one estimate of its effect. Here thousands of made-up
collections of experiments, whose true effect is known, show how often the pooled numbers are right.

`python -m benchmarks.causes.pooling --write docs/pooling.md`, commit {commit}: {runs} collections a row,
seed {seed}. Promises broken: {broken}.

The behaviour keeps 15 points of the users whom a nudge moves. Users who do it anyway would stay more often in any
case, so that comparing users who did it with those who didn't ("as treated") is wrong by 23 to 27 points. Nudges differ
in strength by up to nine times; an experiment has 1,500 to 6,000 users. The mean F of the first stages is 1 where
nudges move nothing.

## Nudges that act only through the behaviour

Promised: both sets cover in at least 94 %; LIML's median bias is below a tenth of the as-treated one's from a mean F of
2 on; nudges are called disagreeing in at most 5 %, and the over-identification test at 5 % rejects in at most 5 % (plus
what luck adds, 99.9 % of it). With weak nudges that test rejects less often.
"""
BIAS = """Median bias in points, over the runs that gave an estimate. Of the first 200 runs: median width of bounded
sets in points (above: how often CLR is bounded), and random effects, which are shown where at least three experiments
have an F of 10 or more and the nudges agree. Here all experiments have the same effect, so that the prediction interval
should cover more often than it says."""
MIDDLE = """
## Nudges that also act by themselves

A quarter of 20 experiments, mean F 50: their nudge keeps some users whatever they do. Promised for 4 points with 3,000
users and 3 points with 6,000: disagreement is found in at least 80 %; then Egger's interval covers in at least 90 %. No
pooled set is given as the answer then; the columns on the right say why. The last three columns: of the first 500 runs.
"""
TAIL = """
What the figures say:

* The conditional likelihood-ratio set covers as well as the Anderson-Rubin set, at about half of its width where
  experiments are many.
* Below a mean F of 5 the sets are wide or unbounded: pooling can't make evidence of nudges that moved little.
* A direct effect that isn't found biases everything pooled but Egger's slope: "the nudges agree" is no proof.
* Leave-one-out lists the worst-fitting experiments first. It needn't name all culprits: it is a list of influence.
* Random effects of the experiments' own ratios don't cover under direct effects; they are not shown where nudges
  disagree, but where a direct effect isn't found they are as wrong as the rest."""


if __name__ == "__main__":
    main()
