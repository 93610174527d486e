"""What past experiments say of a definition, computed once as long as no finding is added."""

import hashlib

from django.core.cache import cache
from django.db.models import Count, Max

from aha.evidence.past.finding_rows import Definition, usual_definition
from aha.evidence.past.keep_finding import all_findings, findings_of
from aha.evidence.past.knowledge import PastKnowledge, knowledge
from aha.evidence.past.pool_findings import PastExperiments, pool_findings
from aha.models import Finding
from runs.refusals import Refused

SECONDS = 24 * 3600  # the key names the newest finding, so that an old answer is never taken for a new one


def state_of_findings() -> str:
    """Names what is kept: another finding, or one more with its plain moments, gives another name."""
    counts = {"newest": Max("pk"), "count": Count("pk"), "plain": Count("plain_itt")}
    return ":".join(str(one) for one in Finding.objects.aggregate(**counts).values())


def past_experiments(definition: Definition, state: str | None = None) -> PastExperiments:
    """All findings of a behaviour, pooled on one definition.

    Args:
        definition: what is asked about.
        state: `state_of_findings`, for who asks about many; None looks itself.
    """
    name = hashlib.sha256(repr(definition.same).encode()).hexdigest()  # a cache key may hold no blanks
    key = f"aha.pool:own:{state or state_of_findings()}:{name}"
    found: PastExperiments | None = cache.get(key)
    if found is None:
        found = pool_findings(all_findings(), definition)
        cache.set(key, found, SECONDS)
    return found


def pool_behaviour(
    behaviour: str, *, times: int | None = None, days: int | None = None, outcome: str | None = None
) -> PastExperiments:
    """What past experiments say of a behaviour, on the definition that most of them share.

    Args:
        behaviour: behaviour text.
        times, days, outcome: keep to definitions with these.

    Raises:
        Refused: a definition that can't be read, or no finding on it.
    """
    rows = findings_of(behaviour)
    definition = usual_definition(rows, behaviour, times=times, days=days, outcome=outcome)
    if definition is None:
        raise Refused("No finished experiment says anything about '{behaviour}' so defined.", behaviour=behaviour)
    return past_experiments(definition)


def price_of_promises() -> PastKnowledge:
    """All findings with the price of promises that they make."""
    return knowledge(all_findings())
