"""The HTML report: self-contained, safe, in both languages, and led by what is wrong."""

import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command

from tests.make import csv_file


def _columns(n: int = 800) -> dict[str, list[object]]:
    """An encouragement design: the nudge adds 30 points of behaviour, the behaviour 40 points of the outcome."""
    rng = np.random.default_rng(11)
    nudge = np.arange(n) % 2
    did = (rng.random(n) < 0.2 + 0.3 * nudge).astype(int)
    stayed = (rng.random(n) < 0.3 + 0.4 * did).astype(int)
    return {
        "arm": np.where(nudge, "넛지 <b>굵게</b>", "control").tolist(),
        "did": did.tolist(),
        "stayed": stayed.tolist(),
        "land": np.where(rng.random(n) < 0.5, "KR", "[red]US").tolist(),
    }


OPTIONS = ("--variant", "arm", "--control", "control", "--outcome", "stayed", "--behaviour", "did", "--segment", "land")


def _html(folder: Path, language: str, columns: dict[str, list[object]] | None = None) -> str:
    path = folder / f"report.{language}.html"
    call_command(
        "analyze_file",
        str(csv_file(folder, columns or _columns())),
        *OPTIONS,
        *("--language", language, "--html", str(path)),
        stdout=io.StringIO(),
        stderr=io.StringIO(),
    )
    return path.read_text(encoding="utf-8")


class _Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in {"src", "href", "xlink:href", "action"}:
                self.addresses.append(value or "")


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "ko"])
def test_report__one_file__no_script_no_request_no_double_id(tmp_path: Path, language: str) -> None:
    page = _Tags(_html(tmp_path, language))

    assert "script" not in page.tags
    assert "b" not in page.tags
    # Effects, by segment, as treated against causal, the effect against the direct effect of being nudged, and how far
    # it reaches beyond those who were moved.
    assert page.tags.count("svg") == 5
    assert [address for address in page.addresses if not address.startswith("#")] == []
    assert len(page.ids) == len(set(page.ids))


@pytest.mark.slow
def test_report__labels_of_the_data__escaped_and_whole(tmp_path: Path) -> None:
    text = _html(tmp_path, "en")

    assert "넛지 &lt;b&gt;굵게&lt;/b&gt;" in text
    assert "[red]US" in text


@pytest.mark.slow
def test_report__korean__sentences_and_chart_titles(tmp_path: Path) -> None:
    text = _html(tmp_path, "ko")

    assert '<html lang="ko">' in text
    assert "판정" in text
    chart = re.search(r"<svg.*?</svg>", text, flags=re.DOTALL)
    assert chart is not None
    assert "대조군과의 차이" in chart.group()


@pytest.mark.slow
def test_report__broken_experiment__says_so_before_any_number(tmp_path: Path) -> None:
    columns = _columns()
    kept = [row for row in range(800) if row % 2 or row % 8]
    text = _html(tmp_path, "en", {name: [values[row] for row in kept] for name, values in columns.items()})

    body = text[text.index("<body>") :]
    assert 0 < body.index("The data can&#x27;t answer") < body.index("<table")


def test_table_for_people__markup_in_labels__is_printed_not_obeyed(tmp_path: Path) -> None:
    out = io.StringIO()

    call_command("analyze_file", str(csv_file(tmp_path, _columns())), *OPTIONS, stdout=out, stderr=io.StringIO())

    assert "[red]US" in out.getvalue()
    assert "Anderson-Rubin set (decides)" in out.getvalue()


def test_json__only_document_on_standard_output(tmp_path: Path) -> None:
    out = io.StringIO()

    call_command(
        "analyze_file", str(csv_file(tmp_path, _columns())), *OPTIONS, "--json", stdout=out, stderr=io.StringIO()
    )

    found = json.loads(out.getvalue())
    assert list(found)[:3] == ["file", "control", "alpha"]
    row = found["outcomes"][0]["comparisons"][0]
    assert set(row["difference"]) >= {"estimate", "low", "high", "p_value", "adjusted_p_value"}
    assert set(row["stratified"]) >= {"risk_difference", "odds_ratio", "cmh_p_value", "heterogeneity_p_value"}
    assert set(row["encouragement"]) == {
        "take_up",
        "estimand",
        "effect",
        "adjusted_effect",
        "anderson_rubin",
        "set_level",
        "as_treated",
        "comparator",
        "comparator_reason",
        "warnings",
        "breakdown",
        "sensitivity",
        "blind_spot",
        "direct_range",
        "everybody",
        "other_behaviours",
        "set_under_others",
        "zero_first_stage",
    }
    assert row["verdict"]["code"] == "CAUSES"
    assert (row["encouragement"]["comparator"], row["encouragement"]["comparator_reason"]) == (found["control"], None)
    low, high = row["encouragement"]["anderson_rubin"]["low"], row["encouragement"]["anderson_rubin"]["high"]
    assert low < 0.4 < high
