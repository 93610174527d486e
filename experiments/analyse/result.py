"""The one record of a stored experiment's analysis that page, REST, command, chart and test all read. Pure.

Before the plan allows the outcome to be read, `report` is None and the state says when it will be: what isn't there
can't be peeked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from experiments.analyse.decision_record import Decision
from experiments.analyse.effects import Corrected, Report
from experiments.analyse.findings import Finding
from experiments.analyse.gather.admission import SetAside, Unverified
from experiments.analyse.verdict import Verdict
from experiments.plan.planned import Planned
from stats.bayes import Posterior
from stats.heterogeneity import Shrinkage
from stats.instrument.bounds import Bounds
from stats.instrument.compliers import Levels, Shares, Trait
from stats.instrument.dose import ActResponse, DoseTest, DoseWeights
from stats.instrument.encouragement import TakeUp
from stats.instrument.placebo import Placebo
from stats.instrument.validity import Inequalities
from stats.novelty import Novelty
from stats.results import Estimate, NotComputable
from stats.saturation import SaturationEffects
from stats.srm import SampleRatio
from stats.survival.day_curve import CurveDifference, DayShare
from stats.survival.kaplan_meier import SurvivalCurve
from stats.survival.logrank import Crossing, LogRank


class State(StrEnum):
    """Whether the outcome may be read."""

    PENDING = "pending"
    OPEN = "open"


@dataclass(frozen=True)
class Standing:
    """How far the experiment is, and whether its outcome may be read.

    Attributes:
        state: pending or open.
        why: code: `enrolling`, `maturing`, `next_look`, `too_few`, `ended`, `look`, `any_time`, `peek`.
        opens_on: date on which it opens as far as can be told; None when that isn't known.
        final: this analysis holds all that the experiment can say.
        peeked: a fixed plan was read before its time because a person asked.
        fraction: mature units over planned ones, 0 or more.
        exposed: units by arm.
        mature: of these with every primary outcome known.
        rule: what this look may spend, a code of `experiments.analyse.closing.SpendingRule`; "" without planned looks.
    """

    state: State
    why: str
    opens_on: date | None
    final: bool
    peeked: bool
    fraction: float
    exposed: Mapping[str, int]
    mature: Mapping[str, int]
    rule: str = ""


@dataclass(frozen=True)
class LookTaken:
    """One look at the primary outcome: what the sequential path shows.

    Attributes:
        on: local date of the data's end.
        measured: what it looked at (`Planned.measured`).
        variant: compared with control.
        units: mature units of both arms.
        fraction: of the planned units.
        estimate: difference, with the interval that holds at all looks together.
        low, high: its limits.
        z: estimate over its standard error.
        critical: what the absolute z had to reach at this look.
        p_value: repeated p-value.
        verdict: its code.
        peeked: read before the plan allowed it.
        rule: code of what it might spend, as `Standing.rule`.
        shown: local date on which it was made; None in payloads of version 0.3.
        breakdown: direct effect of being nudged from which on nothing is shown about the behaviour; None without one,
            and in payloads of 0.4, of which the limit nearer to 0 was it.
    """

    on: date
    measured: str
    variant: str
    units: int
    fraction: float
    estimate: float
    low: float
    high: float
    z: float
    critical: float
    p_value: float
    verdict: str
    peeked: bool
    rule: str = ""
    shown: date | None = None
    breakdown: float | None = None

    @property
    def seen(self) -> date:
        """Day from which on somebody may have seen it; the data's end where nobody noted it, which is earlier."""
        return self.on if self.shown is None else self.shown


@dataclass(frozen=True)
class Belief:
    """Bayesian companion numbers of one comparison; they never enter the verdict."""

    outcome: str
    variant: str
    posterior: Posterior | NotComputable


@dataclass(frozen=True)
class Through:
    """Does the nudge work only through the behaviour, and for whom does the effect hold? One variant, first outcome.

    Attributes:
        variant: compared with control.
        shares: compliers, always- and never-takers.
        levels: the outcome among compliers, nudged and not.
        traits: covariate level by level, compliers beside everybody.
        bounds: Balke-Pearl bounds of the effect on everybody.
        inequalities: test of the instrument inequalities.
        tf: the Wald ratio with its tF-adjusted error, an extra beside the Anderson-Rubin set.
        placebo: what the placebo arm did to outcome and behaviour; None without such an arm.
        per_protocol: level of nudged doers minus that of control's non-doers: shown struck out.
    """

    variant: str
    shares: Shares | NotComputable
    levels: Levels | NotComputable
    traits: tuple[tuple[str, Trait | NotComputable], ...]
    bounds: Bounds | NotComputable
    inequalities: Inequalities | NotComputable
    tf: Estimate | NotComputable
    placebo: Placebo | None
    per_protocol: float | NotComputable


@dataclass(frozen=True)
class Shrunk:
    """Effects by segment on the first outcome, pulled towards their mean; `segments` names them in order."""

    variant: str
    segments: tuple[str, ...]
    shrinkage: Shrinkage


@dataclass(frozen=True)
class OverTime:
    """Retention over time of one variant against control.

    Attributes:
        variant: compared with control.
        days: D-n curves with the difference and its bands.
        log_rank: test of the times to churn, stratified by segment.
        crossing: whether the survival curves cross.
        restricted: difference of the mean days before churn up to `tau`.
        tau: horizon in days, fixed by the plan.
        novelty: the effect by week of enrolment, and whether it fades.
    """

    variant: str
    days: CurveDifference | NotComputable
    log_rank: LogRank | NotComputable
    crossing: Crossing | NotComputable
    restricted: Estimate | NotComputable
    tau: float
    novelty: Novelty


@dataclass(frozen=True)
class ArmOverTime:
    """Retention over time of one arm: D-n shares, time to churn, and units at risk at some days."""

    variant: str
    days: tuple[DayShare, ...]
    survival: SurvivalCurve | NotComputable
    at_risk: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class ByTimes:
    """Does the threshold matter, or each act? One variant, first outcome.

    Attributes:
        variant: compared with control.
        response: effect of one act more (average causal response).
        weights: which acts the nudge added, and how many of them cross the moment's own number.
    """

    variant: str
    response: ActResponse | NotComputable
    weights: DoseWeights | NotComputable


@dataclass(frozen=True)
class FirstStage:
    """Take-up of one variant; no outcome, so it is shown while the outcome is still locked."""

    variant: str
    take_up: TakeUp | NotComputable
    by_segment: tuple[tuple[str, TakeUp | NotComputable], ...]


@dataclass(frozen=True)
class Flow:
    """What became of the exposed units.

    Attributes:
        exposed: units by arm met first, of the planned arms.
        several_variants: of these, units that met a further variant; up to 0.4 they were left out.
        unknown_variants: units left out by the variant that the plan doesn't know.
        no_signup: units left out because their clock starts with a signup that isn't in the log.
        mature: by outcome and arm, units whose outcome is known.
        by_day: date, arm, units.
        not_admitted: exposures that count nowhere, by sender and reason.
        unverified: units that only a client key has reported, beside the others; None in analyses of 0.3.
        no_cluster: units left out because their first exposure names no cluster, where clusters are drawn.
        identity_conflicts: persons whose ids had met different arms before they were joined; treated alike.
        no_first_arm: units left out because they met several arms at the moment of their first exposure; None where
            nobody met several, and in analyses up to 0.4, which left out whoever did.
        apart: servers have named units enough, so that `unverified` are none of `exposed`; None in analyses of
            experiments that started before 0.5.
    """

    exposed: Mapping[str, int]
    several_variants: int
    unknown_variants: Mapping[str, int]
    no_signup: int
    mature: Mapping[str, Mapping[str, int]]
    by_day: tuple[tuple[date, str, int], ...]
    not_admitted: tuple[SetAside, ...] = ()
    unverified: Unverified | None = None
    no_cluster: int = 0
    identity_conflicts: int = 0
    no_first_arm: int | None = None
    apart: bool | None = None


@dataclass(frozen=True)
class Beside:
    """The analysis again, with or without the units that only a client key has reported: never in the other's place.

    Attributes:
        left_out: units by which the two differ.
        exposed: units by arm.
        sample_ratio: of these.
        verdict: what would be the verdict; None while the outcome is locked.
        differences: of the first primary outcome, variant minus comparator, by variant; empty while it is locked.
        compared_with: the placebo in the place of control, by variant; variants that are compared with control aren't
            named.
    """

    left_out: int
    exposed: Mapping[str, int]
    sample_ratio: SampleRatio | NotComputable
    verdict: Verdict | None
    differences: tuple[tuple[str, Estimate | NotComputable], ...]
    compared_with: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Readout:
    """One analysis of a stored experiment.

    Attributes:
        corrected: effects corrected for the looks, where the plan has planned ones and is over or crossed its bound.
        saturation: where clusters drew saturations, direct and spillover effects on each primary outcome.
        hidden: codes of the parts that wait for the final analysis, since no level is known for them at a look.
        without_unverified: of experiments that started before 0.5: the analysis without what only client keys reported.
        with_unverified: of later ones: the analysis with it, where servers named units enough to decide alone.
        decision: what the plan's decision table says; None in analyses of 0.3.
        rules: edition of the rules that made it (`experiments.analyse.older_rules`); 1 up to version 0.4.
    """

    plan: Planned
    standing: Standing
    flow: Flow
    sample_ratio: SampleRatio | NotComputable
    health: tuple[Finding, ...]
    first_stage: tuple[FirstStage, ...]
    verdict: Verdict | None
    report: Report | None
    path: tuple[LookTaken, ...]
    beliefs: tuple[Belief, ...]
    shrunk: tuple[Shrunk, ...]
    through: tuple[Through, ...]
    by_times: tuple[ByTimes, ...]
    dose: DoseTest | None
    arms_over_time: tuple[ArmOverTime, ...]
    over_time: tuple[OverTime, ...]
    data_end: str
    time_zone: str
    events: int
    seed: int
    corrected: tuple[Corrected, ...] = ()
    hidden: tuple[str, ...] = ()
    without_unverified: Beside | None = None
    decision: Decision | None = None
    saturation: tuple[SaturationEffects, ...] = ()
    rules: int = 1
    with_unverified: Beside | None = None

    @property
    def whole_clusters(self) -> str:
        """Attribute whose clusters were moved as wholes towards the behaviour, so that no effect is a member's own.

        "" where it is one's own effect, and in a plain A/B test. In version 0.4 plans with saturations compared nudged
        units with clusters without nudge, which holds what friends did, too; they had no own effect.
        """
        if self.plan.claim is None:
            return ""
        old = any(one.own is None for one in self.saturation)
        return "" if self.plan.inside_clusters and not old else self.plan.cluster
