"""World `many_tests` through the doors: twenty files, five of them with nudges that act by themselves."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from aha.models import Finding
from events.simulation.many_tests import simulate_tests, write_tests

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
COLUMNS = ("--unit", "unit", "--variant", "variant", "--control", "control", "--outcome", "retained")
DATES = ("--from", "2026-01-01", "--to", "2026-02-01")


def pooled() -> dict[str, Any]:
    out = StringIO()
    call_command("pool", "friend_add", "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_many_tests__imported__disagree__without_the_five_the_pooled_set_covers(tmp_path: Path) -> None:
    write_tests(simulate_tests(1), 1, tmp_path)
    truth = json.loads((tmp_path / "truth.json").read_text())
    tested = truth["tested"]
    about = ("--behaviour-key", tested["behaviour"], "--times", str(tested["times"]), "--days", str(tested["days"]))
    for row in truth["tests"]:
        file, name = str(tmp_path / f"{row['test']}.csv"), ("--name", row["test"])
        outcome = ("--outcome-spec", truth["retention"], "--behaviour", "reached")
        call_command("import_experiment", file, *COLUMNS, *name, *about, *outcome, *DATES, "--json", stdout=StringIO())

    whole = pooled()
    Finding.objects.filter(name__in=truth["direct_tests"]).delete()
    sound = pooled()

    assert whole["experiments"] == 20
    assert whole["answer"] == "nudges_disagree"
    assert "not_computable" in whole["pooled"]
    assert (sound["experiments"], sound["answer"]) == (15, "pooled")
    assert any(piece["low"] < truth["effect"] < piece["high"] for piece in sound["pooled"]["set"])
