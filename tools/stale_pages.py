"""Find figures that are older than the code they measure: `python -m tools.stale_pages [--write]`.

A page of figures names the commit at which they were made. If there is none, if this repository lacks it, or if the
measured code has changed since, the page has a note. A release manager updates the notes by `--write`; without it the
command lists them, and exits with 1 if one is missing or outdated.

Lint (`tools.check`) requires less, so that other commits don't make it fail: each commit that a page names is in this
repository, or the page has a note.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
JUDGING = ("experiments/analyse", "stats")
WORLDS = ("events/simulation", *JUDGING)
ATTACKED = ("aha", "events/warehouse", "events/metrics", "experiments", "segments", "stats")
# What each page measures. A changed format or name there causes a note too: it only advises to look.
MEASURES: Mapping[str, tuple[str, ...]] = {
    "docs/adr/0011-events-stay-in-delta.md": ("events/store/event_table.py",),
    "docs/aha_worlds.md": ("benchmarks/aha_worlds", "aha/study", *WORLDS),
    "docs/audit.md": ATTACKED,  # retired: its programs are gone, the page stays
    "docs/audit_04.md": ("benchmarks/audit_04", *ATTACKED),
    "docs/backup.md": ("benchmarks/operation/backup.py", "insight_site/operate"),
    "docs/calibration.md": ("benchmarks/calibration.py", *JUDGING),
    "docs/decision.md": ("benchmarks/causes/decision.py", *JUDGING),
    "docs/default_adjustment.md": ("benchmarks/causes/default_adjustment.py", "experiments/plan/cupac.py", "stats"),
    "docs/design_search.md": (
        "benchmarks/causes/design_search.py",
        "experiments/plan/designs.py",
        "experiments/plan/design_search.py",
        *WORLDS,
    ),
    "docs/event_streams.md": ("benchmarks/doors/event_streams.py", "insight_site/machine"),
    "docs/fuzzing.md": ("tests/fuzz", "events", "experiments/draw", "experiments/files", "segments/rules"),
    "docs/map_of_causes.md": ("benchmarks/causes/false_maps.py", "stats/instrument", "stats/multiplicity.py"),
    "docs/peers.md": ("benchmarks/peers", "stats"),
    "docs/performance.md": ("benchmarks/jobs", "aha", "events", "experiments", "insight_site/machine", "segments"),
    "docs/policy.md": ("benchmarks/causes/policy.py", *WORLDS),
    "docs/pooling.md": ("benchmarks/causes/pooling.py", "stats/instrument"),
    "docs/privacy.md": ("benchmarks/privacy", "events/erasure.py", "events/data_retention.py", "insight_site/privacy"),
    "docs/reliability.md": ("benchmarks/hard", "events", "experiments/serve", "insight_site/machine", "runs"),
    "docs/saturation.md": ("benchmarks/causes/saturation.py", "experiments/draw", *WORLDS),
    "docs/scale.md": ("benchmarks/growth.py", "aha/study", "events/warehouse", "events/importing", "segments/search"),
    "docs/selftest.md": ("benchmarks/selftest", "insight_site/selftest", "aha/study", "segments/search", *JUDGING),
    "docs/several_experiments.md": ("benchmarks/several", *JUDGING),
    "docs/which_behaviour_figures.md": ("benchmarks/causes/which_behaviour.py", *WORLDS),
    "docs/verdicts.md": ("benchmarks/verdicts.py", "experiments/files", *WORLDS),
}
# Written by people, with figures in one part only: the note goes below that part's heading.
BY_PEOPLE = ("docs/backup.md", "docs/event_streams.md", "docs/privacy.md", "docs/scale.md", "docs/selftest.md")
COMMIT = re.compile(r"\bcommit ([0-9a-f]{7,40})\b")
NOTE = re.compile(r"^> \*\*How old these figures are\.\*\* .*\n\n", re.MULTILINE)
HEADING = re.compile(r"^#+ .*\n\n", re.MULTILINE)


def git(root: Path, *args: str) -> list[str]:
    """Lines printed by git; empty if it fails, as outside of a repository."""
    run = subprocess.run(["git", *args], cwd=root, capture_output=True, text=True, check=False)
    return run.stdout.splitlines() if run.returncode == 0 else []


def history(root: Path = ROOT) -> frozenset[str]:
    """All commits up to this one; empty if unknown: no repository, or a shallow one."""
    is_whole = git(root, "rev-parse", "--is-shallow-repository") == ["false"]
    return frozenset(git(root, "rev-list", "HEAD")) if is_whole else frozenset()


def without_note(text: str) -> str:
    """A page without its note, as its own command writes it."""
    return NOTE.sub("", text)


def named(text: str) -> list[str]:
    """The commits that a page names for its figures, in order, without duplicates."""
    return list(dict.fromkeys(COMMIT.findall(without_note(text))))


def absent(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Those commits that the history lacks."""
    known = tuple(known)
    return [name for name in names if not any(one.startswith(name) for one in known)]


def note_of(text: str, measured: Iterable[str], root: Path = ROOT) -> str:
    """The required note on the age of a page's figures; "" if nothing that they measure has changed."""
    names = named(text)
    if not names:
        return "No commit was written down with them, so nobody can say what has changed since."
    lost = absent(names, history(root))
    changed = {
        path
        for name in names
        if name not in lost
        for path in measured
        if git(root, "diff", "--name-only", name, "HEAD", "--", path)
    }
    if not lost and not changed:
        return ""
    made = f"Made at commit {names[0]}." if len(names) == 1 else f"Made at the commits {', '.join(names)}."
    if lost:
        made += f" Not in this repository: {', '.join(lost)}."
    if changed:
        made += f" Changed since: {', '.join(f'`{path}`' for path in measured if path in changed)}."
    return f"{made} A new run may give others."


def with_note(text: str, note: str, *, in_its_part: bool = False) -> str:
    """The page with this note and no other.

    Args:
        text: the page.
        note: "" for none.
        in_its_part: put it below the last heading before the first named commit, else below the title.
    """
    text = without_note(text)
    first = COMMIT.search(text) if in_its_part else None
    headings = [one.end() for one in HEADING.finditer(text) if first is None or one.end() <= first.start()]
    place = headings[-1 if first else 0]
    return f"{text[:place]}> **How old these figures are.** {note}\n\n{text[place:]}" if note else text


def unsaid(root: Path = ROOT) -> Iterator[str]:
    """Pages whose figures name no commit of this repository and that have no note; and errors of the table above."""
    known = history(root)
    for name in sorted(MEASURES):
        gone = [path for path in MEASURES[name] if not (root / path).exists()]
        yield from (f"{name}: {path} is measured, and isn't there" for path in gone)
        text = (root / name).read_text("utf-8")
        lost = absent(named(text), known) if known else []
        if not NOTE.search(text) and (lost or not named(text)):
            what = f"commit {', '.join(lost)} isn't in this repository" if lost else "no commit is named"
            yield f"{name}: {what}: make it again, or run python -m tools.stale_pages --write"
    for page in sorted((root / "docs").rglob("*.md")):
        name = page.relative_to(root).as_posix()
        if name not in MEASURES and named(page.read_text("utf-8")):
            yield f"{name}: it names a commit, and MEASURES of tools/stale_pages.py doesn't say what it measures"


CHECKS = (unsaid,)


def main() -> int:
    """The command line; the exit status."""
    write, wrong = "--write" in sys.argv[1:], 0
    for name, measured in MEASURES.items():
        page = ROOT / name
        text = page.read_text("utf-8")
        note = note_of(text, measured)
        new = with_note(text, note, in_its_part=name in BY_PEOPLE)
        wrong += new != text
        if write:
            page.write_text(new, "utf-8")
        print(f"{name}: {note or 'nothing has changed since'}")
        if new != text and not write:
            print("    and the page doesn't say so: run it with --write")
    return 0 if write else min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
