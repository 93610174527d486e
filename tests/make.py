"""Plain builders: small, seeded, and readable where they are used."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command


def csv_file(
    folder: Path, columns: Mapping[str, Sequence[object]], name: str = "data.csv", separator: str = ","
) -> Path:
    """A text table with the given columns."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    path = folder / name
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


def analysis(path: Path, *options: str) -> dict[str, Any]:
    """Run `analyze_file --json` in this process and parse what it prints."""
    out = io.StringIO()
    call_command("analyze_file", str(path), *options, "--json", stdout=out, stderr=io.StringIO())
    parsed: dict[str, Any] = json.loads(out.getvalue())
    return parsed


def refusal(path: Path, *options: str) -> str:
    """The one sentence with which `analyze_file` refuses; it must end with exit status 2."""
    with pytest.raises(CommandError) as caught:
        call_command("analyze_file", str(path), *options, "--json", stdout=io.StringIO(), stderr=io.StringIO())
    assert caught.value.returncode == 2
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence
