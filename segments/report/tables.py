"""A segmentation as tables of text: the same rows stand behind each chart. Pure."""

from reporting.numbers import between, decimal, number, p_text, p_value, percent, share
from reporting.table import Table
from reporting.words import gettext, reason_words
from segments.report import words
from segments.search.clustering import PATTERN_JACCARD, SMALLEST_SHARE, STABLE_ARI, STABLE_JACCARD
from segments.search.leaving import Residual
from segments.search.profiles import FeatureContrast
from segments.search.result import Cluster, Drivers, Points, Report
from segments.search.tiers import Delta, Rate
from stats.results import NotComputable, computable

STANDING_OUT = 6


def flow(report: Report) -> Table:
    """From signups to units with a group."""
    units = report.units
    rows = [
        (gettext("signed up"), units.signed_up),
        (gettext("left out: their days aren't over yet"), units.too_young),
        (gettext("looked at"), units.eligible),
        (gettext("left out: fewer than three active days, so no pattern to see"), units.too_little_data),
        (gettext("in a group"), units.clustered),
        (gettext("of these unlike any group (farther out than 99 in 100 of those who formed it)"), units.unlike),
    ]
    text = tuple((name, f"{count:,}") for name, count in rows)
    return Table(gettext("Flow of users"), (gettext("step"), gettext("users")), text)


# ── Method ────────────────────────────────────────────────────────────────────
def scorecard(report: Report) -> Table:
    """PCA and UMAP, measure by measure, and which is better in each."""
    pca, umap = report.scorecard
    measures: list[tuple[str, float | None, float | None, int, str]] = [
        (gettext("trustworthiness"), *_both(report, "trustworthiness"), 1, gettext("near in the map was near before")),
        (gettext("continuity"), *_both(report, "continuity"), 1, gettext("near before is near in the map")),
        (gettext("neighbours kept"), *_both(report, "overlap"), 1, gettext("share of the 15 nearest that stay")),
        (gettext("distances kept"), *_both(report, "distances"), 1, gettext("rank correlation of distances")),
        (gettext("reproducibility"), pca.reproducibility, umap.reproducibility, 1,
         gettext("agreement of the groups of five seeds; decides first")),
        (gettext("usefulness"), pca.usefulness, umap.usefulness, 1,
         gettext("share of later leaving that groups explain among users outside the fit; decides next")),
        (gettext("stability"), pca.stability, umap.stability, 1,
         gettext("agreement over resamples; measured for the one that was used")),
        (gettext("silhouette"), pca.silhouette, umap.silhouette, 1,
         gettext("how separate the groups are, before any map")),
        (gettext("seconds"), pca.seconds, umap.seconds, -1, gettext("time of one fit")),
    ]  # fmt: skip
    rows = [
        (
            name, words.optional(one, 3), words.optional(two, 3),
            _better(one, two, sign), meaning,
        )
        for name, one, two, sign, meaning in measures
    ]  # fmt: skip
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


def sample(report: Report, points: Points) -> Table:
    """How many users of each group a picture shows."""
    rows = []
    for place, cluster in enumerate(report.clusters):
        left = [gone for label, gone in zip(points.cluster, points.left, strict=True) if label == place]
        known = [gone for gone in left if gone is not None]
        gone = f"{sum(known):,}" if known else gettext("not known")
        rows.append((words.cluster_words(cluster), f"{len(left):,}", gone))
    columns = (gettext("group"), gettext("users in the picture"), gettext("of these left later"))
    return Table(gettext("Users in the picture"), columns, tuple(rows))


def numbers_of_groups(report: Report) -> Table:
    """Each number of groups that was tried."""
    rows = tuple(
        (
            str(row.k) + (" ←" if row.k == report.k else ""),
            decimal(row.stability), percent(row.smallest_share), gettext("yes") if row.admissible else gettext("no"),
            decimal(row.silhouette, 3), decimal(row.davies_bouldin), f"{row.calinski_harabasz:,.0f}",
            f"{decimal(row.gap, 3)} ± {decimal(row.gap_error, 3)}",
        )
        for row in report.k_scores
    )  # fmt: skip
    columns = (
        gettext("groups"), gettext("stability"), gettext("smallest group"), gettext("may be chosen"),
        gettext("silhouette"), gettext("Davies-Bouldin (less is better)"), gettext("Calinski-Harabasz"),
        gettext("gap ± s"),
    )  # fmt: skip
    votes = report.choice.votes
    note = gettext(
        "A number may be chosen when its stability is %(ari)s or more and no group is smaller than %(smallest)s. What "
        "each criterion alone would take: silhouette %(silhouette)s, Davies-Bouldin %(davies_bouldin)s, "
        "Calinski-Harabasz %(calinski_harabasz)s, stability %(stability)s, gap %(gap)s."
    ) % {
        "ari": decimal(STABLE_ARI), "smallest": percent(SMALLEST_SHARE),
        "gap": gettext("none") if report.choice.gap_k is None else report.choice.gap_k,
        **votes,
    }  # fmt: skip
    return Table(gettext("Numbers of groups that were tried"), columns, rows, note)


def null(report: Report) -> Table:
    """The observed silhouette and those of populations without groups."""
    draws = sorted(report.null.values)
    rows = (
        (gettext("silhouette of these users"), decimal(report.null.observed, 3)),
        (gettext("populations without groups"), f"{len(draws):,}"),
        (gettext("their silhouettes: smallest"), decimal(draws[0], 3)),
        (gettext("their silhouettes: middle"), decimal(draws[len(draws) // 2], 3)),
        (gettext("their silhouettes: largest"), decimal(draws[-1], 3)),
        (gettext("share of them below"), percent(report.null.percentile)),
        (gettext("p"), p_value(report.null.p_value)),
    )
    note = gettext(
        "Each population has the same margins and rank correlations as these users, but no groups, and goes through "
        "the same steps."
    )
    return Table(gettext("Against populations without groups"), (gettext("quantity"), gettext("value")), rows, note)


def stability(report: Report) -> Table:
    """How well each group is found again."""
    rows = tuple(
        (
            words.cluster_words(cluster), f"{cluster.profile.size:,}", decimal(cluster.stability),
            words.standing_words(cluster.standing),
        )
        for cluster in report.clusters
    )  # fmt: skip
    columns = (gettext("group"), gettext("users"), gettext("mean best Jaccard"), gettext("what it allows"))
    note = gettext(
        "1: every resample finds the same users together. From %(stable)s on stable, from %(pattern)s on a pattern, "
        "below that the group dissolves."
    ) % {"stable": decimal(STABLE_JACCARD), "pattern": decimal(PATTERN_JACCARD)}
    return Table(gettext("Stability of each group"), columns, rows, note)


def gaps(report: Report) -> Table:
    """The gap test of each pair of neighbours."""
    rows = tuple(
        (
            f"g{row.first + 1} – g{row.second + 1}", f"{row.units:,}", decimal(row.dip, 4), p_value(row.adjusted_p),
            gettext("yes") if row.found else gettext("not found"),
        )
        for row in report.gaps
    )  # fmt: skip
    columns = (
        gettext("pair"), gettext("users looked at"), gettext("dip"), gettext("adjusted p"), gettext("gap"),
    )  # fmt: skip
    note = gettext(
        "The most active third of a pair, at most 2,000 users, on the line that tells the two best apart. Dip: how far "
        "their places are from one hill (Hartigan), 0 to 0.25; p against samples of one hill, Holm over the pairs. A "
        "gap that is not found may also be one too shallow for so many users to show."
    )
    return Table(gettext("Gaps between neighbours"), columns, rows, note)


# ── Groups ────────────────────────────────────────────────────────────────────
def heat(report: Report) -> Table:
    """Mean scaled value of each feature in each group."""
    rows = tuple(
        (words.feature_name(name), *(decimal(cluster.heat[place]) for cluster in report.clusters))
        for place, name in enumerate(report.features)
    )
    columns = (gettext("feature"), *(cluster.key for cluster in report.clusters))
    note = gettext(
        "In standard deviations from the average user; 0 is the average. Play is compared as a mix, not in total."
    )
    return Table(gettext("Mean of each feature in each group"), columns, rows, note)


def retention(report: Report) -> Table:
    """Size, retention and leaving of each group."""
    rows = []
    for cluster in report.clusters:
        profile = cluster.profile
        rows.append(
            (
                words.cluster_words(cluster), f"{profile.size:,}", percent(profile.share),
                share(profile.retained), share(profile.left),
                _residual(profile.residual), number(profile.tenure_median, 0),
            )
        )  # fmt: skip
    everybody = share(report.retention_rate)
    rows.append((gettext("everybody looked at"), f"{report.units.eligible:,}", "", everybody, "", "", ""))
    columns = (
        gettext("group"), gettext("users"), gettext("share"), gettext("retained (95 % CI)"),
        gettext("left (95 % CI)"), gettext("more or fewer leavers than by chance"),
        gettext("median days since the first activity"),
    )  # fmt: skip
    return Table(gettext("Retention of each group"), columns, tuple(rows), _association(report))


def _residual(value: Residual | NotComputable) -> str:
    if not computable(value):
        return reason_words(value)
    side = gettext("more") if value.value > 0 else gettext("fewer")
    return f"{side} (z {decimal(value.value, 1)}, p {p_value(value.adjusted_p_value)})"


def _association(report: Report) -> str:
    found = report.association
    if not computable(found):
        return reason_words(found)
    return gettext(
        "Intervals: Wilson. Leaving by group: chi-square %(statistic)s, degrees of freedom: %(df)s, %(p)s, Cramér's "
        "V %(v)s. The p of each group is adjusted for the number of groups (Benjamini-Hochberg). Everybody looked at "
        "includes users without a group, who were hardly active."
    ) % {
        "statistic": decimal(found.statistic, 1), "df": found.df, "p": p_text(found.p_value),
        "v": decimal(found.cramers_v),
    }  # fmt: skip


def standing_out(cluster: Cluster) -> Table | None:
    """What sets one group apart, the largest standardised difference first."""
    features = cluster.profile.features
    if isinstance(features, NotComputable):
        return None
    ordered = sorted(features, key=lambda row: -abs(row.smd) if computable(row.smd) else 0.0)[:STANDING_OUT]
    rows = tuple(_feature(row) for row in ordered)
    columns = (
        gettext("feature"), gettext("standardised difference"), gettext("share doing it"),
        gettext("share of the others"), gettext("median per active day"), gettext("median of the others"),
        gettext("adjusted p"),
    )  # fmt: skip
    untested = [row.adjusted_p_value for row in ordered if not computable(row.adjusted_p_value)]
    # One reason for all rows is said once, below them.
    note = reason_words(untested[0]) if len(untested) == len(ordered) > 0 else ""
    return Table(gettext("What stands out in %(group)s") % {"group": cluster.key}, columns, rows, note)


def _feature(row: FeatureContrast) -> tuple[str, ...]:
    tested = row.adjusted_p_value
    return (
        words.feature_name(row.name), number(row.smd, 2), percent(row.doing),
        percent(row.rest_doing), decimal(row.median), decimal(row.rest_median),
        p_value(tested) if computable(tested) else gettext("not tested"),
    )  # fmt: skip


# ── Tiers ─────────────────────────────────────────────────────────────────────
def tiers(report: Report) -> Table:
    """The three activity tiers."""
    rows = tuple((words.tier_name(tier.name), f"{tier.units:,}", share(tier.retained)) for tier in report.tiers.tiers)
    cuts, note = report.tiers.cuts, ""
    if computable(cuts):
        note = gettext("Low: up to %(low)s active days; middle: up to %(mid)s; high: more.") % {
            "low": cuts.low, "mid": cuts.mid,
        }  # fmt: skip
    columns = (gettext("tier"), gettext("users"), gettext("retained (95 % CI)"))
    return Table(gettext("Activity tiers"), columns, rows, note)


def drivers(found: Drivers) -> Table:
    """Behaviours of two tiers per active day."""
    rows = []
    for row in found.contrasts:
        delta = row.delta
        if isinstance(delta, NotComputable):
            last = (reason_words(delta), "")
        else:
            last = (_interval(delta), p_value(delta.adjusted_p_value))
        rates = (_interval(row.first), _interval(row.second), _interval(row.difference))
        rows.append((words.feature_name(row.name), *rates, *last))
    columns = (
        gettext("behaviour"), words.tier_name(found.first), words.tier_name(found.second),
        gettext("difference (95 % CI)"), gettext("Cliff's delta (95 % CI)"), gettext("adjusted p"),
    )  # fmt: skip
    note = gettext(
        "Events per active day, %(first)s against %(second)s users. Cliff's delta compares everybody over the same "
        "%(days)s active days: 0 alike, 1 when each of the more active does it more often."
    ) % {"first": f"{found.first_units:,}", "second": f"{found.second_units:,}", "days": found.exposure_days}
    return Table(gettext("What the more active do more often on an active day"), columns, tuple(rows), note)


def _interval(value: Rate | Delta) -> str:
    return f"{decimal(value.estimate)} ({between(decimal(value.low), decimal(value.high))})"


def ranking(found: Drivers) -> Table | None:
    """Behaviours by grouped SHAP."""
    if not computable(found.ranking):
        return None
    rows = tuple(
        (
            str(row.rank),
            between(str(row.rank_low), str(row.rank_high)),
            words.feature_names(row.members),
            decimal(row.importance, 3),
        )
        for row in found.ranking
    )
    columns = (
        gettext("rank"), gettext("rank (95 % CI)"), gettext("behaviours that can't be told apart"),
        gettext("mean |SHAP|, log-odds"),
    )  # fmt: skip
    note = gettext(
        "The model tells the tiers apart with an area under the curve of %(auc)s on users it never saw (0.5 is "
        "chance). Ranks whose intervals overlap are tied. It predicts; it does not say what makes people active."
    ) % {"auc": number(found.auc, 2)}
    return Table(gettext("What a model of the tiers leans on"), columns, rows, note)


def dropped(report: Report) -> Table | None:
    """Behaviours that were left out."""
    if not report.dropped:
        return None
    rows = tuple((words.feature_name(row.name), words.drop_words(row)) for row in report.dropped)
    return Table(gettext("Behaviours left out"), (gettext("behaviour"), gettext("why")), rows)


def samples(report: Report) -> Table:
    """Seed and sizes of the samples."""
    names = {
        "units": gettext("users looked at"),
        "train": gettext("users the groups were fitted on"),
        "reference": gettext("users in resamples, table of groups and null"),
    }
    rows = [(gettext("seed"), str(report.seed))]
    rows += [(names.get(name, name), f"{count:,}") for name, count in report.rows.items()]
    exact = gettext("exact") if report.fidelity is None else percent(report.fidelity)
    rows.append((gettext("new users placed as the groups would have"), exact))
    found = report.agreement
    if computable(found):
        rows.append((gettext("agreement of groups made from half of the days"), decimal(found.adjusted_rand)))
    return Table(gettext("Seed and samples"), (gettext("quantity"), gettext("value")), tuple(rows))
