"""How many rows leave a Spark cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def rows_that_leave() -> Iterator[list[int]]:
    """The number of rows of each answer that Spark hands to this process inside the block, in all ways that it has."""
    from pyspark.sql.classic.dataframe import DataFrame
    from pyspark.sql.pandas.conversion import PandasConversionMixin

    counted: list[int] = []
    as_arrow, as_rows = PandasConversionMixin._collect_as_arrow, DataFrame.collect

    def count_arrow(self: Any, *args: Any, **options: Any) -> Any:
        batches = as_arrow(self, *args, **options)
        counted.append(sum(batch.num_rows for batch in batches))
        return batches

    def count_rows(self: Any) -> Any:
        rows = as_rows(self)
        counted.append(len(rows))
        return rows

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("rows leave the cluster in a way that nobody counts")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PandasConversionMixin, "_collect_as_arrow", count_arrow)
        patch.setattr(DataFrame, "collect", count_rows)
        for way in ("toLocalIterator", "foreach", "foreachPartition"):
            patch.setattr(DataFrame, way, refuse)
        yield counted
