"""`power`: one document or one sentence."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from stats.instrument.dose_power import placebo_power

NO_MARGIN = {"not_computable": "No margin is given: the smallest effect worth acting on."}


def run(*options: str) -> str:
    out = io.StringIO()
    call_command("power", *options, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def document(*options: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(run(*options, "--json"))
    return parsed


@pytest.mark.parametrize("method", ["fixed", "group_sequential"])
def test_json__covariates_that_explain_a_fifth__need_a_fifth_fewer_units(method: str) -> None:
    asked = ("--baseline", "0.3", "--effect", "0.03", "--method", method)
    plain, adjusted = document(*asked), document(*asked, "--r-squared", "0.2")

    assert adjusted["total"] / plain["total"] == pytest.approx(0.8, abs=0.001)
    assert adjusted["power"] == pytest.approx(plain["power"], abs=0.001)


def test_json__effect_with_take_up__is_the_document_of_the_design() -> None:
    found = document(
        "--baseline", "0.3", "--effect", "0.08", "--take-up", "0.2", "--daily-units", "500", "--window-end", "7"
    )

    assert found == {
        "per_variant": 13069,
        "total": 26138,
        "smallest_effect": pytest.approx(0.08, abs=1e-5),
        "power": pytest.approx(0.80002, abs=1e-5),
        "days": 53 + 8,
        "level": 0.05,
        "inflation": pytest.approx(1.0),
        "power_no_material_effect": NO_MARGIN,
        "design_effect": 1.0,
        "clusters": None,
    }


def test_json__per_variant__is_the_smallest_effect() -> None:
    found = document("--baseline", "0.5", "--per-variant", "50", "--power", "0.9", "--daily-units", "10")

    assert found == {
        "per_variant": 50,
        "total": 100,
        "smallest_effect": pytest.approx(0.3026, abs=5e-5),
        "power": 0.9,
        "days": 10,
        "level": 0.05,
        "inflation": pytest.approx(1.0),
        "power_no_material_effect": NO_MARGIN,
        "design_effect": 1.0,
        "clusters": None,
    }


def test_json__per_variant_and_effect__is_the_power() -> None:
    found = document("--baseline", "0.5", "--per-variant", "50", "--effect", "0.25")

    assert found["power"] == pytest.approx(0.740, abs=0.0005)
    assert found["days"] == {"not_computable": "Unknown until you enter users per day."}


def test_json__loss__has_a_negative_smallest_effect() -> None:
    assert document("--baseline", "0.5", "--per-variant", "50", "--effect", "-0.25")["smallest_effect"] < 0


def test_json__unequal_split__lists_the_units_of_each_variant() -> None:
    found = document("--baseline", "0.3", "--effect", "0.03", "--split", "0.5", "0.3", "0.2")

    assert len(found["per_variant"]) == 3
    assert found["total"] == sum(found["per_variant"])
    assert found["per_variant"][0] == pytest.approx(0.5 * found["total"], rel=0.001)


def test_json__equal_split_of_three__is_that_of_three_variants() -> None:
    split = document("--baseline", "0.3", "--effect", "0.03", "--split", "1", "1", "1")

    assert split == document("--baseline", "0.3", "--effect", "0.03", "--variants", "3")
    assert split["total"] == 3 * split["per_variant"]


def test_json__nothing_can_be_found__says_so_in_place_of_each_number() -> None:
    few = document("--baseline", "0.3", "--per-variant", "5")
    tiny = document("--baseline", "0.3", "--effect", "1e-9")

    assert set(few["smallest_effect"]) == set(few["power"]) == {"not_computable"}
    assert all(
        set(tiny[name]) == {"not_computable"}
        for name in set(tiny) - {"level", "inflation", "design_effect", "clusters"}
    )


def test_json__plan_that_judges__has_its_level_and_the_price_of_its_looks() -> None:
    options = ("--baseline", "0.3", "--effect", "0.03", "--method", "group_sequential", "--spending", "pocock")
    found = document(*options, "--primaries", "2", "--variants", "3")

    assert found["level"] == 0.0125
    assert found["inflation"] == pytest.approx(1.19, abs=0.01)
    assert found["per_variant"] == 6379
    assert document(*options)["inflation"] == pytest.approx(1.2126, abs=0.0005)


def test_json__looks_as_a_number_and_as_shares__are_the_same_plan() -> None:
    options = ("--baseline", "0.3", "--effect", "0.03", "--method", "group_sequential", "--looks")

    assert document(*options, "4") == document(*options, "0.25", "0.5", "0.75", "1")
    assert document(*options, "4") != document(*options, "0.5", "1")


def test_json__planned_effect__is_the_effect() -> None:
    assert document("--baseline", "0.3", "--planned-effect", "0.03") == document(
        "--baseline", "0.3", "--effect", "0.03"
    )


def test_json__margin__is_the_power_to_conclude_that_nothing_matters() -> None:
    options = ("--baseline", "0.3", "--effect", "0.08", "--take-up", "0.2")
    wide, narrow = document(*options, "--margin", "0.08"), document(*options, "--margin", "0.05")

    assert wide["power_no_material_effect"] == pytest.approx(0.77, abs=0.01)
    assert narrow["power_no_material_effect"] < 0.3
    assert wide["per_variant"] == narrow["per_variant"]  # the margin doesn't set the size


def test_table__margin_and_looks__have_their_rows() -> None:
    text = run("--baseline", "0.3", "--effect", "0.03", "--margin", "0.03", "--method", "group_sequential")

    assert "power: no material effect" in text
    assert "1.025" in text


@pytest.mark.parametrize("method", ["fixed", "group_sequential", "always_valid"])
def test_json__mean__needs_no_baseline(method: str) -> None:
    found = document("--sd", "2", "--effect", "0.1", "--method", method, "--looks", "3")

    assert found["per_variant"] > 6000


def test_table__take_up__has_formula_and_curve() -> None:
    text = run("--baseline", "0.3", "--effect", "0.08", "--take-up", "0.2")

    assert "power.prop.test" in text
    assert "13,069" in text
    assert "413,626" in text
    assert "0.05" in text


def test_table__without_take_up__has_no_curve() -> None:
    text = run("--baseline", "0.3", "--effect", "0.001", "--split", "9", "1", "--daily-units", "1000")

    assert "take-up" not in text
    assert " / " in text


def test_table__size_that_nobody_has__says_so_and_has_a_curve_of_dashes() -> None:
    text = run("--baseline", "0.3", "--effect", "1e-7", "--take-up", "0.5")

    assert "More than a million million users would be needed." in text
    assert text.count("–") == 8


SHARE = ("--baseline", "0.3", "--effect", "0.1")
RISING = "rising shares of the planned units above 0, and the last one 1"
OUTSIDE = "--effect 0.9 would take the share from 0.3 to 1.2, which must stay within 0 and 1."


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "--baseline is needed: the share that control reaches, 0 to 1."),
        (("--baseline", "0.3"), "--effect or --per-variant is needed."),
        (("--baseline", "1.3", "--effect", "0.1"), "--baseline must lie between 0 and 1 for a share."),
        (("--baseline", "0.3", "--effect", "0"), "--effect must be a number other than 0."),
        (("--baseline", "0.3", "--effect", "0.9"), OUTSIDE),
        (("--baseline", "0.3", "--effect", "0.9", "--per-variant", "9"), OUTSIDE),
        (("--baseline", "0.3", "--effect", "2", "--take-up", "0.1"), "--effect on a share must lie between -1 and 1."),
        (("--baseline", "0.3", "--per-variant", "1"), "--per-variant must be at least 2 in each variant."),
        ((*SHARE, "--variants", "1"), "--variants must be at least 2: control and one more."),
        ((*SHARE, "--variants", "3", "--split", "1", "1"), "--split gives 2 shares, but --variants says 3."),
        ((*SHARE, "--take-up", "1.5"), "--take-up must lie above 0 and be at most 1."),
        ((*SHARE, "--daily-units", "0"), "--daily-units must be a positive number."),
        ((*SHARE, "--window-end", "7"), "--window-end needs --daily-units."),
        ((*SHARE, "--sd", "-1"), "--sd must be a positive number."),
        ((*SHARE, "--looks", "0"), "--looks must lie between 1 and 100."),
        ((*SHARE, "--looks", "1", "0.5"), f"--looks must be {RISING}."),
        ((*SHARE, "--primaries", "0"), "--primaries must be at least 1."),
        ((*SHARE, "--margin", "0"), "--margin must be a number above 0."),
    ],
)
def test_bad_option__ends_with_one_sentence_and_status_2(options: tuple[str, ...], sentence: str) -> None:
    out = io.StringIO()

    with pytest.raises(CommandError) as caught:
        call_command("power", *options, "--json", stdout=out, stderr=io.StringIO())

    assert (str(caught.value), caught.value.returncode, out.getvalue()) == (sentence, 2, "")


def test_json__clusters__cost_the_design_effect_of_their_sizes() -> None:
    """Donner and Klar's 1.9 for ten units at a correlation of .1; with unequal sizes Eldridge's formula."""
    plain = document("--baseline", "0.1", "--effect", "0.1")
    options = ("--baseline", "0.1", "--effect", "0.1", "--cluster-size", "10", "--cluster-correlation", "0.1")
    found = document(*options)
    unequal = document(*options, "--cluster-variation", "1")

    assert found["design_effect"] == pytest.approx(1.9)
    assert found["clusters"] == 38  # clusterPower, crtpwr.2prop(n=10, p1=.1, p2=.2, icc=.1): more than 37
    assert found["total"] / plain["total"] == pytest.approx(1.9, rel=0.01)
    assert unequal["design_effect"] == pytest.approx(1 + (2 * 10 - 1) * 0.1)


@pytest.mark.parametrize(
    "option", [("--cluster-size", "0.5"), ("--cluster-variation", "-1"), ("--cluster-correlation", "1.5")]
)
def test_clusters_that_cannot_be__are_refused_by_name(option: tuple[str, str]) -> None:
    with pytest.raises(CommandError, match=option[0]):
        run("--baseline", "0.3", "--effect", "0.03", *option)


ACTS = ["--acts", "0.35", "0.2", "0.15", "0.1", "0.08", "0.07", "0.05", "--threshold", "3"]


def test_arms__given_acts__say_what_a_placebo_and_dose_arms_could_tell() -> None:
    size = ["--baseline", "0.2", "--effect", "0.2", "--take-up", "0.2", "--per-variant", "5000"]
    found = document(*size, *ACTS)["arms"]

    # Three tenths reach it by themselves.
    assert found["placebo"]["shown"] == pytest.approx(placebo_power(0.3, 0.2, (5_000, 5_000)))
    assert (found["doses"]["targets"], found["doses"]["units"]) == ([2, 3, 5], 20_000)
    assert 0.5 < found["doses"]["tells_step"] < found["doses"]["tells_dose"] < 1
    assert document(*size, *ACTS, "--doses", "3", "6")["arms"]["doses"]["targets"] == [3, 6]
    alone = document(*size, *ACTS, "--doses", "3")["arms"]["doses"]
    assert "can't separate a step" in alone["tells_step"]["not_computable"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--threshold", "3"], "acts is needed"),
        (["--acts", "0.5", "0.5"], "threshold is needed"),
        (["--acts", "0.5", "0.5", "--threshold", "2"], "acts must reach to it"),
        (["--acts", "0.5", "0.1", "--threshold", "1"], "add up to 1"),
        (["--acts", "0.5", "0.5", "--threshold", "1", "--doses", "0", "2"], "doses must be at least 1"),
    ],
)
def test_arms__values_that_can_not_be__are_refused(options: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run("--baseline", "0.2", "--effect", "0.2", "--take-up", "0.2", "--per-variant", "5000", *options)


def test_json__guardrails__have_their_units_and_the_chance_to_ship() -> None:
    guardrails = ("--guardrail", "0.01", "0.5", "--guardrail-mean", "1", "2")
    found = document("--baseline", "0.3", "--effect", "0.02", *guardrails)

    assert found["per_variant"] == found["guardrail_units"][0][0] == 49_485
    assert found["power_to_ship"] == pytest.approx(0.9333, abs=0.0001)  # of the tightest guardrail; the rest is sure
    at = document("--baseline", "0.3", "--effect", "0.02", "--guardrail", "0.01", "0.5", "--per-variant", "49485")
    assert at["power_to_ship"] == pytest.approx(found["power_to_ship"], abs=1e-4)


def test_json__survival__has_events_of_both_formulas() -> None:
    found = document("--baseline", "0.37", "--effect", "0.38", "--survival")

    assert (found["events"], found["events_freedman"]) == (21, 26)
    assert found["hazard_ratio"] == pytest.approx(0.2893, abs=1e-4)
    assert "schoenfeld" in run("--baseline", "0.37", "--effect", "0.38", "--survival")


def test_json__ratio__is_sized_by_the_spread_of_a_units_part() -> None:
    ratio = document("--ratio", "3", "4", "2", "1.5", "0.5", "--effect", "0.1")

    sd = (16 - 2 * 1.5 * 3 + 1.5**2 * 2.25) ** 0.5 / 2
    assert ratio == document("--baseline", "1.5", "--sd", str(sd), "--effect", "0.1")


@pytest.mark.parametrize(
    "options",
    [
        ("--baseline", "0.3", "--effect", "0.1", "--survival", "--guardrail", "0.01", "0.5"),
        ("--baseline", "0.3", "--survival"),
        ("--ratio", "3", "4", "0", "1.5", "0.5", "--effect", "0.1"),
        ("--ratio", "3", "4", "2", "1.5", "2", "--effect", "0.1"),
        ("--baseline", "0.3", "--effect", "0.1", "--guardrail", "0", "0.5"),
    ],
)
def test_options__that_make_no_question__are_refused(options: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run(*options)
