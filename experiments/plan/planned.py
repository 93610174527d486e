"""The plan as stored with an analysis's result: shown on its page and used by the readout. Pure.

It is part of every stored payload: a new field needs a default, and no field may be renamed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from experiments.draw.whole_clusters import Saturation
from experiments.plan.earlier.predictor import Predictor
from experiments.plan.record import Claim, GuardrailRule


@dataclass(frozen=True)
class Amended:
    """A logged change of the plan after the start: field, value before, value after."""

    on: date
    by: str
    why: str
    changes: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Planned:
    """The plan at the time of the analysis.

    Attributes:
        key: of the experiment; `name`, `hypothesis`, `nudge` in words.
        variants: arm keys, control first.
        placebo: the arm with a nudge towards something inert.
        doses: number of times that a dose arm nudges to, by arm.
        shares: planned share of each arm by segment ("" for everyone), in the order of `variants`.
        primary: outcomes that the verdict may rest on; then `secondary` and `guardrails`.
        alpha: two-sided error rate over all looks.
        smallest_effect: absolute; of the behaviour among compliers, where a moment is named.
        planned_effect: that the size was computed for; None for the smallest effect.
        take_up: planned first stage, share of units; None when it wasn't planned.
        planned_units: units of all arms; `planned_end` the date on which enrolment was to end.
        method: `fixed`, `group_sequential`, `always_valid`; `looks` planned shares of the information, `spending`.
        covariates: names known before assignment.
        clock: `exposure` or `signup`; `day_mode` `rolling` or `calendar`; `churn_gap` in days.
        started: local date; `enrolment_ended` when no unit is enrolled any more.
        intact: False when the plan changed after the start without a logged amendment.
        adjustment: which comparison decides: `unadjusted`, `lin`, `lin_predicted`; the last with its `prediction`.
        active_days_before: above 0, active days within so many days before the exposure are a covariate, too.
        definition: hash of everything here that decides a number.
        guardrail_rules: direction and margin by guardrail; empty in payloads of version 0.3.
        otherwise: the decision where nothing is proved, `ship`, `dont` or `ask`.
        cluster: attribute whose clusters were drawn instead of units; empty for units.
        saturations: that a cluster could draw; empty where each cluster had one arm.
    """

    key: str
    name: str
    hypothesis: str
    nudge: str
    variants: tuple[str, ...]
    placebo: str | None
    doses: Mapping[str, int]
    shares: Mapping[str, tuple[float, ...]]
    primary: tuple[str, ...]
    secondary: tuple[str, ...]
    guardrails: tuple[str, ...]
    alpha: float
    power: float
    smallest_effect: float | None
    take_up: float | None
    planned_units: int
    planned_end: date | None
    method: str
    looks: tuple[float, ...]
    spending: str
    covariates: tuple[str, ...]
    clock: str
    day_mode: str
    churn_gap: int
    started: date
    enrolment_ended: date | None
    claim: Claim | None = None
    planned_effect: float | None = None
    amendments: tuple[Amended, ...] = ()
    intact: bool = True
    definition: str = ""
    adjustment: str = "unadjusted"
    active_days_before: int = 0
    prediction: Predictor | None = None
    guardrail_rules: Mapping[str, GuardrailRule] = field(default_factory=dict)
    otherwise: str = "ask"
    cluster: str = ""
    saturations: tuple[Saturation, ...] = ()

    @property
    def outcomes(self) -> tuple[str, ...]:
        """All outcomes in the order of the plan, each once."""
        return tuple(dict.fromkeys((*self.primary, *self.secondary, *self.guardrails)))

    @property
    def same_split(self) -> bool:
        """False when segments have different planned shares: arms then differ in their mix of segments."""
        return len(set(self.shares.values())) == 1

    @property
    def inside_clusters(self) -> bool:
        """True when a behaviour is tested by comparing units within partly nudged clusters.

        Source: docs/methods/clusters.md.
        """
        return bool(self.cluster) and self.claim is not None and any(0 < one.share < 1 for one in self.saturations)

    @property
    def measured(self) -> str:
        """Text key of what a look at the first outcome measures; looks with other keys aren't comparable."""
        claim = self.claim
        moment = "" if claim is None else f"{claim.behaviour} {claim.times} {claim.days}"
        inside = ("inside clusters",) if self.inside_clusters else ()
        return " | ".join((self.primary[0], self.clock, self.day_mode, self.variants[0], moment, *inside))
