"""What is known of experiments that share units, as it is stored. Pure.

The counts may be seen at any time. What the outcome says is here only where both experiments have opened it.
"""

from dataclasses import dataclass

from stats.interaction import Independence, Interaction
from stats.results import NotComputable

type Counts = tuple[tuple[int, ...], ...]  # a row for each arm of the first, a column for each of the second

# A table of arms below this is no luck any more; pairs share it. As for a broken sample ratio.
TROUBLE = 0.001


@dataclass(frozen=True)
class Member:
    """One experiment: key, name, its arms, control first, and how many units met each."""

    key: str
    name: str
    arms: tuple[str, ...]
    exposed: tuple[int, ...]


@dataclass(frozen=True)
class OutcomeTest:
    """The interaction on the first primary outcome of one experiment of a pair.

    Attributes:
        experiment: key; its clock and its units' days count.
        outcome: metric text; `kind` says how it is summarised.
        why: code of why there is no test: `locked`, `broken`, `clustered`, `quantile`; "" where there is one.
        until: moment up to which data are read, ISO: no later than either experiment has shown its outcome itself.
        test: None where `why` says so.
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
    """Two experiments.

    Attributes:
        first, second: keys.
        assigned: units with a stored assignment in both, by arms.
        exposed: units that met both, by arms, each with one arm.
        balance: are the arms of those who met both independent?
        separated: both lie in one layer, so that nobody may be in both.
        selects: does the arm of one decide who meets the other? One test each, the first's arms first; None while an
            outcome is locked, since a behaviour that an arm changes may be an outcome.
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
        """Units that met both."""
        return sum(map(sum, self.exposed))

    @property
    def shared_by_assignment(self) -> int:
        """Units that are assigned in both."""
        return sum(map(sum, self.assigned))


@dataclass(frozen=True)
class Overlap:
    """All experiments that run or ran lately.

    Attributes:
        data_end: up to where data were read, ISO.
        days: how long ago an experiment may have stopped to be here.
        members: by key.
        pairs: those that share units, most units first.
        checked: pairs looked at.
    """

    data_end: str
    days: int
    members: tuple[Member, ...]
    pairs: tuple[SharingPair, ...]
    checked: int

    def member(self, key: str) -> Member:
        """The experiment of this key."""
        return next(one for one in self.members if one.key == key)

    def troubles(self, pair: SharingPair) -> tuple[str, ...]:
        """Codes of what is wrong with a pair: `one_layer` shares units, `arms_hang_together`, `interaction`."""
        found = []
        if pair.separated and pair.shared + pair.shared_by_assignment:
            found.append("one_layer")
        if isinstance(pair.balance, Independence) and pair.balance.p_value < TROUBLE / max(self.checked, 1):
            found.append("arms_hang_together")
        if any(is_found(one) for one in pair.tests):
            found.append("interaction")
        return tuple(found)


def is_found(one: OutcomeTest, alpha: float = 0.05) -> bool:
    """True where the interaction is proved over all tests of the report."""
    return one.adjusted_p is not None and one.adjusted_p < alpha
