"""Side by side with tea-tasting, spotify-confidence and gbstats on the same inputs, and how fast.

    .venv/bin/python benchmarks/peers.py --write docs/peers.md
    .venv/bin/python benchmarks/peers.py --units 1000000 --rounds 15

Each peer lives in an environment of its own (`var/peers/`, made from the locks in `benchmarks/peers/`) and says its
numbers as JSON. A row without a reason must agree; if it doesn't, the exit code is 1.
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.frame import ROOT, filled, line, options_of, show

# A row of `peers/rows.csv` names a number of ours (as `ours.py` prints it) and of a peer. Without `why` the definition
# is the same, and they must agree but for the order of additions; looser where a peer searches numerically.
FOLDER = Path(__file__).resolve().parent / "peers"
SAME, SEARCHED = 1e-9, 1e-3

UNITS, SEED, SPEED_UNITS, ROUNDS = 20_000, 20261124, 1_000_000, 15
PEERS = {"tea": "tea-tasting 2.0.0", "spotify": "spotify-confidence 4.1.0", "gb": "gbstats 0.8.0"}
# gbstats pins NumPy 1 and pandas 1, which this Python can't have: it goes in without its dependencies.
WITHOUT_DEPENDENCIES = {"gb": "gbstats==0.8.0"}


def main() -> None:
    parser = options_of(__doc__, processes=False, rounds=ROUNDS)
    parser.add_argument("--units", type=int, default=SPEED_UNITS, help="units of the speed comparison")
    parser.add_argument("--environments", type=Path, default=ROOT / "var" / "peers")
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
    show(text, options.write)
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
    for row in csv.DictReader((FOLDER / "rows.csv").read_text(encoding="utf-8").splitlines()):
        mine, theirs = said["ours"][row["ours"]], said[row["peer"]][row["theirs"]]
        tolerance, away = SEARCHED if row["tolerance"] else SAME, abs(mine - theirs) / max(abs(theirs), 1e-300)
        numbers = {"mine": mine, "other": theirs, "away": away, "wrong": not row["why"] and away > tolerance}
        rows.append({**row, "tolerance": tolerance, **numbers})
    return rows


def page(rows: list[dict[str, Any]], seconds: dict[str, list[float]], units: int) -> str:
    ratios = {
        name: median(mine / other for mine, other in zip(seconds["ours"], theirs, strict=True))
        for name, theirs in seconds.items()
        if name != "ours"
    }
    return filled(
        "peers",
        globals(),
        peers=", ".join(PEERS.values()),
        equal=sum(not row["why"] for row in rows),
        all=len(rows),
        wrong=sum(row["wrong"] for row in rows) or "none",
        rows=map(row_line, rows),
        units=units,
        turns=len(seconds["ours"]),
        ours=median(seconds["ours"]),
        theirs=[
            line(name.replace("tea", "tea-tasting"), f"{median(seconds[name]):.3f}", f"{ratio:.2f}")
            for name, ratio in ratios.items()
        ],
    )


def row_line(row: dict[str, Any]) -> str:
    gap = "**differs**" if row["wrong"] else "equal" if not row["why"] else f"{row['mine'] - row['other']:+.2g}"
    numbers = (f"{row[key]:.7g}" for key in ("mine", "other"))
    return line(row["what"], PEERS[row["peer"]].split()[0], *numbers, gap, row["why"])


if __name__ == "__main__":
    main()
