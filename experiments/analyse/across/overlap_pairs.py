"""Records of experiments that share units, as they are stored. Pure.

Counts may be seen at any time; outcome results are present only where both experiments have opened theirs.
"""

from dataclasses import dataclass

from experiments.analyse.health.sample_ratio import SAMPLE_RATIO_ALARM
from runs.payloads import Schema
from stats.interaction import Independence, Interaction
from stats.results import NotComputable

type Counts = tuple[tuple[int, ...], ...]  # a row per arm of the first experiment, a column per arm of the second


@dataclass(frozen=True)
class Member:
    """One experiment: key, name, arms with control first, and exposed units by arm."""

    key: str
    name: str
    arms: tuple[str, ...]
    exposed: tuple[int, ...]


@dataclass(frozen=True)
class OutcomeTest:
    """The interaction on the first primary outcome of one experiment of a pair.

    Attributes:
        experiment: key; its clock and its units' days are used.
        outcome: metric text; `kind` says how it is summarised.
        why: code of why there is no test: `locked`, `broken`, `clustered`, `quantile`; "" where there is one.
        until: moment up to which data are read, ISO: no later than either experiment has shown its outcome itself.
        test: None where `why` has a code.
        adjusted_p: Holm over all tests of the report; None without a test.
    """

    experiment: str
    outcome: str
    kind: str
    why: str
    until: str
    test: Interaction | NotComputable | None
    adjusted_p: float | None = None


@dataclass(frozen=True)
class SharingPair:
    """Two experiments that share units.

    Attributes:
        first, second: keys.
        assigned: units with a stored assignment in both, by arms.
        exposed: units exposed to both, by their first arm in each.
        balance: test that the arms of units exposed to both are independent.
        separated: True when both are in one layer, so that no unit may be in both.
        selects: test whether the arm of one affects exposure to the other. One test each, the first's arms first; None
            while an outcome is locked, since a behaviour that an arm changes may be an outcome.
        tests: on the first outcome of each.
    """

    first: str
    second: str
    assigned: Counts
    exposed: Counts
    balance: Independence | NotComputable
    separated: bool
    selects: tuple[Independence | NotComputable, Independence | NotComputable] | None
    tests: tuple[OutcomeTest, ...]

    @property
    def shared(self) -> int:
        """Units exposed to both."""
        return sum(map(sum, self.exposed))

    @property
    def shared_by_assignment(self) -> int:
        """Units assigned in both."""
        return sum(map(sum, self.assigned))


@dataclass(frozen=True)
class Overlap:
    """All experiments that run or stopped recently.

    Attributes:
        data_end: moment up to which data were read, ISO.
        days: experiments that stopped within so many days are included.
        members: by key.
        pairs: those that share units, most units first.
        checked: number of pairs checked.
    """

    data_end: str
    days: int
    members: tuple[Member, ...]
    pairs: tuple[SharingPair, ...]
    checked: int

    def member(self, key: str) -> Member:
        """The experiment with this key."""
        return next(member for member in self.members if member.key == key)

    def troubles(self, pair: SharingPair) -> tuple[str, ...]:
        """Codes of a pair's problems: `one_layer` (it shares units), `arms_hang_together`, `interaction`."""
        codes = []
        if pair.separated and pair.shared + pair.shared_by_assignment:
            codes.append("one_layer")
        if isinstance(pair.balance, Independence) and pair.balance.p_value < SAMPLE_RATIO_ALARM / max(self.checked, 1):
            codes.append("arms_hang_together")
        if any(is_found(test) for test in pair.tests):
            codes.append("interaction")
        return tuple(codes)


def is_found(test: OutcomeTest, alpha: float = 0.05) -> bool:
    """True where the interaction is significant after adjustment over all tests of the report."""
    return test.adjusted_p is not None and test.adjusted_p < alpha


OVERLAP = Schema(Overlap)
