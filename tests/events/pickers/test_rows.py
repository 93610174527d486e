"""Rows of a field: what a browser sends, one more and one less without script, and what is left out."""

from typing import Any

import pytest
from django import forms
from django.http import QueryDict

from events.pickers.rows import MOST, RowForm, RowsField, count_of, edited, is_edit, row_values


class Word(RowForm):
    unique = "word"
    word = forms.CharField(max_length=5)
    times = forms.IntegerField(min_value=1)


class Form(forms.Form):
    words = RowsField(Word, add="Add", blank=1)


def sent(*rows: dict[str, str], **more: str) -> QueryDict:
    data = QueryDict(mutable=True)
    data.update({**row_values("words", rows), **more})
    return data


def read(data: QueryDict) -> list[list[Any]]:
    return [[row["word"].value(), row["times"].value()] for row in Form(data)["words"].value()]


def test_rows__used_ones__are_cleaned_in_their_order() -> None:
    form = Form(sent({"word": "a", "times": "2"}, {"word": " ", "times": ""}, {"word": "b", "times": ""}))

    assert form.is_valid(), form.errors
    assert form.cleaned_data["words"] == [{"word": "a", "times": 2}, {"word": "b", "times": None}]


def test_rows__none_sent__are_no_entries() -> None:
    form = Form(QueryDict())

    assert form.is_valid()
    assert form.cleaned_data["words"] == []


def test_rows__one_taken_out_by_the_script__leaves_a_gap_that_counts_for_nothing() -> None:
    data = sent({"word": "a", "times": "1"}, {"word": "b", "times": "1"}, {"word": "c", "times": "1"})
    for part in ("word", "times"):
        del data[f"words-1-{part}"]

    form = Form(data)

    assert [row["word"] for row in form.fields["words"].clean(form["words"].value())] == ["a", "c"]
    assert 'name="words-rows" value="3"' in str(form["words"])  # the next one is words-3


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        ([{"word": "a", "times": "0"}], [{"times"}]),
        ([{"word": "abcdef", "times": "1"}, {"word": "b"}], [{"word"}, set()]),
        ([{"word": "a"}, {"word": "b"}, {"word": "a"}], [set(), set(), {"word"}]),
    ],
)
def test_rows__with_a_mistake__have_it_at_their_part_and_once(
    rows: list[dict[str, str]], wrong: list[set[str]]
) -> None:
    form = Form(sent(*rows))

    assert not form.is_valid()
    assert [set(row.errors) for row in form["words"].value()] == wrong
    error: Any = form.errors["words"].data[0]
    assert error.code == "row"
    html = str(form["words"])
    assert html.count(str(error.message % (error.params or {}))) == 1
    assert html.count("autofocus") == 1


def test_add__makes_one_row_more_up_to_the_most() -> None:
    one = edited(sent({"word": "a", "times": "1"}, row_add="words"))
    many = sent(*[{"word": str(at)} for at in range(MOST)], row_add="words")

    assert read(one) == [["a", "1"], [None, None]]
    assert is_edit(one)
    assert count_of(edited(many), "words") == MOST


@pytest.mark.parametrize(
    ("button", "left"),
    [
        ("words-0", [["b", "2"], ["c", "3"]]),
        ("words-1", [["a", "1"], ["c", "3"]]),
        ("words-2", [["a", "1"], ["b", "2"]]),
        ("words-9", [["a", "1"], ["b", "2"], ["c", "3"]]),
        ("words-x", [["a", "1"], ["b", "2"], ["c", "3"]]),
        ("", [["a", "1"], ["b", "2"], ["c", "3"]]),
    ],
)
def test_remove__takes_that_row_out_and_moves_the_later_ones_up(button: str, left: list[list[str]]) -> None:
    rows = [{"word": "a", "times": "1"}, {"word": "b", "times": "2"}, {"word": "c", "times": "3"}]

    assert read(edited(sent(*rows, row_remove=button))) == left


@pytest.mark.parametrize(
    ("text", "count"), [("3", 3), ("", 0), ("-1", 0), ("٣", 0), ("1e3", 0), ("9" * 5, MOST), ("9" * 9, 0)]
)
def test_count__of_nonsense__is_none(text: str, count: int) -> None:
    assert count_of({"words-rows": text}, "words") == count


def test_rows__before_anything_is_stored__show_the_blank_ones() -> None:
    assert str(Form()["words"]).partition("<template>")[0].count('class="row"') == 1
