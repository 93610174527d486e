"""The notices from a finished analysis. The only place that checks whether its outcome may be disclosed. Pure.

While the outcome is locked no notice depends on it: notices then report only the state of the data, and harm to a
guardrail, which the plan lets anybody read at any time. A peek is for the one person who requested it; nobody else is
notified.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from experiments.analyse.codes import Code
from experiments.analyse.result import Readout, Standing, State
from insight_site.notices.notice_kinds import FINAL
from runs.queue.enqueue import OVER
from stats.sequential.non_inferiority import Safety

BROKEN_SPLIT, GUARDRAIL = "srm", "guardrail"  # codes of health findings
LOOKS = ("look", "ended")  # reasons for an open outcome: a look that the plan contains


@dataclass(frozen=True)
class News:
    """One notice to send: its kind, its state (`runs.queue.enqueue`), and a code of the kind."""

    kind: str
    state: str
    code: str = ""


def outcome_is_open(standing: Standing) -> bool:
    """Whether a notice may state the result."""
    return standing.state is State.OPEN and not standing.peeked


def news_of(readout: Readout, *, final: bool, number: int) -> Iterator[News]:
    """The notices that one analysis may send.

    Args:
        readout: its result.
        final: whether it is the final one.
        number: of the analysis; it distinguishes planned looks.
    """
    broken = any(finding.invalid == BROKEN_SPLIT for finding in readout.health)
    yield News("sample_ratio", "broken" if broken else OVER)
    yield News("guardrail", "harm" if _guardrail_alarm(readout) else OVER)
    yield News("run_failed", OVER)
    if not outcome_is_open(readout.standing):
        return
    if readout.standing.why in LOOKS:  # the same words for every result, also for none
        yield News("look_due", "ended" if readout.standing.why == "ended" else f"look {number}")
    code = "" if readout.verdict is None else readout.verdict.code.value
    if code and (final or code != Code.INCONCLUSIVE):
        told = code + (FINAL if final else "")
        yield News("verdict", told, told)


def _guardrail_alarm(readout: Readout) -> bool:
    """Harm, or a change of unknown direction. While the outcome is locked: only by the nightly sequential test."""
    harmed = readout.decision is not None and any(state.safety is Safety.HARM for state in readout.decision.guardrails)
    return harmed or any(finding.check == GUARDRAIL for finding in readout.health)
