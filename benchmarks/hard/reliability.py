"""docs/reliability.md: what a run did and what it counted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.frame import ROOT
from benchmarks.hard.comparing import PROMISES
from benchmarks.hard.under_fire import Outcome

PAGE = ROOT / "docs" / "reliability.md"
HEAD = """# Reliability

Written by `make hard`: a real site (gunicorn, two workers with schedules, PostgreSQL of its own, a store on a small
disk) under load, while its processes are killed (SIGKILL) at random instants and its surroundings break. A ledger
outside of the site keeps what every call was answered; at the end it is compared with what the site holds. Prometheus
watches with the rules of `deploy/prometheus/alerts.yml`, their waits left out and their windows set to 30 seconds: an
alert must be seen while a fault lasts, and be silent afterwards. `benchmarks/hard/` is the whole of it; a seed fixes
what is drawn, not when the machine gets to it.

`make test`, and so CI, does it for half a minute (`python -m benchmarks.hard --size brief`): load on the doors of
events and evaluations, 18 kills of the web and of the workers' processes, no faults and no Prometheus. Nothing may
be lost, doubled or answered otherwise than stored; how fast the answers were is not judged there.
"""


def write(outcome: Outcome, commit: str, machine: str, page: Path = PAGE) -> None:
    """The page of this run."""
    page.write_text(text_of(outcome, commit, machine), "utf-8")


def text_of(outcome: Outcome, commit: str, machine: str) -> str:
    figures, minutes = outcome.figures, outcome.seconds / 60
    kept = [(name, f"{figures.get(name, 'not looked at')}") for name in PROMISES]
    kills = [*((name, f"{number}") for name, number in outcome.kills.items()), ("all", f"{figures['kills']}")]
    parts = [
        HEAD,
        f"Size {outcome.size}, seed {outcome.seed}, {minutes:.0f} minutes, commit {commit}, {machine}.\n",
        "## Promises\n",
        *_table(("promise", "broken"), kept),
        f"\n{figures['events acknowledged']:,} events were acknowledged and {figures['units answered']:,} units",
        f"got an arm; {figures['events in the store']:,} events lay in the store at the end, exposures among them.",
        f"{figures['alerts expected']} alerts were expected, {figures['alerts missed']} missed.\n",
        "## Kills\n",
        *_table(("SIGKILL to", "times"), kills),
        "\n## Faults\n",
        *_table(("fault", "times", "seconds", "alerts expected", "seen"), _faults(outcome.faults)),
        "\n## Load\n",
        *_table(("when", "requests/s", "p99, ms", "not answered well"), [_load(*row) for row in outcome.load.items()]),
        "\nSix callers make this load: three send batches of events, two ask for arms, one reads pages, and each",
        "waits 0.03 to 0.2 s on average between two calls. So the rate is theirs and not the site's; what the site can",
        "do: docs/performance.md.",
        *(["\n## Notes\n", *(f"* {note}" for note in outcome.notes)] if outcome.notes else []),
    ]
    return "\n".join(parts) + "\n"


def _load(when: str, load: dict[str, float]) -> tuple[str, ...]:
    bad = f"{100 * load['not answered well']:.1f} %"
    return when, f"{load['requests/s']:.0f}", f"{load['p99 ms']:.0f}", bad


def _faults(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """One row for each kind; what one of its times missed is missed."""
    found: list[tuple[str, ...]] = []
    for name in dict.fromkeys(row["fault"] for row in rows):
        times = [row for row in rows if row["fault"] == name]
        if any("not possible here" in row for row in times):
            found.append((name, "0", "not possible on this machine", "", ""))
            continue
        expected = times[0]["expected"]
        missed = {alert for row in times for alert in row["expected"] if alert not in row["seen"]}
        seen = [f"{alert} MISSED" if alert in missed else alert for alert in expected]
        seconds = ", ".join(f"{row['seconds']:.0f}" for row in times)
        found.append((name, f"{len(times)}", seconds, ", ".join(expected) or "none", ", ".join(seen) or "none"))
    return found


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads), *(f"| {' | '.join(row)} |" for row in rows)]
