"""The question that a stored experiment's analysis asks the warehouse; derived in `experiments.plan.derived`. Pure."""

from dataclasses import dataclass

from experiments.draw.whole_clusters import Saturation


@dataclass(frozen=True)
class Question:
    """Parameters of the warehouse queries of a stored experiment's analysis.

    Attributes:
        experiment: Key that the exposure events carry as `experiment_id`.
        variants: Keys of the arms in the plan's order, control first. Exposures may carry the index as text instead.
        outcomes: Metric texts (`events.metrics.parse_metric`), each once; `survival:G` is not among them.
        behaviour: Behaviour text of the AHA moment, or None.
        times: Z: the moment is reached with this many times of the behaviour, 1 or more.
        days: Y: the behaviour is counted on days 0..Y-1, 1 or more.
        covariates: Names of properties of the unit's signup event, known before the assignment.
        active_days_before: L: above 0, `active_days_before` is a covariate too: active days in the L days before.
        signup_event: Event that marks a unit's signup.
        clock: Which moment is day 0: "exposure" or "signup".
        day_mode: "rolling" (24 h from the clock's moment) or "calendar" (local dates).
        churn_gap: Days without an event after which a unit has churned.
        most_times: Counts of the behaviour above this are pooled in its histogram.
        clustered: True when whole clusters were drawn: exposures carry `cluster`, and moments are computed by cluster.
        seed: Of the clusters' draws, where these gave saturations; "" otherwise.
        saturations: That a cluster could draw.
    """

    experiment: str
    variants: tuple[str, ...]
    outcomes: tuple[str, ...]
    behaviour: str | None
    times: int = 1
    days: int = 1
    covariates: tuple[str, ...] = ()
    active_days_before: int = 0
    signup_event: str = "signup"
    clock: str = "exposure"
    day_mode: str = "rolling"
    churn_gap: int = 7
    most_times: int = 20
    clustered: bool = False
    seed: str = ""
    saturations: tuple[Saturation, ...] = ()
