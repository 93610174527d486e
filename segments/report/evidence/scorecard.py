"""Whether PCA or UMAP was clustered, and why. Pure."""

from reporting.numbers import decimal
from reporting.table import Part, Table
from reporting.words import gettext
from segments.search.reduction import Method
from segments.search.result import Report

METHODS = {"pca": "PCA", "umap": "UMAP", "tsne": "t-SNE"}  # the same in every language


def part(report: Report) -> Part:
    """PCA or UMAP?"""
    return Part("scorecard", gettext("PCA or UMAP?"), finding(report), table(report))


def finding(report: Report) -> str:
    """Which reduction was clustered, and why."""
    other = Method.UMAP if report.method is Method.PCA else Method.PCA
    return {
        "stability": gettext("%(used)s was clustered: its groups come out alike more often than those of %(other)s"),
        "usefulness": gettext("%(used)s was clustered: its groups say more about who leaves than those of %(other)s"),
        "tie": gettext("%(used)s was clustered: %(other)s is not better, and %(used)s places new users exactly"),
        "given": gettext("%(used)s was clustered, as a person asked"),
        "fidelity": gettext("%(used)s was clustered: %(other)s was better, but can't place new users faithfully"),
    }[report.method_reason] % {"used": METHODS[report.method], "other": METHODS[other]}


def table(report: Report) -> Table:
    """PCA and UMAP, measure by measure, and which is better in each."""
    pca, umap = report.scorecard
    measures: list[tuple[str, float | None, float | None, int, str]] = [
        (gettext("trustworthiness"), *_both(report, "trustworthiness"), 1, gettext("near in the map was near before")),
        (gettext("continuity"), *_both(report, "continuity"), 1, gettext("near before is near in the map")),
        (gettext("neighbours kept"), *_both(report, "overlap"), 1, gettext("share of the 15 nearest that stay")),
        (gettext("distances kept"), *_both(report, "distances"), 1, gettext("rank correlation of distances")),
        (
            gettext("reproducibility"),
            pca.reproducibility,
            umap.reproducibility,
            1,
            gettext("agreement of the groups of five seeds; decides first"),
        ),
        (
            gettext("usefulness"),
            pca.usefulness,
            umap.usefulness,
            1,
            gettext("share of later leaving that groups explain among users outside the fit; decides next"),
        ),
        (
            gettext("stability"),
            pca.stability,
            umap.stability,
            1,
            gettext("agreement over resamples; measured for the one that was used"),
        ),
        (
            gettext("silhouette"),
            pca.silhouette,
            umap.silhouette,
            1,
            gettext("how separate the groups are, before any map"),
        ),
        (gettext("seconds"), pca.seconds, umap.seconds, -1, gettext("time of one fit")),
    ]
    rows = [
        (name, _measured(one), _measured(two), _better(one, two, sign), meaning)
        for name, one, two, sign, meaning in measures
    ]
    rows.append((gettext("dimensions"), str(pca.components), str(umap.components), "", gettext("what grouping sees")))
    columns = (gettext("measure"), "PCA", "UMAP", gettext("better"), gettext("what it measures"))
    note = gettext("All but the seconds: 1 is best. Ties: up to 0.05 in reproducibility, up to 0.01 in usefulness.")
    return Table(gettext("Scorecard of PCA and UMAP"), columns, tuple(rows), note)


def _both(report: Report, name: str) -> tuple[float, float]:
    pca, umap = (float(getattr(row.faithfulness, name)) for row in report.scorecard)
    return pca, umap


def _better(one: float | None, two: float | None, sign: int) -> str:
    if one is None or two is None:
        return ""
    if round(one, 3) == round(two, 3):
        return gettext("alike")
    return "PCA" if sign * one > sign * two else "UMAP"


def _measured(value: float | None) -> str:
    return gettext("not measured") if value is None else decimal(value, 3)
