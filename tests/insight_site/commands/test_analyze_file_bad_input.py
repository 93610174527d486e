"""Files and options as people really bring them: one sentence and exit status 2, or the sensible answer."""

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.make import analysis, csv_file, refusal

OPTIONS = ("--variant", "arm", "--control", "a", "--outcome", "stayed")


def _columns(n: int = 400, seed: int = 7) -> dict[str, list[object]]:
    """n units, half in each arm; b's share is 20 points higher."""
    rng = np.random.default_rng(seed)
    stayed = np.where(np.arange(n) % 2, rng.random(n) < 0.6, rng.random(n) < 0.4).astype(int)
    return {
        "id": [f"u{row:05d}" for row in range(n)],
        "arm": ["b" if row % 2 else "a" for row in range(n)],
        "stayed": stayed.tolist(),
    }


def test_two_rows__too_small_for_a_verdict__says_so(tmp_path: Path) -> None:
    path = csv_file(tmp_path, {"arm": ["a", "b"], "stayed": [0, 1]})

    found = analysis(path, *OPTIONS)

    assert found["verdict"]["code"] == "INCONCLUSIVE"
    assert found["verdict"]["reason_code"] == "too_small"
    row = found["outcomes"][0]["comparisons"][0]
    assert "not_computable" in row["difference"]
    assert {finding["check"] for finding in found["health"]} >= {"tiny_variant", "sample_ratio_small"}


def test_one_variant__refused_by_name(tmp_path: Path) -> None:
    path = csv_file(tmp_path, {"arm": ["a", "a"], "stayed": [0, 1]})

    assert "column 'arm' holds only 'a'" in refusal(path, *OPTIONS)


def test_missing_column__names_file_column_and_option(tmp_path: Path) -> None:
    path = csv_file(tmp_path, _columns())

    sentence = refusal(path, "--variant", "arm", "--control", "a", "--outcome", "kept")

    assert str(path) in sentence
    assert "'kept'" in sentence
    assert "--outcome" in sentence


def test_column_name_in_another_case__is_found(tmp_path: Path) -> None:
    path = csv_file(tmp_path, _columns())

    found = analysis(path, "--variant", "ARM", "--control", "a", "--outcome", "Stayed")

    assert found["outcomes"][0]["name"] == "stayed"


def test_unknown_control__lists_what_the_column_holds(tmp_path: Path) -> None:
    path = csv_file(tmp_path, _columns())

    sentence = refusal(path, "--variant", "arm", "--control", "x", "--outcome", "stayed")

    assert "'x'" in sentence
    assert "a, b" in sentence


def test_text_outcome__names_the_row(tmp_path: Path) -> None:
    columns = _columns()
    columns["stayed"][3] = "maybe"
    path = csv_file(tmp_path, columns)

    sentence = refusal(path, *OPTIONS)

    assert "'stayed'" in sentence
    assert "row 5 holds 'maybe'" in sentence


def test_empty_file_and_header_only__refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    header = tmp_path / "header.csv"
    header.write_text("id,arm,stayed\n")

    assert "is empty" in refusal(empty, *OPTIONS)
    assert "no rows" in refusal(header, *OPTIONS)
    assert "no such file" in refusal(tmp_path / "absent.csv", *OPTIONS)


def test_five_percent_without_variant__left_out_and_counted(tmp_path: Path) -> None:
    columns = _columns()
    for row in range(0, 400, 20):
        columns["arm"][row] = ""
    path = csv_file(tmp_path, columns)

    found = analysis(path, *OPTIONS, "--unit", "id")

    assert found["excluded"] == {"missing_variant": 20}
    assert found["units"] == {"a": 180, "b": 200}
    finding = next(finding for finding in found["health"] if finding["check"] == "missing_variant")
    assert "20 rows (5.0%)" in finding["message"]


def test_utf_16_with_its_mark__is_read(tmp_path: Path) -> None:
    plain = csv_file(tmp_path, _columns(), separator="\t", name="plain.tsv")
    wide = tmp_path / "wide.tsv"
    wide.write_text(plain.read_text(), encoding="utf-16")

    assert analysis(wide, *OPTIONS)["outcomes"] == analysis(plain, *OPTIONS)["outcomes"]


def test_broken_utf_8__names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "korean.csv"
    path.write_bytes(b"arm,stayed\na,1\n" + "나,0\n".encode("cp949"))

    sentence = refusal(path, *OPTIONS)

    assert "line 3" in sentence
    assert "UTF-8" in sentence


def test_ragged_row__refused_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "ragged.csv"
    path.write_text("arm,stayed\na,1\nb\n")

    assert "Expected 2 columns" in refusal(path, *OPTIONS)


def test_binary_file__is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "image.csv"
    path.write_bytes(b"\x89PNG\x00\x00\x01")

    assert str(path) in refusal(path, *OPTIONS)


def test_unit_in_two_variants__excluded_and_counted_once(tmp_path: Path) -> None:
    columns = _columns()
    columns["id"][1] = columns["id"][0]
    path = csv_file(tmp_path, columns)

    found = analysis(path, *OPTIONS, "--unit", "id")

    assert found["excluded"] == {"several_variants": 1}
    assert found["units"] == {"a": 199, "b": 199}
    assert found["verdict"]["code"] != "INVALID"


def test_unit_twice_in_one_variant__error_names_the_rows(tmp_path: Path) -> None:
    columns = _columns()
    columns["id"][4] = columns["id"][2]
    path = csv_file(tmp_path, columns)

    sentence = refusal(path, *OPTIONS, "--unit", "id")

    assert "'u00002' stands 2 times in variant 'a'" in sentence
    assert "rows 4 and 6" in sentence


def test_ids_with_leading_zeros__stay_apart(tmp_path: Path) -> None:
    columns = _columns()
    columns["id"] = [f"{row // 2:0{3 + row % 2}d}" for row in range(400)]
    path = csv_file(tmp_path, columns)

    assert analysis(path, *OPTIONS, "--unit", "id")["units"] == {"a": 200, "b": 200}


def test_label_na__is_a_label(tmp_path: Path) -> None:
    columns: dict[str, list[object]] = {**_columns(), "region": ["NA", "EU", "EU", "NA"] * 100}
    path = csv_file(tmp_path, columns)

    segments = analysis(path, *OPTIONS, "--segment", "region")["outcomes"][0]["comparisons"][0]["by_segment"]

    assert [(row["segment"], row["n"]) for row in segments] == [("EU", 200), ("NA", 200)]


def test_csv_tsv_parquet_gz__same_answer(tmp_path: Path) -> None:
    columns = _columns()
    plain = csv_file(tmp_path, columns)
    packed = tmp_path / "data.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    semicolons = csv_file(tmp_path, columns, name="semicolons.csv", separator=";")
    parquet = tmp_path / "data.parquet"
    pq.write_table(pa.table(columns), parquet)
    packed_parquet = tmp_path / "data.parquet.gz"
    packed_parquet.write_bytes(gzip.compress(parquet.read_bytes()))

    answers = [
        analysis(path, *OPTIONS, "--unit", "id")["outcomes"]
        for path in (plain, packed, semicolons, parquet, packed_parquet)
    ]

    assert all(answer == answers[0] for answer in answers)


def test_damaged_gz__refused(tmp_path: Path) -> None:
    whole = gzip.compress(csv_file(tmp_path, _columns()).read_bytes())
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(whole[: len(whole) // 2])

    assert str(cut) in refusal(cut, *OPTIONS)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--alpha", "0"), "--alpha"),
        (("--alpha", "0.5"), "--alpha"),
        (("--margin", "-1"), "--margin"),
        (("--margin", "nan"), "--margin"),
        (("--margin", "inf"), "--margin"),
        (("--direct-effect", "0.1", "0.05"), "the smaller one first"),
        (("--direct-effect", "nan", "0.05"), "--direct-effect"),
        (("--nudge-cost", "-0.01"), "--nudge-cost"),
        (("--nudge-cost", "inf"), "--nudge-cost"),
        (("--direct-effect", "0", "inf"), "--direct-effect"),
        (("--ratio", "a"), "--ratio"),
        (("--placebo", "c"), "--placebo 'c' isn't a variant"),
        (("--placebo", "b"), "the nudge itself is missing"),
        (("--ratio", "a=x"), "--ratio"),
        (("--ratio", "a=1"), "--ratio gives no share for variant 'b'"),
        (("--ratio", "a=0", "--ratio", "b=0"), "add up to 0"),
        (("--ratio", "a=1", "--ratio", "a=2"), "two shares"),
        (("--covariate", "stayed"), "given twice, as --outcome and --covariate"),
        (("--behaviour", "id"), "must hold numbers"),
        (("--segment", "arm"), "given twice"),
    ],
)
def test_bad_option__one_sentence_that_names_it(tmp_path: Path, options: tuple[str, ...], word: str) -> None:
    assert word in refusal(csv_file(tmp_path, _columns()), *OPTIONS, *options)


def test_behaviour_other_than_0_or_1__names_row_and_value(tmp_path: Path) -> None:
    columns: dict[str, list[object]] = {**_columns(), "did": [0, 1, 2, 1] * 100}

    assert "row 4 holds 2" in refusal(csv_file(tmp_path, columns), *OPTIONS, "--behaviour", "did")


def test_planned_variant_without_units__is_an_alarm(tmp_path: Path) -> None:
    path = csv_file(tmp_path, _columns())

    found = analysis(path, *OPTIONS, "--ratio", "a=0.4", "--ratio", "b=0.4", "--ratio", "c=0.2")

    assert found["units"]["c"] == 0
    assert found["verdict"]["code"] == "INVALID"
    assert {"sample_ratio", "empty_variant"} <= {finding["check"] for finding in found["health"]}


def test_outcome_with_holes__counted_per_column(tmp_path: Path) -> None:
    columns = _columns()
    for row in range(0, 80, 2):
        columns["stayed"][row] = ""
    found = analysis(csv_file(tmp_path, columns), *OPTIONS)

    # All 40 holes are in a: that is no accident, so the finding says that the variants differ.
    finding = next(finding for finding in found["health"] if finding["check"] == "missing_differs")
    assert "stayed has no value for 40 users (10.0%)" in finding["message"]
    assert found["outcomes"][0]["values"]["a"]["n"] == 160
    assert found["units"] == {"a": 200, "b": 200}


def test_constant_mean__has_a_reason_instead_of_a_number(tmp_path: Path) -> None:
    found = analysis(csv_file(tmp_path, {**_columns(), "stayed": [3] * 400}), *OPTIONS)

    row = found["outcomes"][0]["comparisons"][0]
    assert row["difference"] == {
        "not_computable": "Within the groups all values are the same, so there is no variation to compare by."
    }
    assert found["verdict"]["code"] == "INCONCLUSIVE"
    assert [finding["check"] for finding in found["health"]].count("no_variation") == 2


def test_everybody_stayed__interval_without_false_certainty(tmp_path: Path) -> None:
    found = analysis(csv_file(tmp_path, {**_columns(), "stayed": [1] * 400}), *OPTIONS)

    # The score interval of 200/200 against 200/200 isn't a point: half its width is z^2/(n+z^2).
    difference = found["outcomes"][0]["comparisons"][0]["difference"]
    assert difference["p_value"] == 1
    assert difference["high"] == pytest.approx(1.959964**2 / (200 + 1.959964**2), abs=1e-6)
    assert found["verdict"]["reason_code"] == "too_small"


def test_html_on_the_data_itself__refused_and_data_kept(tmp_path: Path) -> None:
    path = csv_file(tmp_path, _columns())
    before = path.read_bytes()

    assert "overwrite" in refusal(path, *OPTIONS, "--html", str(path))
    assert path.read_bytes() == before


def test_huge_value__names_row_and_value(tmp_path: Path) -> None:
    columns = _columns()
    columns["stayed"][1] = 1e300

    assert "row 3" in refusal(csv_file(tmp_path, columns), *OPTIONS)


def test_integers_beyond_2_to_53__are_read(tmp_path: Path) -> None:
    columns: dict[str, list[object]] = {**_columns(), "stayed": [2**60 + row % 7 for row in range(400)]}

    assert analysis(csv_file(tmp_path, columns), *OPTIONS)["outcomes"][0]["kind"] == "mean"


def test_category_with_one_value__changes_nothing(tmp_path: Path) -> None:
    columns: dict[str, list[object]] = {**_columns(), "land": ["KR"] * 400}
    path = csv_file(tmp_path, columns)

    assert analysis(path, *OPTIONS, "--covariate", "land")["outcomes"] == analysis(path, *OPTIONS)["outcomes"]


def test_parquet_nan_in_the_variant__is_a_missing_variant(tmp_path: Path) -> None:
    columns = _columns()
    arm = [float("nan") if row < 8 else float(row % 2) for row in range(400)]
    path = tmp_path / "nan.parquet"
    pq.write_table(pa.table({**columns, "arm": pa.array(arm, from_pandas=False)}), path)

    found = analysis(path, "--variant", "arm", "--control", "0", "--outcome", "stayed")

    assert found["units"] == {"0": 196, "1": 196}
    assert found["excluded"] == {"missing_variant": 8}


def test_separator_inside_a_quoted_header__doesnt_mislead(tmp_path: Path) -> None:
    path = csv_file(tmp_path, {**_columns(), "a;b;c;d;e;f": [1] * 400})

    assert analysis(path, *OPTIONS)["units"] == {"a": 200, "b": 200}


def test_doubled_header__refused_also_with_blanks(tmp_path: Path) -> None:
    path = tmp_path / "doubled.csv"
    path.write_text("arm,stayed, stayed\na,1,1\nb,0,1\n")

    assert "'stayed' stands twice" in refusal(path, *OPTIONS)


def test_gzip_without_its_ending__is_read(tmp_path: Path) -> None:
    packed = tmp_path / "packed.csv"
    plain = csv_file(tmp_path, _columns())
    packed.write_bytes(gzip.compress(plain.read_bytes()))

    assert analysis(packed, *OPTIONS)["outcomes"] == analysis(plain, *OPTIONS)["outcomes"]


@pytest.mark.slow
def test_terminal_without_hangul__gets_the_report_anyway(tmp_path: Path) -> None:
    path = csv_file(tmp_path, _columns())

    for extra in ((), ("--json",)):
        done = subprocess.run(
            [sys.executable, "manage.py", "analyze_file", str(path), *OPTIONS, "--language", "ko", *extra],
            capture_output=True,
            check=False,
            env={"PATH": "", "LANG": "C", "PYTHONIOENCODING": "ascii"},
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_command__bad_input__exit_status_2_and_nothing_on_standard_output(tmp_path: Path) -> None:
    html = tmp_path / "report.html"

    done = subprocess.run(
        [sys.executable, "manage.py", "analyze_file", str(tmp_path / "absent.csv"), *OPTIONS, "--html", str(html)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert not html.exists()
