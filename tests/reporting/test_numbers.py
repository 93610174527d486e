"""One way to write a number: never a wrong zero, a hyphen for minus, or a unit that parts from its number."""

import pytest

from reporting import numbers
from reporting.numbers import GLUE, MINUS
from stats.results import Interval, NotComputable, Reason


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (-0.5, 2, f"{MINUS}0.50"),
        (-0.0001, 2, "0.00"),
        (0.0, 1, "0.0"),
        (1234.5, 1, "1,234.5"),
        (-10.0, 0, f"{MINUS}10"),
    ],
)
def test_decimal__value__true_minus_and_no_negative_zero(value: float, digits: int, text: str) -> None:
    assert numbers.decimal(value, digits) == text


@pytest.mark.parametrize(("value", "text"), [(1.0, "+1.00"), (0.0, "0.00"), (0.001, "0.00"), (-1.0, f"{MINUS}1.00")])
def test_signed__zero__has_no_sign(value: float, text: str) -> None:
    assert numbers.signed(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.00001234, "1.2e-05"),
        (-0.00001234, f"{MINUS}1.2e-05"),
        (0.5, "0.5000"),
        (5.25, "5.250"),
        (49.5, "49.50"),
        (-2345.6, f"{MINUS}2,346"),
    ],
)
def test_significant__any_size__four_digits(value: float, text: str) -> None:
    assert numbers.significant(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1234, "12.3"),
        (0.0, "0.0"),
        (-0.02, f"{MINUS}2.0"),
        (0.00042, "0.042"),
        (-0.0004, f"{MINUS}0.04"),
        (1.0, "100.0"),
    ],
)
def test_percent__small_shares__are_never_told_as_nothing(value: float, text: str) -> None:
    assert numbers.percent(value) == f"{text}%"


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, f"<{GLUE}0.0001"), (0.0001, "0.0001"), (0.0099, "0.0099"), (0.02, "0.020"), (None, "")]
)
def test_p_value__small__never_zero(value: float | None, text: str) -> None:
    assert numbers.p_value(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, f"<{GLUE}0.0001"), (0.00156, f"={GLUE}0.0016"), (1.0, f"={GLUE}1.000")]
)
def test_p_relation__in_a_sentence__carries_its_sign(value: float, text: str) -> None:
    assert numbers.p_relation(value) == text
    assert numbers.p_text(value) == f"p{GLUE}{text}"


@pytest.mark.parametrize(
    ("value", "share", "plus", "text"),
    [
        (0.0123, True, False, "1.2 points"),
        (0.123, True, True, "+12.3 points"),
        (-0.02, True, True, f"{MINUS}2.0 points"),
        (0.0, True, True, "0.0 points"),
        (0.0004, True, True, "+0.04 points"),
        (-0.00004, True, True, "0.0 points"),
        (1.5, False, True, "+1.500"),
    ],
)
def test_effect_text__share_or_mean__has_its_unit(value: float, share: bool, plus: bool, text: str) -> None:
    assert numbers.effect_text(value, share=share, plus=plus) == text


@pytest.mark.parametrize(
    ("value", "share", "text"),
    [
        (0.0125, True, "1.25 points"),
        (0.02, True, "2.0 points"),
        (-0.0005, True, f"{MINUS}0.05 points"),
        (4.0, False, "4.000"),
    ],
)
def test_planned_text__what_somebody_wrote__is_not_rounded(value: float, share: bool, text: str) -> None:
    assert numbers.planned_text(value, share=share) == text


def test_missing__anywhere__is_the_reason_in_words() -> None:
    missing = NotComputable(Reason.SMALL_GROUP)

    for write in (numbers.share, numbers.number, numbers.difference):
        assert write(missing).startswith("Fewer than 50 users")


def test_limits__of_share_number_and_difference__stay_together() -> None:
    found = Interval(0.5, 0.4, 0.62, 0.95, "")

    assert numbers.share(found) == f"50.0% (40.0{GLUE}to{GLUE}62.0)"
    assert numbers.number(found) == f"0.500 (0.400{GLUE}to{GLUE}0.620)"
    assert numbers.difference(found) == f"+50.0 (+40.0{GLUE}to{GLUE}+62.0)"
    assert (numbers.number(0.25), numbers.difference(0.25)) == ("0.250", "+25.0")


def test_limits__of_a_tiny_share__are_not_told_as_nothing() -> None:
    assert numbers.limits(0.00026, 0.00012, 0.0006) == f"0.026% (0.012{GLUE}to{GLUE}0.06)"
    assert numbers.limits(0.0, 0.0, 0.00016) == f"0.0% (0.0{GLUE}to{GLUE}0.016)"


@pytest.mark.parametrize(
    ("low", "high", "share", "text"),
    [
        (-0.012, 0.034, True, f"{MINUS}1.2{GLUE}to{GLUE}3.4 points"),
        (0.047, 0.106, True, f"4.7{GLUE}to{GLUE}10.6 points"),
        (0.5, 12.5, False, f"0.5000{GLUE}to{GLUE}12.50"),
    ],
)
def test_effect_limits__share_or_mean__one_unit_behind_both(low: float, high: float, share: bool, text: str) -> None:
    assert numbers.effect_limits(low, high, share) == text


@pytest.mark.parametrize(
    ("value", "said"), [(0.0, "+0.0"), (-0.0004, "+0.0"), (0.1, "+10.0"), (-0.1, "\u221210.0"), (0.0005, "+0.1")]
)
def test_points__sign_and_minus(value: float, said: str) -> None:
    assert numbers.points(value) in (said, said.replace("+0.1", "+0.0"))
