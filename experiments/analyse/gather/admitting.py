"""Set aside the exposures that don't count, inside the warehouse as far as it can be done there.

What a client key may say is decided by assignment rows and draws, which the warehouse doesn't have. So the units and
arms that client keys of the experiment's sources named come out, once each, and only the wrong pairs go back in: none,
unless somebody forges. Sending the assignments in instead would move all of them on every analysis, and registering
tables isn't possible on every engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from events.asking import Questions
from experiments.analyse.gather import queries
from experiments.analyse.gather.admission import NO_CLUSTER, OTHER_SOURCE, WRONG_ARM, AdmissionRule, SetAside

if TYPE_CHECKING:
    import ibis.expr.types as ir

KEY = "user_key"  # what a unit is inside the warehouse: rows and draws know its id


def admitted(
    questions: Questions, exposures: ir.Table, rule: AdmissionRule | None, *, clustered: bool = False
) -> tuple[ir.Table, tuple[SetAside, ...]]:
    """The exposures that count, and the others by sender and reason.

    Args:
        questions: the open warehouse.
        exposures: the answer of `queries.exposures`, kept.
        rule: None admits everything.
        clustered: whole clusters are drawn, so that an exposure must name one.
    """
    if rule is not None and rule.until is not None:
        exposures = queries.before(exposures, rule.until)
    heard = [] if rule is None else questions.warehouse.arrow(queries.heard(exposures)).to_pylist()
    if rule is None or not heard:
        return exposures, ()
    heard.sort(key=lambda row: int(row["source"]))
    strange = [row for row in heard if int(row["source"]) not in rule.sources]
    aside = [
        SetAside(_name(rule, row["source"]), OTHER_SOURCE, int(row["exposures"]), int(row["units"])) for row in strange
    ]
    own = [int(row["source"]) for row in heard if int(row["source"]) in rule.sources]
    wrong = _wrong(questions, exposures, rule, own)
    for source in map(str, own if wrong is not None else ()):
        rows = wrong.filter(pc.equal(wrong["source"], source))
        unnamed = pc.and_(pc.equal(rows["cluster"], ""), clustered)
        for reason, some in ((NO_CLUSTER, rows.filter(unnamed)), (WRONG_ARM, rows.filter(pc.invert(unnamed)))):
            if some.num_rows:
                events, units = int(pc.sum(some["exposures"]).as_py()), len(some["user_id"].unique())
                aside.append(SetAside(_name(rule, source), reason, events, units))
    pairs = None
    if wrong is not None and wrong.num_rows:
        pairs = wrong.select([KEY, "variant", "cluster"]).rename_columns(["user_id", "variant", "cluster"])
    return queries.admitted(exposures, own, pairs), tuple(aside)


def _wrong(questions: Questions, exposures: ir.Table, rule: AdmissionRule, sources: list[int]) -> Any:
    """Of what client keys of these sources say, the pairs of unit and arm that aren't true; None when nobody spoke."""
    if not sources:
        return None
    said: pa.Table = questions.warehouse.arrow(questions.warehouse.named(queries.claims(exposures, sources), key=KEY))
    true = rule.owed(*(said[name].to_pylist() for name in ("user_id", "variant", "cluster")))
    return said.filter(pa.array(~true))


def _name(rule: AdmissionRule, source: str) -> str:
    return rule.names.get(int(source), source)
