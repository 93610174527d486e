"""Each check at its threshold and just beyond."""

import numpy as np
import pytest

from experiments.analyse.health.file_checks import Context, Finding, Severity, examine, split_of
from experiments.plan.design import Design, GroupHint, Kind, Outcome, Units


def units(sizes: tuple[int, ...], **changes: object) -> Units:
    """Units of the given arm sizes with an alternating 0/1 outcome."""
    arm = np.repeat(np.arange(len(sizes)), sizes)
    values = (np.arange(len(arm)) % 2).astype(float)
    fields: dict[str, object] = {
        "labels": tuple("abcdef"[: len(sizes)]),
        "arm": arm,
        "outcomes": (Outcome("kept", Kind.PROPORTION, values),),
        "rows": len(arm),
        **changes,
    }
    return Units(**fields)  # type: ignore[arg-type]


def findings(data: Units, **changes: object) -> dict[str, Finding]:
    fields: dict[str, object] = {"variant": "arm", "control": "a", "outcomes": ("kept",), **changes}
    design = Design(**fields)  # type: ignore[arg-type]
    return {found.check: found for found in examine(Context(design, data, split_of(design, data)))}


@pytest.mark.parametrize(
    ("sizes", "check"),
    [
        # chi-square(1) is 10.828 at .001 and 6.635 at .01: with 10,000 units a difference of 2d gives (2d)^2/10,000.
        ((5165, 4835), "sample_ratio"),
        ((5164, 4836), "sample_ratio_watch"),
        ((5129, 4871), "sample_ratio_watch"),
        ((5128, 4872), None),
        ((99, 0), "sample_ratio_small"),
        ((80, 20), "sample_ratio"),
    ],
)
def test_sample_ratio__around_its_thresholds(sizes: tuple[int, int], check: str | None) -> None:
    found = findings(units(sizes))

    splits = [name for name in found if name.startswith("sample_ratio")]
    assert splits == ([] if check is None else [check])
    assert all((found[name].invalid == "srm") == (name == "sample_ratio") for name in splits)


def test_sample_ratio__planned_split__is_what_counts() -> None:
    data = units((6000, 4000))

    assert "sample_ratio" in findings(data)
    assert "sample_ratio" not in findings(data, shares={"a": 0.6, "b": 0.4})


def test_sample_ratio__clusters__groups_are_counted_not_rows() -> None:
    # 60 groups of 10 rows against 60 groups of 20: the groups are balanced, the rows aren't.
    data = units((600, 1200), cluster=np.repeat(np.arange(120), [10] * 60 + [20] * 60))

    assert "sample_ratio" in findings(units((600, 1200)))
    assert "sample_ratio" not in findings(data, cluster="guild")


def test_sample_ratio_by_segment__totals_balance__parts_alarm() -> None:
    arm = np.repeat([0, 1], 1000)
    segment = np.concatenate([np.repeat([0, 1], [600, 400]), np.repeat([0, 1], [400, 600])])

    found = findings(units((1000, 1000), arm=arm, segment=segment, segment_labels=("ios", "android")))

    assert found["sample_ratio_by_segment"].invalid == "srm"
    assert found["sample_ratio_by_segment"].details["bad"] == 2
    assert "sample_ratio" not in found


@pytest.mark.parametrize(
    ("several", "kept", "invalid"),
    [(10, 990, "multi_exposure"), (10, 991, None), (9, 100, None), (0, 100, None)],
)
def test_several_variants__one_percent_and_ten_units(several: int, kept: int, invalid: str | None) -> None:
    found = findings(units((kept // 2, kept - kept // 2), several_variants=several))

    assert ("several_variants" in found) == (several > 0)
    if several:
        assert found["several_variants"].invalid == invalid


@pytest.mark.parametrize(("n", "tiny"), [(49, True), (50, False)])
def test_tiny_variant__below_fifty(n: int, tiny: bool) -> None:
    assert ("tiny_variant" in findings(units((100, n)))) == tiny


@pytest.mark.parametrize(("n", "severity"), [(49, Severity.INFO), (50, Severity.WARNING)])
def test_missing_values__five_percent_is_a_warning(n: int, severity: Severity) -> None:
    found = findings(units((500, 500), missing={"kept": (n - n // 2, n // 2)}))

    assert found["missing_values"].severity is severity


def test_missing_values__far_more_in_one_arm__says_so() -> None:
    # Chi-square of 10/500 against 40/500 is 18.9 (p 1e-5); of 20 against 40 it is 7.1 (p .008).
    assert "missing_differs" in findings(units((500, 500), missing={"kept": (10, 40)}))
    assert "missing_differs" not in findings(units((500, 500), missing={"kept": (20, 40)}))


@pytest.mark.parametrize(("value", "flagged"), [(5.6, True), (4.8, False)])
def test_outlier__a_fifth_of_the_variance(value: float, flagged: bool) -> None:
    # 100 values of +-1 and one x: its share of the squares is about x^2/(100+x^2), 0.2 at x = 5.
    values = np.concatenate([np.tile([1.0, -1.0], 50), [value], np.tile([1.0, -1.0], 50)])
    data = units((101, 100), outcomes=(Outcome("rounds", Kind.MEAN, values),))

    assert ("outlier" in findings(data)) == flagged


def test_balance__covariate_that_is_the_arm__is_the_worst_imbalance() -> None:
    arm = np.repeat([0.0, 1.0], 200)[:, None]

    assert "imbalance" in findings(units((200, 200), covariates=arm))


def test_balance__clusters__groups_are_compared() -> None:
    # 40 guilds of 50 that share a value: between 2,000 rows it would look like an imbalance half of the time.
    flagged = 0
    for seed in range(20):
        guild = np.repeat(np.arange(40), 50)
        x = np.random.default_rng(seed).normal(size=40)[guild][:, None]
        flagged += "imbalance" in findings(units((1000, 1000), covariates=x, cluster=guild), cluster="guild")
    assert flagged == 0


def test_balance__no_imbalance__p_values_are_uniform() -> None:
    from scipy import stats

    from experiments.analyse.health.file_checks import _balance_p

    rng = np.random.default_rng(8)
    found = [_balance_p(rng.integers(0, 3, 300), rng.normal(size=(300, 4))) for _ in range(300)]
    p_values = [p_value for p_value in found if p_value is not None]
    assert len(p_values) == 300

    assert stats.kstest(p_values, "uniform").pvalue > 0.001


@pytest.mark.parametrize(("sizes", "alarm"), [((585, 15), True), ((596, 4), False)])
def test_sample_ratio__tiny_planned_arm__is_tested_exactly(sizes: tuple[int, int], alarm: bool) -> None:
    # 3 of 600 planned: P(X >= 15) is about 1e-6, P(X >= 4) about a third.
    found = findings(units(sizes), shares={"a": 0.995, "b": 0.005})

    assert ("sample_ratio" in found) == alarm
    assert "sample_ratio_small" not in found


def test_sample_ratio__units_in_an_arm_of_share_zero__alarm() -> None:
    assert findings(units((200, 3)), shares={"a": 1.0, "b": 0.0})["unplanned_units"].invalid == "srm"


def test_behaviour_that_is_the_variant__is_said() -> None:
    data = units((100, 100), behaviour=np.repeat([0.0, 1.0], 100))

    assert "behaviour_is_variant" in findings(data, behaviour="did")


def test_unit_of_assignment__hint_only_without_clusters() -> None:
    hint = GroupHint("store", 120, 480)

    assert "unit_of_assignment" in findings(units((240, 240), group_hint=hint))
    clustered = units((240, 240), group_hint=hint, cluster=np.repeat(np.arange(120), 4))
    assert "unit_of_assignment" not in findings(clustered, cluster="store")


@pytest.mark.parametrize(("groups", "few"), [(19, True), (20, False)])
def test_few_clusters__below_twenty_per_arm(groups: int, few: bool) -> None:
    data = units((groups * 5, 150), cluster=np.concatenate([np.repeat(np.arange(groups), 5), 100 + np.arange(150)]))

    assert ("few_clusters" in findings(data, cluster="store")) == few


def test_mixed_clusters__counted() -> None:
    data = units((100, 100), cluster=np.tile(np.arange(100), 2))

    assert findings(data, cluster="guild")["mixed_clusters"].details == {"n": 100, "clusters": 100}


@pytest.mark.parametrize(("mixed", "check"), [(100, "sample_ratio"), (11, "sample_ratio"), (10, None)])
def test_sample_ratio__clusters_in_both_arms__units_were_assigned_and_are_counted(
    mixed: int, check: str | None
) -> None:
    """Each cluster stands in both arms, so that by clusters any split seems balanced: 900 to 300 was not noticed."""
    whole = 100 - mixed  # half of these in one arm, with nine units each, half in the other, with three
    cluster = np.concatenate(
        [np.repeat(np.arange(whole // 2), 9), np.repeat(np.arange(100 - mixed, 100), 9),
         np.repeat(np.arange(whole // 2, whole), 3), np.repeat(np.arange(100 - mixed, 100), 3)]
    )  # fmt: skip
    sizes = (9 * (whole // 2 + mixed), len(cluster) - 9 * (whole // 2 + mixed))

    assert (
        "sample_ratio" if "sample_ratio" in findings(units(sizes, cluster=cluster), cluster="guild") else None
    ) == check


def test_balance__covariate_that_follows_the_arm__is_flagged() -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(1000, 2))
    shifted = noise + np.repeat([[0.0, 0.0], [0.4, 0.0]], 500, axis=0)

    assert "imbalance" not in findings(units((500, 500), covariates=noise))
    assert "imbalance" in findings(units((500, 500), covariates=shifted))


def test_balance__redundant_columns__dont_break_the_test() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(1000, 1))

    found = findings(units((500, 500), covariates=np.hstack([x, 2 * x, np.ones((1000, 1))])))

    assert "balance_unknown" not in found
    assert "check_failed" not in found


def test_no_variation__named_per_variant() -> None:
    data = units((100, 100), outcomes=(Outcome("kept", Kind.PROPORTION, np.repeat([0.0, 1.0], 100)),))
    design = Design(variant="arm", control="a", outcomes=("kept",))

    found = examine(Context(design, data, split_of(design, data)))

    flat = [finding.details for finding in found if finding.check == "no_variation"]
    assert flat == [
        {"column": "kept", "variant": "a", "value": 0.0},
        {"column": "kept", "variant": "b", "value": 1.0},
    ]


def test_examine__gravest_first() -> None:
    data = units((5165, 4835), several_variants=3, missing={"kept": (1, 1)})

    design = Design(variant="arm", control="a", outcomes=("kept",))
    severities = [finding.severity for finding in examine(Context(design, data, split_of(design, data)))]

    assert severities == [Severity.ERROR, Severity.WARNING, Severity.INFO]
