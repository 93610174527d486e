"""What a study must know of past experiments: their findings and the price of promises, as they stand when it runs."""

from dataclasses import dataclass

from aha.evidence.aipw import Difference
from aha.evidence.past.finding_rows import Definition, PastFinding
from aha.evidence.past.pool_findings import Summary, pool_findings, summary
from aha.evidence.past.price import ExpectedGain, Price, expected_gain, price_of
from stats.results import NotComputable


@dataclass(frozen=True)
class PastKnowledge:
    """All findings, and the price that they make."""

    findings: tuple[PastFinding, ...]
    price: Price

    def of(
        self, definition: Definition, promise: Difference | NotComputable, headroom: float
    ) -> tuple[ExpectedGain | NotComputable, Summary]:
        """Expected gain of a candidate, and what past experiments say of its definition."""
        past = pool_findings(self.findings, definition)
        return expected_gain(promise, self.price, headroom=headroom, used=past.used), summary(past)


def knowledge(findings: tuple[PastFinding, ...]) -> PastKnowledge:
    """What findings teach about the next promise."""
    return PastKnowledge(findings, price_of(findings))


NOTHING_KNOWN = knowledge(())
