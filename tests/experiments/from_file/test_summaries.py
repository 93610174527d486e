"""Past experiments by summaries: the same finding as by rows, a bound that holds for any correlation, and refusals."""

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from aha.evidence.findings import PastFinding
from aha.evidence.store_findings import all_findings
from aha.models import Finding
from experiments.files.summaries import covariance_bound, import_summaries
from stats.instrument.anderson_rubin import anderson_rubin
from stats.iv_moments import IvMoments

pytestmark = pytest.mark.django_db
ROW: dict[str, Any] = {
    "name": "Banner",
    "behaviour": "friend_add",
    "times": 3,
    "days": 7,
    "outcome": "window:21-27",
    "from": "2026-01-01",
    "to": "2026-02-01",
    "users_control": 3_000,
    "users_variant": 3_001,
    "effect": 0.03,
    "effect_error": 0.01,
    "take_up": 0.3,
    "take_up_error": 0.009,
    "covariance": 3e-5,
}
TWO = ROW | {
    "behaviour_2": "chat",
    "times_2": 1,
    "take_up_2": 0.06,
    "take_up_error_2": 0.0088,
    "covariance_2": 2e-5,
    "covariance_1_2": 1.1e-5,
}


def written(path: Path, *rows: dict[str, Any]) -> Path:
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
        table.writeheader()
        table.writerows(rows)
    return path


def refusal(path: Path, *more: str) -> str:
    before = Finding.objects.count()
    with pytest.raises(CommandError) as caught:
        call_command("import_experiment", str(path), "--summaries", *more, stdout=StringIO())
    assert caught.value.returncode == 2
    assert Finding.objects.count() == before
    return str(caught.value)


def by_rows(folder: Path) -> PastFinding:
    """A file of users, kept by rows with two behaviours."""
    rng, n = np.random.default_rng(4), 4_000
    nudge, liking = np.arange(n) % 2, rng.random(n)
    add = (rng.random(n) < 0.2 + 0.3 * nudge + 0.1 * liking).astype(int)
    chat = (rng.random(n) < 0.3 + 0.1 * nudge + 0.2 * liking).astype(int)
    stayed = (rng.random(n) < 0.2 + 0.2 * add + 0.2 * liking).astype(int)
    lines = [f"{'nudge' if g else 'control'},{a},{c},{s}" for g, a, c, s in zip(nudge, add, chat, stayed, strict=True)]
    path = folder / "users.csv"
    path.write_text("\n".join(["arm,added,chatted,stayed", *lines]))
    call_command(
        *("import_experiment", str(path), "--variant", "arm", "--control", "control", "--outcome", "stayed"),
        *("--behaviour", "added", "--also", "chatted", "chat", "1", "--name", "Rows", "--behaviour-key", "friend_add"),
        *(
            "--times",
            "3",
            "--days",
            "7",
            "--outcome-spec",
            "window:21-27",
            "--from",
            "2026-01-01",
            "--to",
            "2026-02-01",
        ),
        stdout=StringIO(),
    )
    [kept] = all_findings()
    return kept


def test_summary__of_a_file__gives_the_same_finding_as_its_rows(tmp_path: Path) -> None:
    kept = by_rows(tmp_path)
    [moments] = kept.outcomes
    assert moments.effects[:2] == pytest.approx((kept.moments.itt, kept.moments.first_stage))
    assert moments.covariance[0][:2] == pytest.approx((kept.moments.v_r, kept.moments.c_rd))
    Finding.objects.all().delete()  # the same numbers twice are refused
    covariance = np.array(moments.covariance)
    errors = np.sqrt(np.diag(covariance))
    row = ROW | {
        "name": "Rows",
        "variant": "nudge",
        "comparator": "control",
        "reach": repr(kept.reach),
        **dict(zip(("users_control", "users_variant"), (moments.n_control, moments.n_variant), strict=True)),
        **dict(zip(("effect", "take_up", "take_up_2"), map(repr, moments.effects), strict=True)),
        **dict(zip(("effect_error", "take_up_error", "take_up_error_2"), map(repr, errors.tolist()), strict=True)),
        "covariance": repr(covariance[0, 1].item()),
        "covariance_2": repr(covariance[0, 2].item()),
        "covariance_1_2": repr(covariance[1, 2].item()),
        "behaviour_2": "chat",
        "times_2": 1,
    }

    [same] = import_summaries(written(tmp_path / "past.csv", row))

    [again] = same.outcomes
    assert again.effects == pytest.approx(moments.effects)
    assert np.array(again.covariance) == pytest.approx(covariance)
    assert (again.behaviours, again.times, again.kind) == (moments.behaviours, moments.times, moments.kind)
    for name in ("itt", "first_stage", "v_r", "v_d", "c_rd", "n_control", "n_variant"):
        assert getattr(same.moments, name) == pytest.approx(getattr(kept.moments, name))
    for name in ("name", "origin", "source", "variant", "comparator", "definition", "kind", "verdict", "caution"):
        assert getattr(same, name) == getattr(kept, name), name
    assert same.reach == pytest.approx(kept.reach)


@given(seed=st.integers(0, 10**6), size=st.integers(2, 5))
def test_bound__of_any_correlation__is_at_least_the_variance_of_every_combination(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.normal(0, 1, (size, int(rng.integers(1, size + 1))))  # correlations of 1 among them
    correlation = root @ root.T / np.outer(*[np.linalg.norm(root, axis=1)] * 2)
    errors, w = rng.uniform(0.001, 10, size), rng.normal(0, 1, size)
    covariance = correlation * np.outer(errors, errors)

    assert w @ covariance @ w <= w @ covariance_bound(errors) @ w * (1 + 1e-9) + 1e-12


@pytest.mark.parametrize("rho", [-0.999, 0.0, 0.999])
def test_bound__of_effects_with_any_correlation__covers_the_truth_in_95_percent_or_more(rho: float) -> None:
    rng, effect, stage, errors = np.random.default_rng(8), 0.2, 0.1, np.array([0.01, 0.01])
    covariance = np.outer(errors, errors) * np.array([[1, rho], [rho, 1]])
    bound, covered, runs = covariance_bound(errors), 0, 2_000
    for itt, first in rng.multivariate_normal([effect * stage, stage], covariance, runs):
        moments = IvMoments(float(itt), float(first), float(bound[0, 0]), float(bound[1, 1]), 0.0, 1000, 1000)
        covered += anderson_rubin(moments).contains(effect)

    assert stats.binomtest(covered, runs, 0.95, alternative="less").pvalue > 0.001


def test_summary__without_covariances__is_widened_and_marked(tmp_path: Path) -> None:
    row = {name: value for name, value in TWO.items() if not name.startswith("covariance")}

    [kept] = import_summaries(written(tmp_path / "past.csv", row))

    assert kept.caution == "any_link"
    assert (kept.moments.v_r, kept.moments.v_d, kept.moments.c_rd) == pytest.approx((1e-4 / 0.75, 81e-6 / 0.25, 0.0))
    assert np.diag(np.array(kept.outcomes[0].covariance)) == pytest.approx(
        [1e-4 / 0.75, 81e-6 / 0.125, 77.44e-6 / 0.125]
    )


def test_summary__with_the_covariance_of_its_own_behaviour__widens_the_joint_moments_alone(tmp_path: Path) -> None:
    row = {name: value for name, value in TWO.items() if name not in ("covariance_2", "covariance_1_2")}

    [kept] = import_summaries(written(tmp_path / "past.csv", row))

    assert kept.caution == ""
    assert (kept.moments.v_r, kept.moments.c_rd) == pytest.approx((1e-4, 3e-5))
    assert kept.outcomes[0].covariance[0][1] == 0.0


def test_command__two_rows__prints_and_keeps_both(tmp_path: Path) -> None:
    out = StringIO()
    path = written(tmp_path / "past.csv", TWO, ROW | {"name": "Mail", "effect": 0.031})

    call_command("import_experiment", str(path), "--summaries", "--json", stdout=out)

    assert [row["name"] for row in json.loads(out.getvalue())["kept"]] == ["Banner", "Mail"]
    assert [len(row.outcomes[0].behaviours) for row in all_findings()] == [2, 1]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"effect": "much"}, "row 2, column 'effect': 'much' is no number"),
        ({"effect_error": 0}, "row 2, column 'effect_error': '0' is too small"),
        ({"covariance": 1e-3}, "no effects with these errors can have these covariances"),
        ({"users_variant": ""}, "column 'users_variant': a value is missing"),
        ({"times": 1.5}, "column 'times': '1.5' is no whole number"),
        ({"from": "soon"}, "column 'from': 'soon' is no date"),
        ({"to": "2025-01-01"}, "lies before 2026-01-01"),
        ({"outcome": "unbounded:14"}, "grows as the data age"),
        ({"outcome": "nonsense"}, "row 2:"),
        ({"behaviour_2": "friend_add", "times_2": 1}, "a behaviour is named twice"),
    ],
)
def test_command__a_wrong_cell__names_row_and_column_and_keeps_nothing(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    assert sentence in refusal(written(tmp_path / "past.csv", ROW | changes))


def test_command__the_second_row_is_wrong__keeps_neither(tmp_path: Path) -> None:
    assert "row 3" in refusal(written(tmp_path / "past.csv", ROW, ROW | {"name": "Mail", "take_up": ""}))


def test_command__options_that_do_not_go_together__are_named(tmp_path: Path) -> None:
    path = written(tmp_path / "past.csv", ROW)

    assert refusal(path, "--name", "Banner").startswith(
        "--name: with --summaries each row of the file says this itself"
    )
    with pytest.raises(CommandError, match="--variant: this option is needed, or --summaries"):
        call_command("import_experiment", str(path))


def test_command__without_a_needed_column__says_which(tmp_path: Path) -> None:
    row = {name: value for name, value in ROW.items() if name != "take_up_error"}

    assert "there is no column 'take_up_error' (--summaries)" in refusal(written(tmp_path / "past.csv", row))
