"""What a finished analysis gives to tell. The one place that asks whether its outcome may be told. Pure.

While the outcome is locked nothing that is made here rests on it: the state of the data, and harm to a guardrail, which
the plan lets anybody read at any time. A peek was asked for by one person, who has seen it; it is told to nobody else.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from experiments.analyse.codes import Code
from experiments.analyse.result import Readout, Standing, State
from insight_site.notices.notice_kinds import FINAL
from runs.queue.enqueue import OVER
from stats.sequential.non_inferiority import Safety

BROKEN_SPLIT, GUARDRAIL = "srm", "guardrail"  # what findings are called
LOOKS = ("look", "ended")  # why an outcome opened: the plan had a look there


@dataclass(frozen=True)
class News:
    """One thing to tell: its kind, its state (`runs.queue.enqueue`), and a code of the kind."""

    kind: str
    state: str
    code: str = ""


def outcome_is_open(standing: Standing) -> bool:
    """Whether a notice may say what was found."""
    return standing.state is State.OPEN and not standing.peeked


def news_of(readout: Readout, *, final: bool, number: int) -> Iterator[News]:
    """What may be told of one analysis.

    Args:
        readout: what it found.
        final: it is the final one.
        number: of the analysis; it tells one planned look from the next.
    """
    broken = any(finding.invalid == BROKEN_SPLIT for finding in readout.health)
    yield News("sample_ratio", "broken" if broken else OVER)
    yield News("guardrail", "harm" if _guardrail_alarm(readout) else OVER)
    yield News("run_failed", OVER)
    if not outcome_is_open(readout.standing):
        return
    if readout.standing.why in LOOKS:  # the same words whatever was found, also where nothing was
        yield News("look_due", "ended" if readout.standing.why == "ended" else f"look {number}")
    code = "" if readout.verdict is None else readout.verdict.code.value
    if code and (final or code != Code.INCONCLUSIVE):
        told = code + (FINAL if final else "")
        yield News("verdict", told, told)


def _guardrail_alarm(readout: Readout) -> bool:
    """Harm, or a change without a known direction. While the outcome is locked, by the nightly sequence alone."""
    harmed = readout.decision is not None and any(state.safety is Safety.HARM for state in readout.decision.guardrails)
    return harmed or any(finding.check == GUARDRAIL for finding in readout.health)
