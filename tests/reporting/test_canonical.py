"""Canonical JSON as RFC 8785 has it: numbers as ECMAScript writes them, keys by UTF-16 units."""

import json
import math
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.document import canonical, sha256_of

# Pairs of RFC 8785, appendix B, and of section 3.2.2.
NUMBERS = {
    0.0: "0",
    5e-324: "5e-324",
    -5e-324: "-5e-324",
    1.7976931348623157e308: "1.7976931348623157e+308",
    9007199254740992.0: "9007199254740992",
    295147905179352830000.0: "295147905179352830000",
    9.999999999999997e22: "9.999999999999997e+22",
    1e23: "1e+23",
    999999999999999700000.0: "999999999999999700000",
    1e21: "1e+21",
    9.999999999999997e-7: "9.999999999999997e-7",
    0.000001: "0.000001",
    333333333.3333332: "333333333.3333332",
    -0.0000033333333333333333: "-0.0000033333333333333333",
    1424953923781206.2: "1424953923781206.2",
    4.50: "4.5",
    2e-3: "0.002",
}


@pytest.mark.parametrize(("value", "text"), NUMBERS.items())
def test_number__of_the_standard__is_written_as_there(value: float, text: str) -> None:
    assert canonical(value) == text.encode()


def test_keys__beyond_the_basic_plane__are_sorted_as_utf_16() -> None:
    found = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\u00f6": 7}

    assert [*json.loads(canonical(found))] == ["\r", "1", "\x80", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_number__any_double__comes_back_the_same(values: list[float]) -> None:
    assert [float(value) for value in json.loads(canonical(values))] == values
    assert canonical(json.loads(canonical(values))) == canonical(values)


def test_document__in_javascript__is_the_same_text() -> None:
    steps = [math.ldexp(1 + at / 97, at - 60) for at in range(120)]
    document = {"b": steps, "a": {"x": [True, None, 'é\n"\\ \u2028'], "": -1.5}}
    program = (
        "const sort = v => Array.isArray(v) ? v.map(sort) : v && typeof v == 'object'"
        " ? Object.fromEntries(Object.keys(v).sort().map(k => [k, sort(v[k])])) : v;"
        "process.stdout.write(JSON.stringify(sort(JSON.parse(require('fs').readFileSync(0)))))"
    )

    done = subprocess.run(["node", "-e", program], input=json.dumps(document).encode(), capture_output=True, check=True)

    assert done.stdout == canonical(document)


@pytest.mark.parametrize("value", [math.nan, math.inf, {1: 2}, b"bytes"])
def test_value__that_json_does_not_have__is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"JSON|texts"):
        canonical({"x": value} if not isinstance(value, dict) else value)


def test_digest__of_whole_numbers_written_either_way__is_the_same() -> None:
    assert canonical(-0.0) == b"0"
    assert sha256_of({"n": 1.0, "m": 10**30}) == sha256_of({"m": 1e30, "n": 1})
