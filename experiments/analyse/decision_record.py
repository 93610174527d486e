"""Records of a plan's decision: ruling, reason, arms and guardrails. Pure, stored with the readout."""

from dataclasses import dataclass
from enum import StrEnum

from stats.results import Estimate, NotComputable
from stats.sequential.non_inferiority import Safety


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


def decision_facts(found: Decision | None) -> dict[str, str] | None:
    """The decision as codes, for other systems; None without a decision."""
    if found is None:
        return None
    return {"code": found.ruling.value, "ground": found.ground.value, "variant": found.variant}
