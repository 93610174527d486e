"""Drive every parser with atheris: `python -m tests.fuzz --seconds 120 [--only NAME …] [--seed 7] [--write]`.

The site is imported once, each line of it watched; then a fork for each parser, two at once, with limits of memory and
of time for one input. What is found lies in `tests/fuzz/cases/NAME/` and fails `tests/fuzz/test_fuzz.py` until it is
mended; it stays there afterwards.
"""

import argparse
import base64
import ctypes
import os
import re
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, NoReturn

from benchmarks.frame import commit

if TYPE_CHECKING:  # imported under the eyes of atheris, below
    from tests.fuzz.targets import Target

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "tests" / "fuzz" / "cases"
PAGE = ROOT / "docs" / "fuzzing.md"
MEGABYTES, SECONDS = 1_500, 10  # of one process, and for one input
PACKAGES = ["events", "segments", "experiments.serve", "experiments.files", "experiments.draw", "insight_site", "json"]
HEAD = """# Fuzzing

What comes from outside is read by few functions. `make fuzz` throws bytes at each of them, with atheris
(libFuzzer, guided by which lines of our code an input reaches), for as many seconds as it is told. An input
is a finding when the function raises what its door doesn't catch, when what it read can't be written and read
again as the same, when it opens a file or calls somebody, when it takes more than {seconds} s, or when the process
grows beyond {megabytes} MB. Findings are kept in `tests/fuzz/cases/`; every `make check` runs them.

`make test`, and so CI, fuzzes each parser for 5 s. A finding fails it, and is printed with its seed and its bytes: put
into `tests/fuzz/cases/PARSER/`, they are read again by `tests/fuzz/test_fuzz.py`.

`parquet` is an uploaded file up to the preview of its import, `finished` and `finished_parquet` the file of an
experiment that was run elsewhere, `catalogue` metrics as YAML, `sql_metric` a metric as SQL: what its gate lets through
is asked of an engine.

The doors as a whole are asked by schemathesis (`tests/clients/test_clients_schemathesis.py`), on SQLite and
on PostgreSQL.

At commit {commit}:

| parser | inputs | seconds | edges reached | new findings | peak MB |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Seen:
    """What came of one parser: inputs, seconds, edges reached, new findings, megabytes."""

    name: str
    inputs: int
    seconds: float
    reached: int
    findings: int
    megabytes: int

    def row(self) -> str:
        """A row of the page."""
        return (
            f"| {self.name} | {self.inputs:,} | {self.seconds:.0f} | {self.reached:,} | {self.findings} "
            f"| {self.megabytes:,} |\n"
        )


@dataclass(frozen=True)
class Child:
    """A fork at work on one parser: its folder, the cases known before, and when it began."""

    name: str
    folder: Path
    before: set[Path]
    began: float


def targets() -> "dict[str, Target]":
    """Every parser, imported so that libFuzzer sees which lines an input reaches."""
    import atheris

    with atheris.instrument_imports(include=PACKAGES):
        import django

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "insight_site.settings")
        django.setup()
        from tests.fuzz.targets import BY_NAME
    return BY_NAME


def fuzz(target: "Target", folder: Path, seconds: int, seed: int) -> NoReturn:
    """Fuzz one parser in this process, until libFuzzer ends it."""
    import atheris

    said = os.open(folder / "said", os.O_WRONLY | os.O_CREAT)
    os.dup2(said, 1)
    os.dup2(said, 2)
    corpus, words = folder / "corpus", folder / "words"
    corpus.mkdir()
    for place, seed_input in enumerate(target.seeds):
        (corpus / f"seed-{place}").write_bytes(seed_input)
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
    known = [f"-dict={words}"] if target.words else []
    atheris.Setup(
        [
            sys.argv[0], f"-max_len={target.longest}", *known, f"-max_total_time={seconds}", f"-seed={seed}",
            f"-rss_limit_mb={MEGABYTES}", f"-timeout={SECONDS}", f"-artifact_prefix={CASES / target.name}/",
            "-print_final_stats=1", str(corpus),
        ],
        target.read,
    )  # fmt: skip
    # At its end libFuzzer calls exit(); what engines would tidy up then belongs to threads that a fork doesn't have.
    libc = ctypes.CDLL(None)
    libc.__cxa_atexit(libc._exit, None, None)
    atheris.Fuzz()
    os._exit(1)


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


def fuzz_all(chosen: "list[Target]", seconds: int, seed: int) -> list[Seen]:
    """Fuzz parsers, each in a fork of this process, two at once."""
    waiting, running, seen = list(chosen), dict[int, Child](), []
    while waiting or running:
        if waiting and len(running) < 2:
            target = waiting.pop(0)
            cases = CASES / target.name
            cases.mkdir(parents=True, exist_ok=True)
            # No TemporaryDirectory, which the fork would remove when it ends.
            child = Child(target.name, Path(mkdtemp()), set(cases.glob("*")), time.monotonic())
            pid = os.fork()
            if not pid:
                try:
                    fuzz(target, child.folder, seconds, seed)
                finally:
                    os._exit(1)
            running[pid] = child
            continue
        pid, status = os.wait()
        seen.append(_ended(running.pop(pid), status))
    return seen


def _ended(child: Child, status: int) -> Seen:
    """What came of one parser; findings are printed."""
    cases = CASES / child.name
    said = (child.folder / "said").read_text(errors="replace")
    shutil.rmtree(child.folder)
    found = sorted(set(cases.glob("*")) - child.before)
    if status and not found:
        raise SystemExit(f"{child.name}: the fuzzer itself failed\n{said[-3_000:]}")
    if found:
        print(f"{child.name}: {_trouble(said)}", flush=True)
    for path in found:
        print(f"{path.relative_to(ROOT)}, in base64:\n{base64.b64encode(path.read_bytes()).decode()}", flush=True)
    if not any(cases.iterdir()):
        cases.rmdir()
    return Seen(
        child.name,
        _stat(said, "number_of_executed_units"),
        time.monotonic() - child.began,
        max(map(int, re.findall(r"cov: (\d+)", said)), default=0),
        len(found),
        _stat(said, "peak_rss_mb"),
    )


def _trouble(said: str) -> str:
    """What a process said that wasn't about its own work."""
    return "\n".join(line for line in said.splitlines() if not line.startswith(("INFO", "#", "WARNING", "NEW_FUNC")))[
        -2_500:
    ]


def _stat(said: str, name: str) -> int:
    found = re.search(rf"stat::{name}:\s+(\d+)", said)
    return int(found[1]) if found else 0


def main() -> int:
    """Fuzz all or some parsers, two at once; 1 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each parser")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of libFuzzer; another one each time")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--write", action="store_true", help="write docs/fuzzing.md")
    chosen = parser.parse_args()
    print(f"fuzz: seed {chosen.seed}", flush=True)
    known = targets()
    seen = fuzz_all([known[name] for name in chosen.only or known], chosen.seconds, chosen.seed)
    head = HEAD.format(seconds=SECONDS, megabytes=f"{MEGABYTES:,}", commit=commit())
    page = head + "".join(row.row() for row in seen)
    print(page)
    if chosen.write:
        PAGE.write_text(page)
    return int(any(row.findings for row in seen))


if __name__ == "__main__":
    sys.exit(main())
