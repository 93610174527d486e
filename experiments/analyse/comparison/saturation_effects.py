"""Direct and spillover effects by saturation and primary outcome, where clusters drew saturations. Pure."""

from collections.abc import Mapping

import numpy as np

from experiments.analyse.gather.answers import DENOMINATOR, REACHED, Block, Cells
from experiments.plan.planned import Planned
from stats.ratios import linearised, ratio_point
from stats.saturation import SaturationEffects, saturation_effects
from stats.sequential.looks import Look, told_at
from stats.summaries import Array


def saturation_parts(plan: Planned, cells: Cells, looks: Mapping[str, Look]) -> tuple[SaturationEffects, ...]:
    """Effects of every share above 0 on every primary outcome, at the level of the look; empty without saturations.

    A plan with a behaviour also gets the effects of the user's own and of the peers' behaviour.
    """
    if cells.saturation is None or cells.cluster is None:
        return ()
    look = looks[plan.variants[1]]
    shares = np.array([one.share for one in plan.saturations])
    found = []
    for name in plan.primary:
        block = cells.blocks.get(name)
        if block is None:
            continue
        kept = (block.n > 0) & (cells.saturation >= 0)
        share, nudged = shares[cells.saturation[kept]], (cells.variant[kept] == 1).astype(np.float64)
        values = _values(block, kept, share, nudged)
        did = block.means[kept][:, block.names.index(REACHED)] if REACHED in block.names else None
        for at in shares[shares > 0].tolist():
            effects = saturation_effects(
                values,
                nudged,
                share,
                cells.cluster[kept],
                at=at,
                outcome=name,
                alpha=look.nominal_alpha,
                n=block.n[kept].astype(np.float64),
                behaviour=did,
            )
            found.append(told_at(effects, look))
    return tuple(found)


def _values(block: Block, kept: np.ndarray, share: Array, nudged: Array) -> Array:
    """The outcome per cell; a ratio is linearised at the values of its own group."""
    means, covariance, n = block.means[kept], block.covariance[kept], block.n[kept].astype(np.float64)
    if DENOMINATOR not in block.names:
        return np.asarray(means[:, 0])
    values = np.zeros(len(n))
    groups = np.unique(np.column_stack([share, nudged]), axis=0)
    for at, arm in groups.tolist():
        here = (share == at) & (nudged == arm)
        point = ratio_point(n[here], means[here])
        values[here] = linearised(means[here], covariance[here], point)[0][:, 0]
    return values
