"""Other behaviours of one comparison: what was registered of them and what the nudge did to them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from experiments.plan.design import Other
from stats.instrument.other_behaviours import Moved, OtherBehaviour, OtherMoments
from stats.results import computable


@dataclass(frozen=True)
class OtherRow:
    """Another behaviour: what was registered of it, and what the nudge did to it.

    Attributes:
        registered: with the limits of its effect.
        found: whether it was moved, and the effect it had to have to explain the nudge's.
    """

    registered: Other
    found: OtherBehaviour

    @property
    def moved(self) -> bool:
        """Whether the nudge moved it."""
        return self.found.moved is Moved.MOVED

    @property
    def alone(self) -> bool:
        """Whether an effect within its limits explains the nudge's by itself."""
        low, high = self.registered.box
        return computable(self.found.most) and low <= self.found.most <= high

    @property
    def rivals(self) -> bool:
        """Whether it may explain the nudge's effect instead: moved, and no consequence of the behaviour."""
        return self.moved and not self.registered.consequence


@dataclass(frozen=True)
class StoredOthers:
    """`OtherMoments` as a payload holds them: L other behaviours beside the moments of outcome and behaviour.

    Attributes:
        names: as registered.
        first_stages: L differences in the share of users who do it, variant minus comparator.
        covariance: of those, L x L.
        with_itt: L covariances with the effect on the outcome.
        with_first_stage: L covariances with the effect on the behaviour.
    """

    names: tuple[str, ...]
    first_stages: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    with_itt: tuple[float, ...]
    with_first_stage: tuple[float, ...]

    @classmethod
    def of(cls, others: OtherMoments) -> Self:
        """To store them."""
        return cls(
            others.names,
            tuple(others.first_stages.tolist()),
            tuple(map(tuple, others.covariance.tolist())),
            tuple(others.with_itt.tolist()),
            tuple(others.with_first_stage.tolist()),
        )

    def moments(self) -> OtherMoments:
        """To compute with them."""
        size = len(self.names)
        return OtherMoments(
            self.names,
            np.array(self.first_stages, dtype=np.float64),
            np.array(self.covariance, dtype=np.float64).reshape(size, size),
            np.array(self.with_itt, dtype=np.float64),
            np.array(self.with_first_stage, dtype=np.float64),
        )


def suspect(rows: Sequence[OtherRow], itt: float) -> OtherRow | None:
    """Of those that the nudge moved and that are no consequences, the one that explains most of its effect."""
    rivals = [row for row in rows if row.rivals]
    sign = -1 if itt < 0 else 1
    return max(rivals, key=lambda row: max(sign * end * row.found.take_up for end in row.registered.box), default=None)
