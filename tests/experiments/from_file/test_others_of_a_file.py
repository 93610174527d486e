"""Other behaviours of a file: their limits from the control group, and what is refused."""

import csv
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.files.analyze import add_columns, analyze_file, design_of
from experiments.plan.design import Other
from runs.refusals import Refused


def file_of(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "test.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def rows(n: int = 400, **more: Any) -> list[dict[str, Any]]:
    """Of each ten of control, four chat and three of these stay; of the others one of six does."""
    stays = [1, 1, 1, 0, 1, 0, 0, 0, 0, 0]
    return [
        {
            "group": "nudge" if place % 2 else "control",
            "stayed": stays[(place // 2) % 10],
            "did": int((place // 2) % 3 == 0),
            "chat": int((place // 2) % 10 < 4),
            **more,
        }
        for place in range(n)
    ]


def read(path: Path, *options: str) -> tuple[Other, ...]:
    parser = ArgumentParser()
    add_columns(parser)
    given = [str(path), "--variant", "group", "--control", "control", "--outcome", "stayed", "--behaviour", "did"]
    design = design_of(vars(parser.parse_args([*given, *options])))
    return analyze_file(path, design).design.others


def test_limits__nobody_gave__are_the_gap_in_the_control_group(tmp_path: Path) -> None:
    (chat,) = read(file_of(tmp_path, rows()), "--other", "CHAT")

    # 200 of control: 80 chat, of whom 75 % stay; of the other 120 one in six.
    gap = 0.75 - 1 / 6
    error = np.sqrt(0.75 * 0.25 / 79 + (1 / 6) * (5 / 6) / 119)
    assert chat.name == "chat"
    assert chat.low == 0.0
    assert chat.high == pytest.approx(gap + 1.959964 * error)
    assert chat.origin == "control"


def test_limits__of_a_gap_below_zero__hold_zero(tmp_path: Path) -> None:
    turned = [{**row, "chat": 1 - row["chat"]} for row in rows()]
    (chat,) = read(file_of(tmp_path, turned), "--other", "chat")

    assert chat.low is not None
    assert chat.low < -0.5
    assert chat.high == 0.0


@pytest.mark.parametrize(("text", "limits"), [("chat=0.18", (0.0, 0.18)), ("chat=-0.05", (-0.05, 0.0))])
def test_limits__that_were_given__are_those(tmp_path: Path, text: str, limits: tuple[float, float]) -> None:
    (chat,) = read(file_of(tmp_path, rows()), "--other", "chat", "--other-promise", text, "--consequence", "chat")

    assert (chat.low, chat.high) == limits
    assert (chat.origin, chat.consequence) == ("person", "assumed")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--other", "talk"), "no column 'talk' (--other)"),
        (("--other", "did"), "is given twice, as --behaviour and --other"),
        (("--other", "chat", "--segment", "chat"), "is given twice, as --other and --segment"),
        (("--other-promise", "chat=0.1"), "--other-promise 'chat': name it with --other, too"),
        (("--consequence", "chat"), "--consequence 'chat': name it with --other, too"),
        (("--other", "chat", "--other-promise", "chat"), "must be COL=VALUE"),
        (("--other", "chat", "--other-promise", "chat=much"), "must be COL=VALUE"),
        (("--other", "chat", "--other-promise", "chat=inf"), "must be COL=VALUE"),
        (("--other", "half"), "column 'half' (--other) must be 0 or 1, but row 2 holds 0.5"),
        (("--other", "hole"), "column 'hole' (--other) is empty in 400 rows, such as row 2: write 0"),
        (("--other", "never"), "can't be taken from the control group"),
        (tuple(f"--other=c{place}" for place in range(13)), "--other: at most 12 other behaviours"),
    ],
)
def test_options__that_cannot_be_used__are_refused_with_a_sentence(
    tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    path = file_of(tmp_path, rows(half=0.5, hole="", never=0))

    with pytest.raises(Refused) as refusal:
        read(path, *options)

    assert words in str(refusal.value)


def test_other__without_a_behaviour__is_refused(tmp_path: Path) -> None:
    parser = ArgumentParser()
    add_columns(parser)
    given = ["test.csv", "--variant", "group", "--control", "control", "--outcome", "stayed", "--other", "chat"]

    with pytest.raises(Refused, match="--other needs --behaviour"):
        analyze_file(file_of(tmp_path, rows()), design_of(vars(parser.parse_args(given))))


def test_promise__for_what_control_never_does__lets_it_be_judged(tmp_path: Path) -> None:
    path = file_of(tmp_path, rows(never=0))

    (never,) = read(path, "--other", "never", "--other-promise", "never=0.2")

    assert never.box == (0.0, 0.2)
