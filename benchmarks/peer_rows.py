"""Which number of ours stands beside which of a peer, and why they differ where they do. Used by `peers.py`."""

from dataclasses import dataclass

# Same definition: what is left is the order of additions. Looser where a peer searches numerically.
SAME, SEARCHED = 1e-9, 1e-3


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        what: the quantity, for the reader.
        ours: key in what `ours.py` prints.
        peer: tea, spotify or gb.
        theirs: key in what the peer's script prints.
        why: why the numbers differ; empty where the definition is the same and they must agree.
        tolerance: relative, where they must agree.
    """

    what: str
    ours: str
    peer: str
    theirs: str
    why: str = ""
    tolerance: float = SAME


def same(what: str, name: str, peer: str, theirs: str, keys: dict[str, str]) -> list[Row]:
    return [Row(f"{what}: {label}", f"{name}.{label}", peer, f"{theirs}.{key}") for label, key in keys.items()]


TEA = {"estimate": "effect_size", "low": "effect_size_ci_lower", "high": "effect_size_ci_upper", "pvalue": "pvalue"}
TEA_LIFT = {"estimate": "rel_effect_size", "low": "rel_effect_size_ci_lower", "high": "rel_effect_size_ci_upper"}
PLAIN = {key: key for key in ("estimate", "low", "high", "pvalue")}
ERROR = {"estimate": "estimate", "se": "se"}

SCORE = "ours is the score interval (dual to the pooled z, so that p and interval agree); theirs is the Wald interval"
THETA = (
    "theirs takes theta from all units together, so the effect leaks into it; ours takes it within the arms (Deng 2013)"
)

ROWS: tuple[Row, ...] = (
    # ── Shares
    Row("share: difference", "share.estimate", "tea", "share.effect_size"),
    Row("share: p (pooled z, no correction)", "share.pvalue", "tea", "share.pvalue"),
    Row(
        "share: p, as shipped", "share.pvalue", "tea", "share_as_shipped.pvalue", "its default corrects for continuity"
    ),
    Row("share: low", "share.low", "tea", "share.effect_size_ci_lower", SCORE + " with the pooled error"),
    Row("share: high", "share.high", "tea", "share.effect_size_ci_upper", SCORE + " with the pooled error"),
    *same("lift of a share", "share_lift", "tea", "share_unpooled", TEA_LIFT),
    Row("share, 7/34 against 1/34: p (Boschloo)", "exact.pvalue", "tea", "exact.pvalue", tolerance=SEARCHED),
    Row(
        "share, 7/34 against 1/34: p, as shipped",
        "exact.pvalue",
        "tea",
        "exact_as_shipped.pvalue",
        "its default below 1,000 units is Barnard's test; ours is Boschloo's where an expected count is below 5",
    ),
    *same("share", "share", "spotify", "share", ERROR),
    Row("share: p (chi-square)", "share.pvalue", "spotify", "share.pvalue"),
    Row("share: low", "share.low", "spotify", "share.low", SCORE),
    Row("share: high", "share.high", "spotify", "share.high", SCORE),
    *same("share", "share", "gb", "share", ERROR),
    Row(
        "share: p",
        "share.pvalue",
        "gb",
        "share.pvalue",
        "theirs is a t test with the unpooled error, ours the score test",
    ),
    # ── Means
    *same("mean (Welch)", "mean", "tea", "mean", TEA),
    *same("mean (Welch)", "mean", "spotify", "mean", PLAIN | {"se": "se"}),
    *same("mean (Welch)", "mean", "gb", "mean", PLAIN | {"se": "se"}),
    *same("mean (unpooled z)", "mean_z", "tea", "mean_normal", TEA),
    *same("mean (unpooled z)", "mean_z", "spotify", "mean_z", PLAIN),
    # ── Lift
    *same("lift of a mean", "lift", "tea", "mean_normal", TEA_LIFT),
    Row(
        "lift of a mean: low, as shipped",
        "lift.low",
        "tea",
        "mean.rel_effect_size_ci_lower",
        "its default law is t, ours normal",
    ),
    Row("lift of a mean: estimate", "lift.estimate", "gb", "lift.estimate"),
    Row(
        "lift of a mean: low", "lift.low", "gb", "lift.low", "theirs is symmetric (delta method), ours the log interval"
    ),
    Row("lift of a mean: high", "lift.high", "gb", "lift.high", "same reason"),
    Row(
        "lift of a mean: p",
        "mean.pvalue",
        "gb",
        "lift.pvalue",
        "theirs tests the lift, another question and stricter for gains; ours is that of the absolute difference",
    ),
    Row("lift of a mean: estimate", "lift.estimate", "spotify", "lift.estimate"),
    Row(
        "lift of a mean: low",
        "lift.low",
        "spotify",
        "lift.low",
        "theirs divides the absolute interval by control's mean as if it were known",
    ),
    Row("lift of a mean: high", "lift.high", "spotify", "lift.high", "same reason"),
    # ── Ratio
    *same("ratio (delta method)", "ratio", "tea", "ratio", TEA),
    *same("ratio (delta method)", "ratio", "gb", "ratio", ERROR),
    Row("ratio: p", "ratio.pvalue", "gb", "ratio.pvalue", "theirs uses the t law, ours the normal"),
    # ── CUPED
    Row("CUPED: estimate", "cuped.estimate", "tea", "cuped.effect_size", THETA),
    Row("CUPED: p", "cuped.pvalue", "tea", "cuped.pvalue", THETA),
    Row("CUPED: estimate", "cuped.estimate", "gb", "cuped.estimate", THETA),
    Row("CUPED: error", "cuped.se", "gb", "cuped.se", THETA),
    Row("CUPED: estimate", "cuped.estimate", "spotify", "cuped.estimate", THETA),
    Row("CUPED: error", "cuped.se", "spotify", "cuped.se", THETA + "; and part of its variance has divisor n"),
    Row("CUPED, their theta: estimate", "cuped_theta.estimate", "gb", "cuped.estimate"),
    Row("CUPED, their theta: error", "cuped_theta.se", "gb", "cuped.se"),
    Row("CUPED, their theta: estimate", "cuped_theta.estimate", "tea", "cuped.effect_size"),
    # ── Sample ratio
    Row("sample ratio: p", "split.pvalue", "tea", "split.pvalue"),
    Row(
        "sample ratio: p, as shipped",
        "split.pvalue",
        "tea",
        "split_as_shipped.pvalue",
        "its default corrects for continuity",
    ),
    Row("sample ratio: p", "split.pvalue", "spotify", "split.pvalue"),
    Row("sample ratio: p", "split.pvalue", "gb", "split.pvalue"),
    # ── Power
    Row("power of a mean, 10,000 + 10,000", "power_mean.power", "tea", "power_t.power"),
    Row("units for a mean", "power_mean.n", "tea", "power_t.n"),
    Row("units for a mean", "power_mean.n", "spotify", "power_mean.n", "theirs is normal, ours noncentral t"),
    Row(
        "units for a share, .30 to .32",
        "power_share.n",
        "spotify",
        "power_share.n",
        "theirs gives both arms control's variance; ours is R's power.prop.test",
    ),
    # ── Sequential, Bayesian
    *same(
        "confidence sequence, their rho", "sequence_rho", "gb", "sequence", {k: k for k in ("low", "high", "pvalue")}
    ),
    Row(
        "confidence sequence: low",
        "sequence.low",
        "gb",
        "sequence.low",
        "their rho is an approximation of the tightest one, ours is exact (Lambert's function)",
    ),
    Row("confidence sequence: high", "sequence.high", "gb", "sequence.high", "same reason"),
    Row(
        "first of five looks",
        "look.1",
        "spotify",
        "look.1",
        "theirs spends alpha t^2, ours O'Brien-Fleming type (Lan and DeMets), which keeps more for the end",
    ),
    Row("last of five looks", "look.5", "spotify", "look.5", "same reason"),
    Row(
        "false alarms of their five looks by our recursion",
        "their_looks.alarms",
        "spotify",
        "their_looks.alpha",
        tolerance=SEARCHED,
    ),
    Row("chance to be better, flat prior", "bayes.chance", "gb", "bayes.chance"),
)
