"""What a segmentation found, in plain sentences. Pure.

Whole sentences are translated, with named placeholders, because word order differs between languages.
"""

from collections.abc import Mapping, Sequence

from events.metrics import display_name
from reporting.numbers import decimal, p_text, percent
from reporting.words import gettext, reason_words
from segments.churn.model import Quality
from segments.published.drift import ABSENT, TOO_LITTLE_DATA, UNLIKE_ANY, Drift
from segments.report.gap_words import gap_why
from segments.search.clustering import NULL_LEVEL, PATTERN_JACCARD, STABLE_ARI, STABLE_JACCARD, KReason, Standing
from segments.search.features import Drop, Dropped
from segments.search.gaps import Shape
from segments.search.profiles import Direction
from segments.search.reduction import Method
from segments.search.result import Cluster, Drivers, Report
from segments.search.tiers import Delta
from stats.results import computable


def optional(value: float | None, digits: int = 2) -> str:
    """A number, or that it was not measured."""
    return gettext("not measured") if value is None else decimal(value, digits)


# ── Names ─────────────────────────────────────────────────────────────────────
def method_name(method: Method) -> str:
    """Names that are the same in every language."""
    return {Method.PCA: "PCA", Method.UMAP: "UMAP"}[method]


def picture_name(name: str) -> str:
    """The name of a picture's method."""
    return {"pca": "PCA", "umap": "UMAP", "tsne": "t-SNE"}[name]


def feature_name(name: str) -> str:
    """A column of the distance as people read it; behaviours keep their own name."""
    known = {
        "active_days": gettext("active days"),
        "sessions_per_day": gettext("sessions per active day"),
        "tenure": gettext("days since the first activity"),
        "recency": gettext("days since the last activity"),
    }
    return known.get(name) or display_name(name)


def feature_names(names: Sequence[str]) -> str:
    """Columns that can't be told apart, as one text."""
    return ", ".join(feature_name(name) for name in names)


def play_words(name: Sequence[tuple[str, str]]) -> str:
    """What stands out in a group, for example ``more arena, less build``."""
    texts = {Direction.MORE.value: gettext("more %(what)s"), Direction.LESS.value: gettext("less %(what)s")}
    found = [texts[str(direction)] % {"what": feature_name(what)} for what, direction in name]
    return ", ".join(found) if found else gettext("nothing stands out")


def cluster_words(cluster: Cluster) -> str:
    """The key of a group and what it does most differently."""
    first = cluster.profile.name[:1]
    return f"{cluster.key} · {play_words(first)}" if first else cluster.key


def standing_words(standing: Standing) -> str:
    """What a group's stability allows."""
    return {
        Standing.STABLE: gettext("stable: name it and target it"),
        Standing.PATTERN: gettext("a pattern: name it with care"),
        Standing.DISSOLVES: gettext("dissolves: no name, no targeting"),
    }[standing]


def standing_of(stability: float | None) -> tuple[str, str]:
    """Colour name and words for a stored stability; a rule has none and always holds."""
    if stability is None:
        return "good", gettext("a rule: holds by definition")
    if stability >= STABLE_JACCARD:
        return "good", standing_words(Standing.STABLE)
    if stability >= PATTERN_JACCARD:
        return "warn", standing_words(Standing.PATTERN)
    return "bad", standing_words(Standing.DISSOLVES)


def tier_name(name: str) -> str:
    """An activity tier."""
    return {
        "low": gettext("low activity"),
        "mid": gettext("middle activity"),
        "high": gettext("high activity"),
    }.get(name, name)


def drop_words(row: Dropped) -> str:
    """Why a behaviour is no feature."""
    return {
        Drop.CONSTANT: gettext("everybody did it equally often, so it tells nobody apart"),
        Drop.NEAR_DUPLICATE: gettext("says the same as %(other)s (rank correlation 0.95 or more)")
        % {"other": feature_name(row.of or "")},
        Drop.OUTCOME: gettext("is part of the retention that the groups are compared by"),
    }[row.reason]


# ── Findings: the title of each part ──────────────────────────────────────────
def headline(report: Report) -> str:
    """The answer in one sentence."""
    if not report.found:
        return gettext("No stable groups: use activity tiers")
    if report.shape is Shape.STYLES:
        return gettext("%(styles)s styles of a continuum (corners, not groups)") % {"styles": report.k}
    stable = sum(cluster.standing is Standing.STABLE for cluster in report.clusters)
    if stable == report.k:
        return gettext("%(groups)s stable groups of users") % {"groups": report.k}
    return gettext("%(groups)s groups of users, %(stable)s of them stable") % {"groups": report.k, "stable": stable}


def why(report: Report) -> str:
    """Why the groups were believed, or weren't."""
    details = {
        "k": report.k, "ari": decimal(report.stability), "needed": decimal(STABLE_ARI),
        "p": p_text(report.null.p_value), "draws": len(report.null.values), "level": NULL_LEVEL,
    }  # fmt: skip
    if report.found:
        return " ".join(part for part in (_believed(details), gap_why(report)) if part)
    if report.choice.k is None:
        return (
            gettext(
                "No number of groups from 2 to 10 is found again in resamples (agreement of %(needed)s or more) with "
                "at least 2 in 100 users in each. The %(k)s groups below are for looking only: users differ by degrees."
            )
            % details
        )
    if report.null.p_value > NULL_LEVEL:
        return (
            gettext(
                "The %(k)s groups are no more separate than groups made in %(draws)s populations of the same margins "
                "without any (%(p)s; at most %(level)s is needed). They cut one cloud into pieces and are for looking "
                "only."
            )
            % details
        )
    return (
        gettext(
            "Resampling the users does not find the same %(k)s groups again (agreement %(ari)s; %(needed)s is needed). "
            "They are for looking only."
        )
        % details
    )


def _believed(details: Mapping[str, object]) -> str:
    return (
        gettext(
            "Resampling the users finds the same groups again (agreement %(ari)s; %(needed)s is needed), and they "
            "are more separate than groups made in %(draws)s populations of the same margins without any (%(p)s)."
        )
        % details
    )


def k_finding(report: Report) -> str:
    """Which number of groups, and why that one."""
    gap = gettext("none") if report.choice.gap_k is None else str(report.choice.gap_k)
    return {
        KReason.GIVEN: gettext("%(k)s groups, as a person asked"),
        KReason.GAP: gettext("%(k)s groups: the gap statistic's choice, and found again in resamples"),
        KReason.LARGEST_ADMISSIBLE: gettext(
            "%(k)s groups: the largest number found again in resamples (the gap statistic would take %(gap)s)"
        ),
        KReason.NONE_ADMISSIBLE: gettext(
            "No number of groups is found again in resamples; %(k)s are shown for looking"
        ),
    }[report.choice.reason] % {"k": report.k, "gap": gap}


def method_finding(report: Report) -> str:
    """Which reduction was clustered, and why."""
    other = Method.UMAP if report.method is Method.PCA else Method.PCA
    return {
        "stability": gettext("%(used)s was clustered: its groups come out alike more often than those of %(other)s"),
        "usefulness": gettext("%(used)s was clustered: its groups say more about who leaves than those of %(other)s"),
        "tie": gettext("%(used)s was clustered: %(other)s is not better, and %(used)s places new users exactly"),
        "given": gettext("%(used)s was clustered, as a person asked"),
        "fidelity": gettext("%(used)s was clustered: %(other)s was better, but can't place new users faithfully"),
    }[report.method_reason] % {"used": method_name(report.method), "other": method_name(other)}


def map_finding(report: Report) -> str:
    """Which map keeps neighbours together."""
    pca, umap = report.scorecard
    better, worse = (umap, pca) if umap.faithfulness.overlap >= pca.faithfulness.overlap else (pca, umap)
    return gettext("%(better)s keeps %(more)s of each user's nearest neighbours, %(worse)s keeps %(fewer)s") % {
        "better": method_name(better.method), "more": percent(better.faithfulness.overlap),
        "worse": method_name(worse.method), "fewer": percent(worse.faithfulness.overlap),
    }  # fmt: skip


def tsne_finding(report: Report) -> str:
    """What the t-SNE picture is good for."""
    return gettext("t-SNE with the %(k)s groups: for the eye, since its distances and sizes mean nothing") % {
        "k": report.k
    }


def null_finding(report: Report) -> str:
    """The silhouette against the null."""
    text = (
        gettext("More separate than groups made in %(draws)s populations without any (%(p)s)")
        if report.null.p_value <= NULL_LEVEL
        else gettext("No more separate than groups made in %(draws)s populations without any (%(p)s)")
    )
    return text % {"draws": len(report.null.values), "p": p_text(report.null.p_value)}


def stability_finding(report: Report) -> str:
    """How many groups hold."""
    stable = sum(cluster.standing is Standing.STABLE for cluster in report.clusters)
    if stable == report.k:
        return gettext("Resampling finds all %(k)s groups again") % {"k": report.k}
    return gettext("Resampling finds %(stable)s of %(k)s groups again") % {"stable": stable, "k": report.k}


def heat_finding(report: Report) -> str:
    """The most unusual cell."""
    cells = [
        (value, name, cluster.key)
        for cluster in report.clusters
        for name, value in zip(report.features, cluster.heat, strict=True)
    ]
    value, name, key = max(cells, key=lambda cell: abs(cell[0]))
    text = (
        gettext("What stands out most: %(group)s does more %(what)s, %(size)s standard deviations above the average")
        if value >= 0
        else gettext(
            "What stands out most: %(group)s does less %(what)s, %(size)s standard deviations below the average"
        )
    )
    return text % {"group": key, "what": feature_name(name), "size": decimal(abs(value))}


def retention_finding(report: Report) -> str:
    """From the group that stays least to the one that stays most."""
    known = [(c.profile.retained.estimate, c.key) for c in report.clusters if computable(c.profile.retained)]
    if not known:
        return gettext("Retention by group isn't known")
    (low, last), (high, first) = min(known), max(known)
    if not computable(report.association) or report.association.p_value > NULL_LEVEL:
        return gettext("Retention does not differ detectably between the groups")
    return gettext("Retention runs from %(low)s in %(last)s to %(high)s in %(first)s") % {
        "low": percent(low), "last": last, "high": percent(high), "first": first,
    }  # fmt: skip


def tiers_finding(report: Report) -> str:
    """How retention grows with activity."""
    known = [tier.retained.estimate for tier in report.tiers.tiers if computable(tier.retained)]
    if len(known) < 2:
        return gettext("Three activity tiers by active days")
    return gettext("Retention is %(low)s among the least active and %(high)s among the most active") % {
        "low": percent(known[0]), "high": percent(known[-1]),
    }  # fmt: skip


def drivers_finding(drivers: Drivers) -> str:
    """What the more active group does more often on an active day, beyond chance."""
    clear = [row for row in drivers.contrasts if isinstance(row.delta, Delta) and row.delta.adjusted_p_value <= 0.05]
    names = {"first": tier_name(drivers.first), "second": tier_name(drivers.second)}
    if not clear:
        return gettext("On an active day, %(second)s does nothing detectably more or less often than %(first)s") % names
    row = clear[0]
    size = row.delta.estimate if isinstance(row.delta, Delta) else 0.0
    text = (
        gettext("On an active day, %(second)s does more %(what)s than %(first)s (Cliff's delta %(delta)s)")
        if size > 0
        else gettext("On an active day, %(second)s does less %(what)s than %(first)s (Cliff's delta %(delta)s)")
    )
    return text % {**names, "what": feature_name(row.name), "delta": decimal(size)}


def ranking_finding(drivers: Drivers) -> str:
    """What a model of the tiers leans on."""
    if not computable(drivers.ranking):
        return reason_words(drivers.ranking)
    first = drivers.ranking[0]
    text = gettext("A model that tells the tiers apart leans most on %(what)s (rank interval %(low)s to %(high)s)")
    return text % {"what": feature_names(first.members), "low": first.rank_low, "high": first.rank_high}


# ── Churn, drift and rules ────────────────────────────────────────────────────
def calibration_finding(quality: Quality) -> str:
    """Whether scores can be read as chances."""
    auc = quality.skill.auc
    details = {"auc": decimal(auc.estimate), "low": decimal(auc.low), "high": decimal(auc.high)}
    if quality.slope.low <= 1 <= quality.slope.high:
        return gettext("Scores can be read as chances; area under the curve %(auc)s (%(low)s … %(high)s)") % details
    return (
        gettext("Scores rank users but are off as chances; area under the curve %(auc)s (%(low)s … %(high)s)") % details
    )


def drift_light(code: Drift) -> tuple[str, str]:
    """Colour name and words of a drift code."""
    return {
        Drift.STABLE: ("good", gettext("as when it was made")),
        Drift.WATCH: ("warn", gettext("drifting: watch it")),
        Drift.REFIT: ("bad", gettext("drifted: look for groups anew")),
    }[code]


def place_words(state: int, names: Mapping[int, str]) -> str:
    """A state of the migration table: a segment's name, or why a user has none."""
    return {
        UNLIKE_ANY: gettext("unlike any group"),
        TOO_LITTLE_DATA: gettext("too little data"),
        ABSENT: gettext("not there"),
    }.get(state) or names.get(state, f"g{state + 1}")


def preview_sentence(members: int, units: int) -> str:
    """How many users a rule takes."""
    if units == 0:
        return gettext("There is no user yet to try this on.")
    text = gettext("%(members)s of %(units)s users (%(share)s)")
    return text % {"members": f"{members:,}", "units": f"{units:,}", "share": percent(members / units)}
