"""Cells as the warehouse gives them, of one segment and one week."""

from datetime import date
from typing import Any

import numpy as np

from experiments.analyse.gather.answers import Block, Cells


def cells_of(
    variants: tuple[str, ...], variant: np.ndarray, blocks: dict[str, Block], weeks: tuple[date, ...] = (), **more: Any
) -> Cells:
    """One cell for each place of `variant`; `more` are further columns, such as clusters."""
    zero = np.zeros(len(variant), dtype=np.int64)
    given: dict[str, Any] = {"segments": ("",), "segment": zero, "covariates": (), "levels": ()}
    given |= {"week": zero, "covariate": zero[:, None][:, :0], "exposed": next(iter(blocks.values())).n}
    return Cells(variants=variants, variant=variant, weeks=weeks, blocks=blocks, **(given | more))
