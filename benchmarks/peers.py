"""Side by side with tea-tasting, spotify-confidence and gbstats on the same inputs, and how fast.

    .venv/bin/python benchmarks/peers.py --write docs/peers.md
    .venv/bin/python benchmarks/peers.py --units 1000000 --rounds 15 --json var/peers.json

Each peer lives in an environment of its own (`var/peers/`, made from the locks in `benchmarks/peers/`) and says its
numbers as JSON. A row without a reason must agree; if it doesn't, the exit code is 1.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from peer_rows import ROWS  # noqa: E402 - beside this file

from benchmarks.frame import commit, line, options_of  # noqa: E402

FOLDER = Path(__file__).resolve().parent / "peers"

UNITS, SEED, SPEED_UNITS, ROUNDS = 20_000, 20261124, 1_000_000, 15
PEERS = {"tea": "tea-tasting 2.0.0", "spotify": "spotify-confidence 4.1.0", "gb": "gbstats 0.8.0"}
# gbstats pins NumPy 1 and pandas 1, which this Python can't have: it goes in without its dependencies.
WITHOUT_DEPENDENCIES = {"gb": "gbstats==0.8.0"}


def main() -> None:
    parser = options_of(__doc__, processes=False)
    parser.add_argument("--units", type=int, default=SPEED_UNITS, help="units of the speed comparison")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--environments", type=Path, default=ROOT / "var" / "peers")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    pythons = {peer: environment(peer, options.environments / peer) for peer in PEERS}
    pythons["ours"] = Path(sys.executable)
    with tempfile.TemporaryDirectory(prefix="insight-bench-") as folder:
        inputs = make_inputs(UNITS, Path(folder) / "inputs.npz")
        said = {name: ask(python, f"{name}.py", inputs) for name, python in pythons.items()}
        large = make_inputs(options.units, Path(folder) / "large.npz")
        seconds = ask(pythons["tea"], "speed.py", large, str(options.rounds))
        rows = compared(said)
    text = page(rows, seconds, options.units)
    print(text)
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "seconds": seconds}, indent=1), encoding="utf-8")
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")
    sys.exit(any(row["wrong"] for row in rows))


# ── The peers ─────────────────────────────────────────────────────────────────
def environment(peer: str, path: Path) -> Path:
    """Make the peer's environment, or use the one that was made from the same lock."""
    lock, stamp = FOLDER / f"requirements-{peer}.txt", path / ".lock"
    python = path / "bin" / "python"
    if stamp.exists() and stamp.read_bytes() == lock.read_bytes():
        return python
    uv = [str(ROOT / ".venv" / "bin" / "uv")]
    subprocess.run([*uv, "venv", "-q", "--clear", "--python", sys.executable, str(path)], check=True)
    install = [*uv, "pip", "install", "-q", "--python", str(python)]
    subprocess.run([*install, "--require-hashes", "-r", str(lock)], check=True)
    if peer in WITHOUT_DEPENDENCIES:
        subprocess.run([*install, "--no-deps", WITHOUT_DEPENDENCIES[peer]], check=True)
    stamp.write_bytes(lock.read_bytes())
    return python


def ask(python: Path, script: str, *arguments: str | Path) -> dict[str, Any]:
    command = [str(python), "-W", "ignore", str(FOLDER / script), *map(str, arguments)]
    settings = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=settings)
    if answer.returncode:
        sys.exit(f"{script}: {answer.stderr}")
    return json.loads(answer.stdout.splitlines()[-1])


def make_inputs(units: int, path: Path) -> Path:
    """Skewed revenue with many zeros, a covariate from before, a ratio, a share, and one small table."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    liveliness = rng.gamma(2, 0.5, units)
    variant = (rng.random(units) < 0.5).astype(np.int64)
    before = rng.poisson(3 * liveliness) + rng.gamma(1, 2, units)
    sessions = rng.poisson(2 * liveliness) + 1
    spend = 3 * liveliness * rng.gamma(1, 4, units) + 0.5 * before + 1.2 * variant
    np.savez(
        path,
        variant=variant,
        before=before,
        sessions=sessions,
        orders=rng.binomial(sessions, 0.2 + 0.01 * variant),
        revenue=np.where(rng.random(units) < 0.6, spend, 0.0),
        retained=(rng.random(units) < 0.3 + 0.02 * variant).astype(np.int64),
        small_variant=np.repeat([1, 0], 34),
        small_retained=np.repeat([1, 0, 1, 0], [7, 27, 1, 33]),
    )
    return path


# ── Tables ────────────────────────────────────────────────────────────────────
def compared(said: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """Each row with both numbers; `wrong` where they must agree and don't."""
    from stats.sequential.boundaries import crossing

    # Their looks through our recursion: it must find the error rate that they spent.
    looks = [said["spotify"][f"look.{k}"] for k in range(1, 6)]
    said["ours"]["their_looks.alarms"] = sum(crossing([k / 5 for k in range(1, 6)], looks))
    said["spotify"]["their_looks.alpha"] = 0.05
    rows = []
    for row in ROWS:
        mine, theirs = said["ours"][row.ours], said[row.peer][row.theirs]
        away = abs(mine - theirs) / max(abs(theirs), 1e-300)
        wrong = not row.why and away > row.tolerance
        rows.append(asdict(row) | {"mine": mine, "other": theirs, "away": away, "wrong": wrong})
    return rows


def page(rows: list[dict[str, Any]], seconds: dict[str, list[float]], units: int) -> str:
    equal, wrong = (sum(bool(test(row)) for row in rows) for test in (lambda r: not r["why"], lambda r: r["wrong"]))
    lines = [
        "# Side by side with other libraries",
        "",
        "The same data go through Insight and through other known libraries of experiment statistics. Where both",
        "compute the same quantity the numbers must agree; where they don't, the table says why.",
        "",
        f"`python benchmarks/peers.py`, commit {commit()}: {', '.join(PEERS.values())}; {UNITS:,} units,",
        f"seed {SEED}.",
        f"The definition is the same in {equal} of {len(rows)} comparisons; of these {wrong or 'none'} differ by more",
        "than rounding. Where definitions differ, the last column says how.",
        "",
        line("quantity", "peer", "ours", "theirs", "difference", "why"),
        line(*["---"] * 6),
        *(row_line(row) for row in rows),
        "",
        "## Speed",
        "",
        *speed(seconds, units),
    ]
    return "\n".join(lines)


def row_line(row: dict[str, Any]) -> str:
    gap = "**differs**" if row["wrong"] else "equal" if not row["why"] else f"{row['mine'] - row['other']:+.2g}"
    numbers = (f"{row[key]:.7g}" for key in ("mine", "other"))
    return line(row["what"], PEERS[row["peer"]].split()[0], *numbers, gap, row["why"])


def speed(seconds: dict[str, list[float]], units: int) -> list[str]:
    """Median seconds, and the median of the ratios of neighbours in the same turn."""
    rows = [
        f"Share, mean, ratio, CUPED, lifts and sample ratio of {units:,} units from one Arrow table in memory, both",
        "libraries in one process taking turns, aggregation included, processor seconds of one thread. The aim: at",
        f"most 1.5 times tea-tasting. Median of {len(seconds['ours'])} turns.",
        "",
        line("library", "seconds", "ours as a multiple (median of pairs)"),
        line("---", "---", "---"),
        line("ours", f"{median(seconds['ours']):.3f}", ""),
    ]
    for name, theirs in seconds.items():
        if name != "ours":
            ratio = median(mine / other for mine, other in zip(seconds["ours"], theirs, strict=True))
            rows.append(line(name.replace("tea", "tea-tasting"), f"{median(theirs):.3f}", f"{ratio:.2f}"))
    return rows


if __name__ == "__main__":
    main()
