"""Four ways to read an experiment that say more, or less, than it shows. All compare nudge and control only."""

from collections.abc import Callable
from functools import wraps
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from benchmarks.aha_worlds.records import Answer, Entry, Experiment, Log, Play

Values = npt.NDArray[np.float64]
Z = float(stats.norm.isf(0.025))


type Arms = tuple[Values, Values, Values, Values]  # reached and retained of control, then of nudge


def of_arms(read: Callable[[Arms], Answer]) -> Play:
    """An entry that reads control and nudge; without an experiment it says nothing."""

    @wraps(read)
    def play(_log: Log, experiment: Experiment | None) -> Answer:
        if experiment is None:
            return Answer(None, cause=False, reason="no experiment")
        columns = [(name, arm) for arm in ("control", "nudge") for name in ("reached", "retained")]
        d0, r0, d1, r1 = (experiment.column(*one) for one in columns)
        return read((d0, r0, d1, r1))

    return play


def _shares(treated: Values, others: Values, of: str) -> Answer:
    low, high = confint_proportions_2indep(
        treated.sum(), treated.size, others.sum(), others.size, method="newcomb", compare="diff"
    )
    effect = float(treated.mean() - others.mean())
    return Answer(None, bool(low > 0 or high < 0), effect, ((float(low), float(high)),), of)


@of_arms
def naive(arms: Arms) -> Answer:
    """The nudge changed retention, so its behaviour did: the arms' difference taken for the behaviour's effect."""
    _, control, _, nudge = arms
    return _shares(nudge, control, "moved")


@of_arms
def as_treated(arms: Arms) -> Answer:
    """Users by what they did, whatever their arm."""
    d0, r0, d1, r1 = arms
    did, stayed = np.concatenate([d0, d1]), np.concatenate([r0, r1])
    return _shares(stayed[did == 1], stayed[did == 0], "everyone")


@of_arms
def per_protocol(arms: Arms) -> Answer:
    """Nudged users who did it against control users who didn't; the others are left out."""
    d0, r0, d1, r1 = arms
    return _shares(r1[d1 == 1], r0[d0 == 0], "everyone")


@of_arms
def wald(arms: Arms) -> Answer:
    """The instrumental variable estimate with its Wald interval, without any check of the nudge or of the split."""
    d0, r0, d1, r1 = arms
    first = float(d1.mean() - d0.mean())
    if first == 0:
        return Answer(None, cause=False, reason="the nudge moves nobody")
    effect = float(r1.mean() - r0.mean()) / first
    error = sqrt(sum(np.var(r - effect * d, ddof=1) / r.size for d, r in ((d0, r0), (d1, r1)))) / abs(first)
    low, high = effect - Z * error, effect + Z * error
    return Answer(None, bool(low > 0 or high < 0), effect, ((low, high),), "moved")


ENTRIES = tuple(
    Entry(name, play, rule, source, finds_moment=False, needs_experiment=True)
    for name, play, rule, source in (
        (
            "naive A/B",
            naive,
            "Retention of nudge minus control, read as the effect of the behaviour; Newcombe's interval.",
            "Kohavi, Tang, Xu 2020, Trustworthy Online Controlled Experiments, ch. 17, has the test",
        ),
        (
            "as treated",
            as_treated,
            "All users of the experiment by whether they did it; Newcombe's interval.",
            "Hernán, Robins 2017, [Per-Protocol Analyses of Pragmatic Trials](https://doi.org/10.1056/NEJMsm1605385)",
        ),
        (
            "per protocol",
            per_protocol,
            "Nudged users who did it minus control users who didn't, the others left out; Newcombe's interval.",
            "Hernán, Robins 2017, as above; ICH E9 (1998), per protocol set",
        ),
        (
            "plain Wald",
            wald,
            "Difference in retention over difference in doers, delta-method interval, no check of anything.",
            "Wald 1940; Angrist, Imbens, Rubin 1996, [Identification of Causal Effects]"
            "(https://doi.org/10.1080/01621459.1996.10476902)",
        ),
    )
)
