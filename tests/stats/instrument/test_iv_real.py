"""Every encouragement row of the real data: effects, errors, sets and warnings as data/README.md has them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from stats.cells import iv_moments_cells, joint_of_counts
from stats.instrument.compliers import complier_levels, complier_shares
from stats.instrument.encouragement import (
    IvMoments,
    anderson_rubin,
    as_treated,
    first_stage,
    iv_moments,
    per_protocol,
    two_stage,
    wald,
)
from stats.results import NotComputable, Reason
from stats.summaries import Joint
from tests.stats.make import computed
from tests.stats.test_reference import JTPA_COVARIATES

K401 = ["inc", "age25", "age25sq", "marr", "fsize"]
# File, filter, outcome, behaviour, nudge, covariates, unit; then from the README in dollars or points: first stage,
# classic F, ITT and its classic SE, Wald, SE classic and HC0, Anderson-Rubin set with classic errors and F quantile.
ROWS: list[Any] = [
    (
        "sesame",
        None,
        "postlet",
        "watched",
        "encouraged",
        [],
        1,
        0.36244,
        50.5,
        2.8756,
        1.7857,
        7.9340,
        4.6058,
        4.6138,
        -2.0021,
        16.9098,
    ),
    (
        "sesame",
        None,
        "postlet",
        "watched",
        "encouraged",
        ["prelet", "site:", "setting"],
        1,
        0.34266,
        45.7,
        4.8089,
        1.3861,
        14.0340,
        3.8886,
        4.0256,
        6.4753,
        22.5210,
    ),
    (
        "jtpa",
        None,
        "earnings",
        "training",
        "assignmt",
        [],
        1,
        0.62712,
        6165.7,
        1159.43,
        336.27,
        1848.83,
        534.87,
        526.30,
        799.15,
        2896.69,
    ),
    (
        "jtpa",
        ("sex", 1),
        "earnings",
        "training",
        "assignmt",
        [],
        1,
        0.61167,
        2649.0,
        1116.58,
        579.96,
        1825.46,
        945.12,
        927.94,
        -33.46,
        3674.91,
    ),
    (
        "jtpa",
        ("sex", 1),
        "earnings",
        "training",
        "assignmt",
        JTPA_COVARIATES,
        1,
        0.60889,
        2673.8,
        969.92,
        557.02,
        1592.94,
        912.14,
        893.30,
        -201.29,
        3377.68,
    ),
    (
        "jtpa",
        ("sex", 0),
        "earnings",
        "training",
        "assignmt",
        [],
        1,
        0.63991,
        3528.2,
        1242.56,
        364.88,
        1941.76,
        568.98,
        560.07,
        825.43,
        3057.44,
    ),
    (
        "jtpa",
        ("sex", 0),
        "earnings",
        "training",
        "assignmt",
        [*JTPA_COVARIATES, "afdc"],
        1,
        0.64017,
        3636.1,
        1139.46,
        348.23,
        1779.92,
        542.53,
        530.95,
        715.07,
        2843.31,
    ),
    (
        "k401ksubs",
        None,
        "nettfa",
        "p401k",
        "e401k",
        [],
        1000,
        0.70443,
        13433.9,
        18858.32,
        1346.28,
        26771.16,
        1897.07,
        2023.04,
        23051.94,
        30490.33,
    ),
    (
        "k401ksubs",
        None,
        "nettfa",
        "p401k",
        "e401k",
        K401,
        1000,
        0.68831,
        11946.4,
        6483.04,
        1283.37,
        9418.83,
        1858.56,
        2152.08,
        5772.03,
        13059.58,
    ),
    (
        "k401ksubs",
        None,
        "nettfa",
        "p401k",
        "e401k",
        [*K401, "incsq"],
        1000,
        0.68886,
        11735.7,
        9396.82,
        1277.35,
        13641.06,
        1846.89,
        1979.51,
        10018.54,
        17260.33,
    ),
]


def columns(folder: Path, row: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    name, where, r, d, g, covariates, unit = row[:7]
    frame = pd.read_csv(folder / "iv" / f"{name}.csv")
    frame = frame if where is None else frame[frame[where[0]] == where[1]]
    if name == "k401ksubs":
        frame = frame.assign(age25=frame.age - 25, age25sq=(frame.age - 25) ** 2)
    parts = [pd.get_dummies(frame[c[:-1]]) if c.endswith(":") else frame[[c]] for c in covariates]
    x = np.column_stack([np.zeros((len(frame), 0)), *(part.to_numpy(float) for part in parts)])
    return unit * frame[r].to_numpy(float), frame[d].to_numpy(float), frame[g].to_numpy(float), x


def classic(r: np.ndarray, d: np.ndarray, g: np.ndarray, x: np.ndarray) -> tuple[IvMoments, int]:
    """Textbook moments, one variance for all units with divisor n - k, and n - k: by plain least squares."""
    design = np.column_stack([np.ones(len(r)), x, g])
    both = np.column_stack([r, d])
    slopes = np.linalg.lstsq(design, both, rcond=None)[0]
    residual, k = both - design @ slopes, int(np.linalg.matrix_rank(design))
    matrix = residual.T @ residual / (len(r) - k) * np.linalg.pinv(design.T @ design)[-1, -1]
    (itt, fs), ((v_r, c), (_, v_d)) = slopes[-1].tolist(), matrix.tolist()
    return IvMoments(itt, fs, v_r, v_d, c, int((g == 0).sum()), int(g.sum())), len(r) - k


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}-{row[1]}-{len(row[5])}")
def test_encouragement__real_row__gives_every_known_number(real_data: Path, row: Any) -> None:
    r, d, g, x = columns(real_data, row)
    fs, f, itt, itt_se, ratio, se, hc0, low, high = row[7:]
    digits = 5e-5 if row[0] == "sesame" else 0.0051
    robust = computed(iv_moments_cells(np.ones(len(r)), np.column_stack([r, d]), np.zeros((len(r), 2, 2)), g, x))
    found = computed(wald(robust))
    assert robust.first_stage == pytest.approx(fs, abs=6e-6)
    assert (robust.itt, found.estimate, found.standard_error) == pytest.approx((itt, ratio, hc0), abs=digits)
    textbook, degrees = classic(r, d, g, x)
    assert textbook.first_stage**2 / textbook.v_d == pytest.approx(f, abs=0.06)
    assert textbook.v_r**0.5 == pytest.approx(itt_se, abs=digits)
    assert computed(wald(textbook)).standard_error == pytest.approx(se, abs=digits)
    limits = anderson_rubin(textbook, q=float(stats.f.isf(0.05, 1, degrees)))
    assert (limits.low, limits.high) == pytest.approx((low, high), abs=digits)


@pytest.mark.parametrize(("covariates", "published"), [([], 38.7), (["prelet", "site:", "setting"], 35.6)])
def test_sesame__robust_f__is_the_published_one(real_data: Path, covariates: list[str], published: float) -> None:
    r, d, g, x = columns(real_data, (*ROWS[0][:5], covariates, 1))
    moments = computed(iv_moments_cells(np.ones(len(r)), np.column_stack([r, d]), np.zeros((len(r), 2, 2)), g, x))
    k = int(np.linalg.matrix_rank(np.column_stack([np.ones(len(r)), g, x])))
    f_statistic = computed(first_stage(moments, 0.5, 0.9).f_statistic)
    assert f_statistic * (len(r) - k) / len(r) == pytest.approx(published, abs=0.05)


def arms(r: np.ndarray, d: np.ndarray, g: np.ndarray) -> tuple[Joint, Joint]:
    matrix = np.column_stack([r, d])
    return Joint.from_columns(matrix[g == 0]), Joint.from_columns(matrix[g == 1])


@pytest.mark.parametrize(
    ("position", "treated"), [(0, 12.6894), (2, 2791.09), (3, 3970.21), (5, 2133.08), (7, 26805.74)]
)
def test_as_treated__real_row__is_the_known_warning(real_data: Path, position: int, treated: float) -> None:
    r, d, g, _ = columns(real_data, ROWS[position])
    assert as_treated(*arms(r, d, g)) == pytest.approx(treated, abs=0.0051)


def test_jtpa__per_protocol__exceeds_the_effect_on_compliers(real_data: Path) -> None:
    r, d, g, _ = columns(real_data, ROWS[2])
    control, variant = arms(r, d, g)
    found = computed(per_protocol(control, variant))
    assert found == pytest.approx(2377, abs=0.5)
    assert found == pytest.approx(float(r[(g == 1) & (d == 1)].mean() - r[(g == 0) & (d == 0)].mean()))
    shares = computed(complier_shares(control, variant))
    kinds = [shares.always_takers.estimate, shares.never_takers.estimate]
    assert kinds == pytest.approx([54 / 3717, 2683 / 7487])
    levels = computed(complier_levels(control, variant))
    assert levels.nudged.value - levels.control.value == pytest.approx(1848.83, abs=0.0051)


def test_per_protocol__nobody_did_as_told__says_so() -> None:
    none = joint_of_counts([[5, 0], [5, 0]])
    assert per_protocol(none, none) == NotComputable(Reason.NO_DATA)


def test_k401k__one_sided__has_no_always_takers(real_data: Path) -> None:
    shares = computed(complier_shares(*arms(*columns(real_data, ROWS[7])[:3])))
    assert (shares.always_takers.estimate, shares.always_takers.low) == (0, 0)
    assert shares.compliers.estimate == pytest.approx(2562 / 3637)


def test_card__cells_of_single_men__give_the_published_numbers() -> None:
    """Card 1995 as in the linearmodels documentation; the sets: docs/methods/known_answers.md."""
    from linearmodels.datasets import card

    frame = card.load()
    controls = ["exper", "expersq", "black", "south", "smsa", "smsa66", *(f"reg66{i}" for i in range(2, 10))]
    r, d, g = (frame[c].to_numpy(float) for c in ("lwage", "educ", "nearc4"))
    x, n = frame[controls].to_numpy(float), len(frame)
    moments = computed(iv_moments_cells(np.ones(n), np.column_stack([r, d]), np.zeros((n, 2, 2)), g, x))
    plain, _ = classic(r, d, g, x)
    found, limits = computed(two_stage(r, d, g, x)), anderson_rubin(moments)
    assert found.estimate == pytest.approx(0.1315, abs=5e-5)
    assert (limits.low, limits.high) == pytest.approx((0.0285, 0.2805), abs=5e-5)
    textbook = anderson_rubin(plain)
    assert (textbook.low, textbook.high) == pytest.approx((0.0249, 0.2847), abs=5.1e-5)
    assert computed(wald(plain)).standard_error == pytest.approx(0.0550, abs=5e-5)
    assert plain.first_stage**2 / plain.v_d == pytest.approx(13.26, abs=5e-3)


@pytest.mark.parametrize(
    ("segment", "first", "f", "ratio", "se", "low", "high", "conversion"),
    [
        ("Mens E-Mail", 0.076590, 511.7, 10.0513, 1.8743, 6.386, 13.761, (0.088850, 0.011754)),
        ("Womens E-Mail", 0.045233, 195.5, 9.3828, 2.8490, 3.796, 15.077, (0.068778, 0.017762)),
    ],
)
def test_hillstrom__mails__give_known_encouragements(
    real_data: Path,
    segment: str,
    first: float,
    f: float,
    ratio: float,
    se: float,
    low: float,
    high: float,
    conversion: tuple[float, float],
) -> None:
    frame = pd.read_csv(real_data / "ab" / "hillstrom.csv")
    part = frame[frame.segment.isin([segment, "No E-Mail"])]
    g, visit = (part.segment == segment).to_numpy(float), part.visit.to_numpy(float)
    for name, known in (("spend", (ratio, se)), ("conversion", conversion)):
        outcome = part[name].to_numpy(float)
        robust = computed(wald(computed(iv_moments(*arms(outcome, visit, g)))))
        textbook, degrees = classic(outcome, visit, g, np.zeros((len(g), 0)))
        assert textbook.first_stage == pytest.approx(first, abs=6e-7)
        assert textbook.first_stage**2 / textbook.v_d == pytest.approx(f, abs=0.05)
        assert (robust.estimate, computed(wald(textbook)).standard_error) == pytest.approx(known, abs=5.1e-5)
        # With arms of one size the robust error is the classic one, nearly.
        assert robust.standard_error == pytest.approx(known[1], rel=1e-3)
        if name == "spend":
            limits = anderson_rubin(textbook, q=float(stats.f.isf(0.05, 1, degrees)))
            assert (limits.low, limits.high) == pytest.approx((low, high), abs=6e-4)
