"""The record of a stored experiment's analysis, read by page, REST, command, charts and tests. Pure.

Before the plan allows the outcome to be read, the result is `Locked` and its maturity says when it will be: an outcome
that isn't computed can't leak.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import ClassVar

from experiments.analyse.codes import Finding
from experiments.analyse.effects import Corrected, Report
from experiments.analyse.gather.admission import SetAside, Unverified
from experiments.analyse.verdict import Verdict
from experiments.plan.analysed import Analysed
from experiments.plan.lab import compared
from experiments.plan.record import Plan
from stats.bayes import Posterior
from stats.heterogeneity import Shrinkage
from stats.instrument.anderson_rubin import AndersonRubin
from stats.instrument.bounds import Bounds
from stats.instrument.causes import Place
from stats.instrument.compliers import Levels, Shares, Trait
from stats.instrument.dose import ActResponse, DoseTest, DoseWeights
from stats.instrument.encouragement import TakeUp
from stats.instrument.joint import Agreement
from stats.instrument.nudge_pairs import NudgePair
from stats.instrument.placebo import Placebo
from stats.instrument.validity import Inequalities
from stats.novelty import Novelty
from stats.results import Estimate, NotComputable
from stats.saturation import SaturationEffects
from stats.sequential.non_inferiority import Safety
from stats.srm import SampleRatio
from stats.survival.day_curve import CurveDifference, DayShare
from stats.survival.kaplan_meier import SurvivalCurve
from stats.survival.logrank import Crossing, LogRank

# Records of a plan's decision: ruling, reason, arms and guardrails. Pure, stored with the result.


class Ruling(StrEnum):
    """What to do with a variant."""

    SHIP = "ship"
    DONT = "dont"
    ASK = "ask"
    WAIT = "wait"


class Ground(StrEnum):
    """The reason for a ruling: the first row of the decision table that holds, in this order."""

    INVALID = "invalid"  # don't: the data can't answer
    GUARDRAIL_HARM = "guardrail_harm"  # don't: a guardrail is harmed
    OUTCOME_HARM = "outcome_harm"  # don't: a primary outcome is harmed
    PROVED = "proved"  # ship: a primary outcome gains, and every guardrail is unharmed
    NOT_YET = "not_yet"  # wait: the plan hasn't ended
    AS_REGISTERED = "as_registered"  # neither is proved: apply what the plan registered for this case


@dataclass(frozen=True)
class GuardrailState:
    """One guardrail of one variant against control.

    Attributes:
        outcome: metric text; `kind` says how it is summarised.
        variant: compared with control.
        direction: which way is better, `higher` or `lower`; "" where no rule was registered.
        margin: a loss of this size or more is harm; None where none was registered.
        difference: variant minus control with the interval of this look.
        loss: upper one-sided limit of the loss: unharmed when it lies below the margin.
        safety: unharmed, harmed, or not known yet.
    """

    outcome: str
    kind: str
    variant: str
    direction: str
    margin: float | None
    difference: Estimate | NotComputable
    loss: float | NotComputable
    safety: Safety


@dataclass(frozen=True)
class ArmRuling:
    """The decision about one variant.

    Attributes:
        success: a gain on a primary outcome is proved.
        unknown: guardrails that are neither shown unharmed nor harmed; `harmed` those that are harmed.
    """

    variant: str
    ruling: Ruling
    ground: Ground
    success: bool
    unknown: tuple[str, ...] = ()
    harmed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """Result of the registered decision table at this analysis.

    Attributes:
        ruling: about the variant that leads; with the outcome locked, that of all variants together.
        ground: the row of the table.
        variant: the leading one; "" while the outcome is locked and there are several.
        arms: each variant that could be shipped.
        guardrails: what is known of each, variant by variant.
        otherwise: what the plan registered for "neither is proved".
    """

    ruling: Ruling
    ground: Ground
    variant: str
    arms: tuple[ArmRuling, ...]
    guardrails: tuple[GuardrailState, ...]
    otherwise: str


def decision_facts(decision: Decision | None) -> dict[str, str] | None:
    """The decision as codes, for other systems; None without a decision."""
    if decision is None:
        return None
    return {"code": decision.ruling.value, "ground": decision.ground.value, "variant": decision.variant}


class State(StrEnum):
    """Whether the outcome may be read."""

    PENDING = "pending"
    OPEN = "open"


@dataclass(frozen=True)
class Maturity:
    """How far the experiment is, and whether its outcome may be read.

    Attributes:
        state: pending or open.
        why: code: `enrolling`, `maturing`, `next_look`, `too_few`, `ended`, `look`, `any_time`, `peek`.
        opens_on: expected date on which it opens; None when that isn't known.
        final: enrolment has ended and all exposed units are mature, so that nothing more can be learned.
        peeked: True when a person asked to read a fixed plan before its time.
        fraction: mature units over planned ones, 0 or more.
        exposed: units by arm.
        mature: of these with every primary outcome known.
        rule: how much alpha this look may spend, a code of `experiments.analyse.outcome_lock.SpendingRule`; "" without
            planned looks.
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
    """One look at the primary outcome, shown in the sequential path.

    Attributes:
        on: local date of the data's end.
        measured: text key of what it measured (`Plan.measured`).
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
        rule: code of how much alpha it might spend, as `Maturity.rule`.
        shown: local date on which it was made; None in payloads of version 0.3.
        breakdown: direct effect of being nudged at which nothing is shown about the behaviour any more; None without
            one, and in payloads of 0.4, where it was the limit nearer to 0.
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
        """Day from which this look may have been seen; the data's end, which is earlier, where it wasn't recorded."""
        return self.on if self.shown is None else self.shown


@dataclass(frozen=True)
class Belief:
    """Bayesian figures of one comparison; they never enter the verdict."""

    outcome: str
    variant: str
    posterior: Posterior | NotComputable


@dataclass(frozen=True)
class Through:
    """Validity panel: does the nudge work only through the behaviour, and on whom? One variant, first outcome.

    Attributes:
        variant: compared with control.
        shares: compliers, always- and never-takers.
        levels: the outcome among compliers, nudged and not.
        traits: share of each covariate level among compliers and among everybody.
        bounds: Balke-Pearl bounds of the effect on everybody.
        inequalities: test of the instrument inequalities.
        tf: the Wald ratio with its tF-adjusted error, an extra beside the Anderson-Rubin set.
        placebo: what the placebo arm did to outcome and behaviour; None without such an arm.
        per_protocol: level of nudged users who did it minus that of control users who didn't: shown struck out.
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
    """Effects by segment on the first outcome, shrunk towards their mean; `segments` names them in order."""

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
    """Dose response: does crossing the threshold matter, or each act? One variant, first outcome.

    Attributes:
        variant: compared with control.
        response: effect of one further act (average causal response).
        weights: numbers of acts that the nudge added, and how many of them cross the moment's own number.
    """

    variant: str
    response: ActResponse | NotComputable
    weights: DoseWeights | NotComputable


@dataclass(frozen=True)
class FirstStage:
    """Take-up of one variant; not an outcome, so it is shown while the outcome is still locked."""

    variant: str
    take_up: TakeUp | NotComputable
    by_segment: tuple[tuple[str, TakeUp | NotComputable], ...]


@dataclass(frozen=True)
class Flow:
    """Counts of exposed units: analysed, mature and left out.

    Attributes:
        exposed: units by first arm, of the planned arms.
        several_variants: of these, units exposed to a further variant; up to 0.4 they were left out.
        unknown_variants: left out units, by variant that the plan doesn't have.
        no_signup: units left out because their clock starts with a signup that isn't in the log.
        mature: by outcome and arm, units whose outcome is known.
        by_day: date, arm, units; of a lab the units of all sets together, with "" as the arm.
        not_admitted: excluded exposures, by sender and reason.
        unverified: units that only a client key has reported, beside the others; None in analyses of 0.3.
        no_cluster: units left out because their first exposure names no cluster, where clusters are drawn.
        identity_conflicts: persons whose ids were exposed to different arms before they were joined; treated as
            `several_variants`.
        no_first_arm: units left out because they were exposed to several arms at the moment of their first exposure;
            None where no unit had several arms, and in analyses up to 0.4, which left out all units with several.
        apart: True when servers have named enough units, so that `exposed` doesn't include `unverified`; None in
            analyses of experiments that started before 0.5.
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
    """A second result, with or without the units that only a client key has reported; it never replaces the first.

    Attributes:
        left_out: units by which the two differ.
        exposed: units by arm.
        sample_ratio: of these.
        verdict: of this second result; None while the outcome is locked.
        differences: of the first primary outcome, variant minus comparator, by variant; empty while it is locked.
        compared_with: the placebo, by variants that are compared with it instead of control.
    """

    left_out: int
    exposed: Mapping[str, int]
    sample_ratio: SampleRatio | NotComputable
    verdict: Verdict | None
    differences: tuple[tuple[str, Estimate | NotComputable], ...]
    compared_with: Mapping[str, str] = field(default_factory=dict)


# A lab: what its nudges did to behaviours, and what all of them together say of each. Pure, stored with the result.


@dataclass(frozen=True)
class NudgeTakeUp:
    """What one nudge of a lab did to one behaviour; no outcome, so it is shown while that is locked.

    Attributes:
        nudge: its key.
        behaviour, times: behaviour text, and the number of times from which it counts as done.
        aimed: True for the behaviour that the nudge leads to.
        n: users with a known first outcome.
        difference: in the share of users who do it, by this nudge beside all others; its interval has the plan's level.
    """

    nudge: str
    behaviour: str
    times: int
    aimed: bool
    n: int
    difference: Estimate | NotComputable


@dataclass(frozen=True)
class WholeEffect:
    """A nudge's effect per user who did its behaviour because of it, if it works through that behaviour alone.

    It includes what the behaviour does by leading to others. Data of a lab can show the assumption to be wrong (the
    joint reading), never to be right.
    """

    nudge: str
    behaviour: str
    times: int
    effect: Estimate | NotComputable
    effect_set: AndersonRubin | NotComputable


@dataclass(frozen=True)
class LabBehaviour:
    """What all nudges of a lab together say of one behaviour.

    Attributes:
        behaviour, times: as in `NudgeTakeUp`.
        place: its state, effect, set and conditional F; p-values by Holm over the lab's behaviours. Named by the
            behaviour text, with the number of times where two behaviours of the lab have one text.
        strong_set: the shorter set, where every behaviour is moved strongly; None elsewhere.
    """

    behaviour: str
    times: int
    place: Place
    strong_set: AndersonRubin | None


@dataclass(frozen=True)
class NudgeMoments:
    """What one nudge did to one outcome and to every behaviour of the lab, beside all other nudges.

    Attributes:
        nudge: its key.
        outcome: metric text.
        effects: on the outcome, then on each behaviour in the order of `LabReading.behaviours`.
        covariance: of the effects.
        n_control, n_variant: users without and with the nudge.
    """

    nudge: str
    outcome: str
    effects: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    n_control: int
    n_variant: int


@dataclass(frozen=True)
class LabReading:
    """All nudges and behaviours of a lab read together on its first outcome.

    Attributes:
        behaviours: those that the nudges lead to, the claim's first.
        agreement: of the nudges; not computable with as many nudges as behaviours.
        direct_effect: average direct effect of being nudged; not computable with fewer than four nudges more than
            behaviours.
        pairs: whether one nudge changes the effect of another.
        whole: of each nudge, under its assumption.
        moments: of each nudge on every outcome; empty where they can't be computed.
    """

    behaviours: tuple[LabBehaviour, ...]
    agreement: Agreement | NotComputable
    direct_effect: AndersonRubin | NotComputable
    pairs: tuple[NudgePair, ...]
    whole: tuple[WholeEffect, ...]
    moments: tuple[NudgeMoments, ...]


STORED_NAMES = {"analysed": "plan", "maturity": "standing"}  # names that stored results have always had


def _stored_name(field_name: str) -> str:
    return STORED_NAMES.get(field_name, field_name)


@dataclass(frozen=True, kw_only=True)
class AnalysisResult:
    """One analysis of a stored experiment, with what may be known whether its outcome may be read or not.

    It is `Locked` or `Opened`: who needs an outcome asks which, and finds none in a locked one.

    Attributes:
        analysed: the plan with its history.
        verdict: of a locked result only INVALID, for broken data: waiting won't fix them.
        path: looks at the outcome that were taken, oldest first; of an opened result with this one.
        without_unverified: for experiments that started before 0.5: the result without units that only client keys
            reported.
        with_unverified: for later ones: the result with them, where servers named enough units to decide without them.
        decision: result of the plan's decision table; None in analyses of 0.3.
        take_ups: of a lab, of each nudge on each behaviour; empty elsewhere.
        rules: edition of the rules that made it (`experiments.analyse.payload_versions`); 1 up to version 0.4.
    """

    analysed: Analysed
    maturity: Maturity
    flow: Flow
    sample_ratio: SampleRatio | NotComputable
    health: tuple[Finding, ...]
    first_stage: tuple[FirstStage, ...]
    verdict: Verdict | None
    path: tuple[LookTaken, ...]
    data_end: str
    time_zone: str
    events: int
    seed: int
    without_unverified: Beside | None = None
    decision: Decision | None = None
    rules: int = 1
    with_unverified: Beside | None = None
    take_ups: tuple[NudgeTakeUp, ...] = ()

    __pydantic_config__: ClassVar = {"alias_generator": _stored_name, "serialize_by_alias": True}

    @property
    def plan(self) -> Plan:
        """The plan as its arms are compared: a lab's nudges, whose sets have the units of `analysed.plan`."""
        return compared(self.analysed.plan)

    @property
    def whole_clusters(self) -> str:
        """Attribute of the clusters nudged as wholes, so that no effect is of a member's own behaviour; else ""."""
        return "" if self.plan.claim is None or self.plan.inside_clusters else self.plan.cluster


@dataclass(frozen=True, kw_only=True)
class Locked(AnalysisResult):
    """A result whose outcome may not be read yet: counts, health, take-up and the earlier looks."""


@dataclass(frozen=True, kw_only=True)
class Opened(AnalysisResult):
    """A result with its outcomes and verdict. In JSON a locked one has null or an empty list in their place.

    Attributes:
        corrected: effects corrected for the looks, where the plan has planned ones and is over or crossed its bound.
        saturation: where clusters drew saturations, direct and spillover effects on each primary outcome.
        hidden: codes of the parts that wait for the final analysis, since no level is known for them at an interim
            look.
        lab: of a lab what all nudges together say of each behaviour; None elsewhere, and where the data can't answer.
    """

    verdict: Verdict
    report: Report
    beliefs: tuple[Belief, ...]
    shrunk: tuple[Shrunk, ...]
    through: tuple[Through, ...]
    by_times: tuple[ByTimes, ...]
    dose: DoseTest | None
    arms_over_time: tuple[ArmOverTime, ...]
    over_time: tuple[OverTime, ...]
    corrected: tuple[Corrected, ...] = ()
    hidden: tuple[str, ...] = ()
    saturation: tuple[SaturationEffects, ...] = ()
    lab: LabReading | None = None

    @property
    def whole_clusters(self) -> str:
        """As of every result.

        In version 0.4 plans with saturations compared nudged units with clusters without nudge, which includes
        spillovers from friends; they had no own effect.
        """
        old = self.plan.claim is not None and any(row.own is None for row in self.saturation)
        return self.plan.cluster if old else super().whole_clusters
