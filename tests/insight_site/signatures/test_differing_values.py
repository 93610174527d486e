"""Where two documents differ, by hand."""

from typing import Any

import pytest

from insight_site.exports.check_final import Differing, differing


@pytest.mark.parametrize(
    ("signed", "now", "found"),
    [
        ({"a": 1.0}, {"a": 1.0 + 1e-12}, []),
        ({"a": 1.0}, {"a": 1.0 + 1e-6}, [Differing("a", 1.0, 1.0 + 1e-6)]),
        ({"a": [1, 2]}, {"a": [1, 3]}, [Differing("a.1", 2, 3)]),
        ({"a": [1, 2]}, {"a": [1]}, [Differing("a", [1, 2], [1])]),
        ({"a": {"b": "x"}}, {"a": {}}, [Differing("a.b", "x", None)]),
        ({"a": 0}, {"a": False}, [Differing("a", 0, False)]),
        ({"a": 0.0}, {"a": 1e-13}, []),
        ({"a": None}, {"a": None}, []),
        ({"a": 5}, {"a": 5.0}, []),
    ],
)
def test_differing__leaf_by_leaf__names_each_place(signed: Any, now: Any, found: list[Differing]) -> None:
    assert list(differing(signed, now)) == found
