"""What `python -m tools.check` finds, each on a line that is wrong and on one that isn't."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from insight_site.pages.glossary_terms import Term
from tests.attacks.register import HELD
from tools.check import korean, pages, sources, words
from tools.docs_site import sources as site_sources


@pytest.mark.parametrize(
    ("find", "wrong", "right"),
    [
        (pages.absent_files, "see `stats/gone.py`", "see `stats/results.py`"),
        (pages.absent_files, "see `no_such_file.py`", "see `results.py`, `var/made.py`"),
        (pages.absent_files, "see `stats.gone`", "see `stats.results`, `events/part.parquet`"),
        (pages.absent_tests, "`test_nothing__of_this__exists`", "`test_parse__lines_comments_and_flags__…`"),
        (pages.absent_tests, "test_parse__nobody_wrote…", "test_parse__lines_comments_and_flags__become_instructions"),
        (pages.absent_commands, "run `manage.py demonstrate`", "run `manage.py demo --units 3`"),
        (pages.absent_commands, "`demo --unit 3`", "`metrics export --check`"),
        (pages.absent_targets, "then `make tests`", "then `make test`"),
        (pages.unsaid_by_method, "It assumes much. Source: none.", "It assumes little. Not for: much. Source: a book."),
        (korean.wrong_in, "누르십시오", "누르세요"),
        (korean.wrong_in, "10 %입니다", "10%입니다"),
        (korean.wrong_in, "“인용”", "‘인용’"),
        (sources.outside, "Source: METHODS" + " 4.12.", "METHODS = ('fixed', 2)"),
        (sources.outside, "(METHODS" + "\n# 4.10)", "for method in METHODS\n"),
        (sources.outside, "as in DESIGN" + ".md §8", "DESIGN = Design()"),
        (sources.outside, "(RULING" + "S, takeaways)", "the ruling of a plan; IN_STYLE"),
        (sources.outside, "see STYLE" + ".md", "STYLE = re.compile(x)"),
        (sources.outside, "eight times slower (STACK" + "), so", "a stack of cards"),
        (sources.traps_in, "p = 1 - norm.cdf(z)", "p = norm.sf(z)"),
        (sources.traps_in, "def test_p(): ...", "    def test_p(): ..."),
    ],
)
def test_check__a_line_that_is_wrong__is_found(find: Callable[[str], Iterator[object]], wrong: str, right: str) -> None:
    assert len(list(find(wrong))) == 1
    assert list(find(right)) == []


MISSING = "docs/" + "methods/"  # apart, since the check reads this file too


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ('Source: docs/methods/power.md, "Take-up"; docs/methods/power.md.', []),
        ('# see docs/methods/power.md,\n# "Take-up"', []),
        (MISSING + 'power.md, "Gone"', [MISSING + "power.md has no section “Gone”"]),
        (MISSING + "gone.md", ["there is no " + MISSING + "gone.md"]),
    ],
)
def test_citation__of_a_page_of_methods__leads_to_a_section(text: str, findings: list[str]) -> None:
    sections = {"power": sources.sections_of("# Power\n\n## Take-up\n\n## Ratios\n")}

    assert list(sources.uncited(text, sections)) == findings


def test_links__inside_the_repository__lead_somewhere() -> None:
    text = "[a](map.md#x) [b](gone.md) [c](https://example.com/gone.md) [d](reference/commands.md)"

    assert list(pages.absent_links(text, pages.DOCS)) == ["gone.md"]


@pytest.mark.parametrize(
    ("licence", "is_copyleft"),
    [
        ("GPL-3.0-or-later", True),
        ("License :: OSI Approved :: GNU Affero General Public License v3", True),
        ("LGPL-2.1", False),
        ("GNU Lesser General Public License v3", False),
        ("MIT", False),
    ],
)
def test_licence__gpl_and_agpl__bind_and_the_lesser_one_does_not(licence: str, is_copyleft: bool) -> None:
    assert sources.is_copyleft(licence) is is_copyleft


TABLE = "| English | Korean | never |\n|---|---|---|\n| arm | **실험군** | 팔 (팔로워) |\n| nudge | 넛지 | |\n"


@pytest.mark.parametrize(
    ("english", "meant", "broken"),
    [
        ("An arm", "실험군 하나", False),
        ("An arm", "그룹 하나", True),
        ("A person", "팔 하나", True),
        ("A follower", "팔로워", False),
        ("A nudge", "권유", False),  # not in bold: other words are allowed
        ("{arm} of PLAN", "{arm}", False),  # a placeholder is no word
    ],
)
def test_term__of_the_table__is_said_in_its_one_word(english: str, meant: str, broken: bool) -> None:
    arm, nudge = korean.terms_in(TABLE)

    assert arm.is_broken_by(english, meant) is broken
    assert not nudge.is_broken_by(english, meant)


def test_placeholders__of_two_languages__are_compared_in_any_order() -> None:
    assert korean.placeholders("%(n)s of {name}") == korean.placeholders("{name} %(n)s개")
    assert korean.placeholders("%(n)s of {name}") != korean.placeholders("%(m)s of {name}")


@pytest.mark.parametrize(
    ("meaning", "heading", "findings"),
    [
        ("One sentence. Two, of 0.5 points.", "Score interval", 0),
        ("One sentence.", "Score interval", 1),
        ("One sentence. Two.", "No such heading", 2),  # neither in docs/ nor on the site's page
    ],
)
def test_term__of_the_glossary__has_two_sentences_and_a_heading(meaning: str, heading: str, findings: int) -> None:
    found = list(pages.wrong_with_term(Term("x", "X", meaning, "comparison", heading)))

    assert len(found) == findings, found


def test_imports__inside_functions__are_found_but_for_ready_of_an_app() -> None:
    tree = ast.parse(
        "import a\ndef f():\n    import b\n    def g():\n        from c import d\ndef ready():\n    import e\n"
    )

    assert sorted(sources.imports_in_functions(tree, is_apps=True)) == ["b", "c"]
    assert sorted(sources.imports_in_functions(tree, is_apps=False)) == ["b", "c", "e"]


def test_code__of_two_languages__is_compared_block_by_block() -> None:
    english = "Text.\n\n```sh\nmake demo\n```\n\n1. x\n   ```py\n   y\n   ```\n"

    assert pages.code_of(english) == pages.code_of(english.replace("Text.", "글."))
    assert pages.code_of(english) != pages.code_of(english.replace("demo", "test"))


@pytest.mark.parametrize(
    ("right", "wrong", "finding"),
    [
        (
            "experiments/analyse/outcome_lock.py` (",
            "experiments/analyse/gone.py` (",
            "experiments/analyse/gone.py doesn't exist",
        ),
        ("(`rule_of`)", "(`gone_of`)", "“closing look”: experiments/analyse/outcome_lock.py has no gone_of"),
        (
            "::test_rule__of_a_last_look",
            "::test_gone",
            "there is no tests/experiments/analyse/test_closing.py::test_gone",
        ),
        (
            "  → `tests/experiments/analyse/test_closing.py",
            "  → `",
            "“closing look” doesn't lead to its file and to a test",
        ),
        ("**closing look**", "**last look**", "no rule is called “closing look”"),
        ("`tests/events/test_", "`tests/gone_", "“a metric” names no test"),
    ],
)
def test_map__with_a_planted_fault__is_told(
    right: str, wrong: str, finding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (pages.DOCS / "map.md").read_text("utf-8")
    (tmp_path / "map.md").write_text(text.replace(right, wrong), "utf-8")

    monkeypatch.setattr(pages, "DOCS", tmp_path)

    assert f"docs/map.md: {finding}" in list(pages.the_map())


def test_map__of_more_rules_than_are_wanted__is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_RULES", len(pages.IN_A_MINUTE))

    (found,) = pages.the_map()
    assert found.endswith(f" rules, at most {len(pages.IN_A_MINUTE)} are wanted")


NO_METHOD = "## A method\n\n* Assumes: nothing.\n* Not for: anything.\n* Source: a book.\n* Tested: never.\n"


def test_whole_checks__each_with_a_planted_fault__find_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they say of the repository as it is, `make lint` shows."""
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "comparison.md").write_text(NO_METHOD, "utf-8")
    (tmp_path / "security.md").write_text("no table", "utf-8")
    there = site_sources.source_pages(pages.ROOT)
    held = HELD | {"S1": replace(HELD["S1"], tests=("attacks/test_routes.py::test_gone",))}

    with monkeypatch.context() as planted:
        planted.setattr(pages, "DOCS", tmp_path)
        assert "docs/methods/comparison.md: “A method” doesn't say its formula" in list(pages.methods())
        assert "docs/security.md: not the line of S2" in list(pages.register())
    with monkeypatch.context() as planted:
        planted.setattr(pages, "HELD", held)
        assert "tests/attacks/register.py: S1: there is no attacks/test_routes.py::test_gone" in list(pages.register())
        planted.setattr(site_sources, "source_pages", lambda _root: there | {Path("new.md"): "new.md"})
        assert list(pages.navigation()) == ["mkdocs.yml: new.md has no place in the navigation"]
        planted.setattr(sources, "MAY_EXECUTE", ())
        assert "events/people/identity.py: only the warehouse runs a question about events" in list(sources.executed())


@pytest.mark.slow
def test_later_imports__files_that_need_no_exception__are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LOADED_LATER", ("stats/results.py", "stats/gone.py"))

    assert list(sources.later_imports()) == [
        "stats/results.py: imports nothing inside a function, so LOADED_LATER needn't name it",
        "stats/gone.py: named in LOADED_LATER and not there",
    ]
    assert any(line.startswith("segments/api.py: imports ") for line in sources.hidden_imports())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("%(n)s units were exposed.", ["unit"]),
        ("%(units)s users were exposed; give --unit.", []),
        ("difference, in the outcome's unit", []),
        ("Users whom the nudge moves", ["moved", "whom"]),
        ("Users moved by the nudge", ["moved"]),
        ("It also moved chat (+6.1 points).", []),
        ("can't be told apart from chat", []),
        ("What an agent was told", ["tell"]),
        ("Other behaviours were not looked at.", []),
        ("Too small to act on", ["act"]),
        ("Planned looks", ["look"]),
        ("reach", []),
        ("Reach the moment", ["reach the moment"]),
        ("Keep as a draft", ["Keep"]),
        ("They keep their group.", []),
        ("The chance to conclude it", ["Conclude"]),
    ],
)
def test_retired__word_of_a_page__is_found_outside_what_is_allowed(text: str, found: list[str]) -> None:
    assert [word.word for word in words.ENGLISH if word.is_in(text)] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("나빠지면 안 되는 지표예요.", ["-어요, -아요"]),
        ("더 많은 사용자가 남아요({retention}).", ["-어요, -아요"]),
        ("입력하세요.", []),
        ("21~27일차 잔존율", ["일차 잔존율"]),
        ("필요한 요소", []),
    ],
)
def test_retired__korean__is_found(text: str, found: list[str]) -> None:
    assert [word.word for word in words.KOREAN if word.is_in(text)] == found
