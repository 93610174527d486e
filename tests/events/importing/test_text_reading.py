"""How a file is read: encodings, separators, headers, and files that are no table."""

import random

import pytest

from events.importing.text_reading import MOST_COLUMNS, Reading, guess_reading, sample_of
from runs.refusals import Refused

KOREAN = "회원번호,시간,이벤트\n가1,2024-03-01 10:00,가입\n나2,2024-03-01 10:01,친구 추가\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
def test_encoding__of_a_korean_file__recognised(encoding: str) -> None:
    head = KOREAN.encode(encoding)

    reading = guess_reading(head)
    sample = sample_of(head, reading)

    assert reading == Reading("csv", encoding.removesuffix("-sig"), ",", True)
    assert sample.columns == ("회원번호", "시간", "이벤트")
    assert sample.rows[1] == ("나2", "2024-03-01 10:01", "친구 추가")


def test_encoding__cut_inside_a_letter__is_no_other_encoding() -> None:
    head = KOREAN.encode()[:-2]

    assert guess_reading(head).encoding == "utf-8"


def test_encoding__one_broken_row_of_many__stays_utf_8() -> None:
    head = b"user,time\n" + b"u,2024-03-01\n" * 500 + b"\xff,2024-03-01\n"

    assert guess_reading(head).encoding == "utf-8"


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("user,time\nu,2024-03-01 10:00\n", ","),
        ("user\ttime\nu\t2024-03-01 10:00\n", "\t"),
        ("user;time;price\nu;2024-03-01;1,5\nv;2024-03-01;2,5\n", ";"),
        ("user|time\nu|2024-03-01\n", "|"),
        (" user  time\r\n u  20240301\r\n", "whitespace"),
        ('user,time,says\nu,2024-03-01,"a, b"\nv,2024-03-01,"a\nb"\n', ","),
    ],
)
def test_separator__recognised(text: str, separator: str) -> None:
    reading = guess_reading(text.encode())

    assert reading.separator == separator
    assert reading.header
    assert sample_of(text.encode(), reading).columns[:2] == ("user", "time")


def test_header__a_first_line_with_a_time_is_none() -> None:
    head = b"u,2024-03-01\nv,2024-03-02\n"

    reading = guess_reading(head)

    assert not reading.header
    assert sample_of(head, reading).columns == ("column 1", "column 2")
    assert len(sample_of(head, reading).rows) == 2


def test_columns__empty_and_repeated_names__are_told_apart() -> None:
    head = b",user,user,user (2)\n0,u,v,w\n1,u,v,w\n"

    sample = sample_of(head, Reading("csv", "utf-8", ",", True))

    assert sample.columns == ("column 1", "user", "user (2)", "user (2) (2)")
    assert sample.renamed


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"PK\x03\x04...[Content_Types].xml...xl/workbook.xml", "Excel"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "Excel"),
        (b"PK\x03\x04 anything", "zip"),
        (b"%PDF-1.7", "no table"),
        (b"\x89PNG\r\n", "no table"),
        (bytes(range(256)) * 40, "no table"),
        (b'[{"user": 1}]', "JSON list"),
        (b"x" * 1_000_001 + b"\nu\n", "million characters"),
    ],
)
def test_guess__no_table__says_what_to_do(head: bytes, words: str) -> None:
    with pytest.raises(Refused, match=words) as refused:
        guess_reading(head)

    assert refused.value.at == "file"


@pytest.mark.slow
@pytest.mark.parametrize(("columns", "refused"), [(MOST_COLUMNS, False), (MOST_COLUMNS + 1, True), (5_000, True)])
def test_columns__more_than_the_most__refused(columns: int, refused: bool) -> None:
    head = ",".join(f"c{i}" for i in range(columns)).encode() + b"\n" + b",".join([b"x"] * columns) + b"\n"
    reading = guess_reading(head)

    if not refused:
        assert len(sample_of(head, reading).columns) == columns
        return
    with pytest.raises(Refused, match="columns"):
        sample_of(head, reading)


def test_json_lines__keys_of_all_rows_are_columns() -> None:
    head = b'{"user": "u", "n": 1}\n\nnonsense\n[1]\n{"user": "v", "properties": {"a": [1]}}\n'

    reading = guess_reading(head)

    assert reading.kind == "jsonl"
    assert sample_of(head, reading).columns == ("user", "n", "properties")
    assert sample_of(head, reading).values("properties") == ['{"a": [1]}']


def test_guess__random_bytes__is_an_answer_or_a_refusal() -> None:
    rng = random.Random(1)
    for length in (1, 2, 3, 10, 100, 5_000):
        for _ in range(40):
            head = rng.randbytes(length)
            try:
                sample_of(head, guess_reading(head))
            except Refused:
                continue
