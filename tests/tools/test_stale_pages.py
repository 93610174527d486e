"""Pages of figures say how old these are, tried in a repository of three commits."""

import subprocess
from pathlib import Path

import pytest

from tools import stale_pages

PAGE = "# Figures\n\nBy a command, commit {commit}: 3 %.\n\n## More\n\nText.\n"
NOTE = "Made at commit abcdef1. A new run may give others."


def _commit(root: Path, file: str, text: str) -> str:
    """Write a file and commit it; the commit's short name."""
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(text, "utf-8")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    for args in (("add", "-A"), (*who, "commit", "-q", "--no-verify", "-m", file)):
        subprocess.run(["git", *args], cwd=root, check=True)
    return stale_pages.git(root, "rev-parse", "--short=8", "HEAD")[0]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    _commit(tmp_path, "stats/one.py", "1")
    return tmp_path


def test_note__what_is_measured_has_changed__names_it_and_stays_the_same_at_later_commits(root: Path) -> None:
    made = _commit(root, "experiments/one.py", "1")
    page = PAGE.format(commit=made)

    assert stale_pages.note_of(page, ("stats", "experiments"), root) == ""

    _commit(root, "stats/one.py", "2")
    note = stale_pages.note_of(page, ("stats", "experiments"), root)
    _commit(root, "docs/other.md", "2")

    assert note == f"Made at commit {made}. Changed since: `stats`. A new run may give others."
    assert stale_pages.note_of(stale_pages.with_note(page, note), ("stats", "experiments"), root) == note


@pytest.mark.parametrize(
    ("commit", "said"), [("0123456", "Not in this repository: 0123456."), ("unnamed", "No commit was written down")]
)
def test_note__commit_that_cannot_be_found__says_so(root: Path, commit: str, said: str) -> None:
    assert said in stale_pages.note_of(PAGE.format(commit=commit), ("stats",), root)


def test_with_note__again_and_then_none__is_there_once_and_goes() -> None:
    page = PAGE.format(commit="abcdef1")
    noted = stale_pages.with_note(page, NOTE)

    assert noted.startswith(f"# Figures\n\n> **How old these figures are.** {NOTE}\n\nBy a command")
    assert stale_pages.with_note(noted, NOTE) == noted
    assert stale_pages.with_note(noted, "") == page == stale_pages.without_note(noted)


def test_with_note__page_that_people_write__has_it_below_the_heading_of_the_figures() -> None:
    page = "# Erase\n\nHow to.\n\n## How fast\n\n3 s at commit abcdef1.\n\n## After\n\nText.\n"

    assert f"## How fast\n\n> **How old these figures are.** {NOTE}\n\n3 s" in stale_pages.with_note(
        page, NOTE, in_its_part=True
    )


def _unsaid(root: Path, monkeypatch: pytest.MonkeyPatch, page: str, other: str = "") -> list[str]:
    (root / "docs").mkdir(exist_ok=True)
    (root / "docs" / "figures.md").write_text(page, "utf-8")
    (root / "docs" / "other.md").write_text(other, "utf-8")
    monkeypatch.setattr(stale_pages, "MEASURES", {"docs/figures.md": ("stats",)})
    return list(stale_pages.unsaid(root))


def test_lint__commit_of_this_repository__is_silent_however_much_has_changed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stale_pages.git(root, "rev-parse", "--short", "HEAD")[0]
    _commit(root, "stats/one.py", "2")

    assert _unsaid(root, monkeypatch, PAGE.format(commit=made)) == []


@pytest.mark.parametrize("commit", ["0123456", "unnamed"])
def test_lint__unknown_commit_or_none__asks_for_a_note(
    root: Path, monkeypatch: pytest.MonkeyPatch, commit: str
) -> None:
    page = PAGE.format(commit=commit)

    assert len(_unsaid(root, monkeypatch, page)) == 1
    assert _unsaid(root, monkeypatch, stale_pages.with_note(page, NOTE)) == []


def test_lint__page_with_a_commit_that_the_table_lacks__is_found(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = stale_pages.git(root, "rev-parse", "--short", "HEAD")[0]

    assert len(_unsaid(root, monkeypatch, PAGE.format(commit=made), other=f"At commit {made}.")) == 1


def test_lint__shallow_clone__knows_no_history_and_finds_no_commit_missing(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _commit(root, "stats/one.py", "2")
    clone = tmp_path_factory.mktemp("shallow")
    subprocess.run(["git", "clone", "-q", "--depth", "1", root.as_uri(), str(clone)], check=True)

    assert stale_pages.history(clone) == frozenset()
    assert _unsaid(clone, monkeypatch, PAGE.format(commit="0123456")) == []
