"""PCA, faithfulness, usefulness and the recommendation; UMAP on digits and penguins (one compile, slow)."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segments.search import clustering, reduction
from segments.search.features import Floats
from segments.search.reduction import Faithfulness, Method, ScorecardRow

ROW = ScorecardRow(Method.PCA, 2, Faithfulness(1.0, 1.0, 1.0, 1.0), 0.9, None, 0.3, 0.1, 1.0)


def standard(values: Floats) -> Floats:
    spread = values.std(axis=0)
    return (values - values.mean(axis=0)) / np.where(spread == 0, 1.0, spread)


def test_pca__against_scikit_learn__same_shares_and_coordinates_with_fixed_signs() -> None:
    from sklearn.decomposition import PCA

    values = np.random.default_rng(1).standard_normal((300, 6)) @ np.random.default_rng(2).standard_normal((6, 6))

    ours, theirs = reduction.fit_pca(values), PCA(0.9, svd_solver="full").fit(values)

    assert ours.explained == pytest.approx(theirs.explained_variance_ratio_)
    assert np.abs(ours.project(values)) == pytest.approx(np.abs(theirs.transform(values)))
    largest = np.abs(ours.components).argmax(axis=1)
    assert (ours.components[np.arange(len(largest)), largest] > 0).all()


def test_pca__one_row_or_many__same_bits() -> None:
    values = np.random.default_rng(1).standard_normal((500, 13))
    fitted = reduction.fit_pca(values)

    bulk = fitted.project(values)

    assert all(np.array_equal(fitted.project(values[row : row + 1])[0], bulk[row]) for row in range(500))


def test_parallel_analysis__two_factors_in_eight_columns__counts_two_and_none_in_noise() -> None:
    rng = np.random.default_rng(1)
    factors = rng.standard_normal((1_000, 2)) @ np.repeat(np.eye(2), 4, axis=1)
    noise = rng.standard_normal((1_000, 8))

    found = [reduction.fit_pca(values, rng=rng).parallel for values in (factors + 0.5 * noise, noise)]

    assert found[0] == 2
    assert found[1] <= 1


def test_faithfulness__same_space_and_shuffled_space__one_and_little() -> None:
    values = np.random.default_rng(1).standard_normal((400, 5))

    same, shuffled = (
        reduction.faithfulness(values, other, rng=np.random.default_rng(2)) for other in (values, values[::-1])
    )

    assert (same.trustworthiness, same.continuity, same.overlap) == (1.0, 1.0, 1.0)
    assert same.distances == pytest.approx(1.0)
    assert shuffled.overlap < 0.1
    assert abs(shuffled.distances) < 0.05
    assert shuffled.trustworthiness < 0.6


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.0, 1.0])), min_size=4, max_size=60))
@settings(deadline=None)
def test_eta_squared__any_0_1_outcome__is_chi_square_over_n(pairs: list[tuple[int, float]]) -> None:
    from scipy.stats import chi2_contingency

    labels, outcome = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    found = reduction.eta_squared(outcome, labels)
    table = np.array([[((labels == a) & (outcome == b)).sum() for b in (0, 1)] for a in np.unique(labels)])

    if found is None:
        assert np.ptp(outcome) == 0
    else:
        expected = chi2_contingency(table, correction=False).statistic / len(pairs)
        assert found == pytest.approx(expected, abs=1e-9)


def test_eta_squared__unknown_outcomes__do_not_count() -> None:
    outcome = np.array([0.0, 1.0, np.nan, np.nan])

    assert reduction.eta_squared(outcome, np.array([0, 1, 0, 0])) == 1.0


@pytest.mark.parametrize(
    ("reproducibility", "usefulness", "expected"),
    [
        (0.96, 0.0, (Method.UMAP, "stability")),
        (0.84, 0.9, (Method.PCA, "stability")),
        (0.94, 0.12, (Method.UMAP, "usefulness")),
        (0.94, 0.08, (Method.PCA, "usefulness")),
        (0.94, 0.105, (Method.PCA, "tie")),
        (0.94, None, (Method.PCA, "tie")),
    ],
)
def test_recommend__stability_then_usefulness_then_pca(
    reproducibility: float, usefulness: float | None, expected: tuple[Method, str]
) -> None:
    umap = replace(ROW, method=Method.UMAP, reproducibility=reproducibility, usefulness=usefulness)

    assert reduction.recommend(ROW, umap) == expected


@pytest.mark.slow
def test_umap__digits__beats_pca_and_raw() -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    values = np.asarray(digits.data, dtype=np.float64) / 16

    found = {
        "umap": reduction.embed_umap(values, seed=1),
        "pca": reduction.fit_pca(values).project(values),
        "raw": values,
    }
    ari = {
        name: clustering.agreement(digits.target, clustering.kmeans(space, 10, seed=1).labels)
        for name, space in found.items()
    }

    assert ari["umap"] >= 0.70
    assert ari["umap"] >= max(ari["pca"], ari["raw"]) + 0.05


@pytest.mark.slow
def test_penguins__species__as_published(real_data: Path) -> None:
    import pandas as pd

    frame = pd.read_csv(real_data / "cluster" / "penguins.csv").dropna()
    columns = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
    species = frame["species"].astype("category").cat.codes.to_numpy().astype(np.int64)
    values = standard(frame[columns].to_numpy(dtype=np.float64))

    def found_by_umap(seed: int, start: str) -> float:
        options = {"n_components": 2, "n_neighbors": 15, "min_dist": 0.0, "random_state": seed}
        space = reduction.fit_umap(values, init=start, **options)
        return clustering.agreement(species, clustering.kmeans(space, 3, seed=1).labels)

    plain = clustering.kmeans(values, 3, seed=1)

    assert clustering.agreement(species, plain.labels) == pytest.approx(0.799, abs=0.001)
    assert np.bincount(plain.labels).tolist() == [129, 119, 85]
    assert clustering.silhouette(values, plain.labels) == pytest.approx(0.446, abs=0.001)
    assert min(found_by_umap(seed, "spectral") for seed in (1, 2, 3)) >= 0.85
    # From our start, PCA, a quarter of the draws ends at .69, and which ones do depends on the processor. So only the
    # mean is held (.88 of twelve draws), above what K-means finds in the features.
    assert np.mean([found_by_umap(seed, reduction.UMAP_START) for seed in range(1, 10)]) >= 0.80
    # Several starts end in solutions of nearly the same inertia here (.32 and .33), so a band: scaling decides.
    unscaled = clustering.kmeans(frame[columns].to_numpy(dtype=np.float64), 3, seed=1)
    assert 0.30 < clustering.agreement(species, unscaled.labels) < 0.35
