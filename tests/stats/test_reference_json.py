"""Every row of the data folder's reference.json, and every expected key of it, through the function that answers it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stats.compare import compare_proportions
from stats.multiplicity import benjamini_hochberg, holm
from stats.power.family_and_looks import Plan
from stats.power.sample_size import power_at, sample_size, smallest_effect
from stats.results import NotComputable
from stats.sequential.boundaries import Spending, bounds
from stats.srm import sample_ratio
from stats.stratified import breslow_day, cmh_test, odds_ratio
from stats.summaries import Mean
from stats.survival.kaplan_meier import Durations, kaplan_meier
from tests.stats.make import computed, log_rank
from tests.stats.test_reference import interval_of, strata_of

type Answer = dict[str, Any]

# What the product doesn't compute: Agresti and Caffo's interval (the score interval is shown) and a score interval of
# the ratio (Katz's log interval is).
NOT_COMPUTED = {("fag_diff", "agresti_caffo"), ("fag_ratio", "score")}


def _split(given: Answer) -> Answer:
    observed, weights = ({str(k): v for k, v in enumerate(given[key])} for key in ("observed", "weights"))
    return {"p_value": computed(sample_ratio(observed, weights)).p_value}


def _pooled_z(given: Answer) -> Answer:
    arms = [Mean.from_counts(x, n) for x, n in zip(given["count"], given["nobs"], strict=True)]
    return {"p_value": computed(compare_proportions(*arms)).p_value}


def _arms(given: Answer) -> list[Mean]:
    return [Mean.from_counts(given[f"x{i}"], given[f"n{i}"]) for i in (2, 1)]


def _differences(given: Answer) -> Answer:
    return {key: list(interval_of(key, *_arms(given))) for key in ("wald", "newcombe", "score")}


def _ratio(given: Answer) -> Answer:
    return {"log": [limit + 1 for limit in interval_of("log", *_arms(given))]}


def _strata(given: Answer) -> Answer:
    strata = strata_of(given["tables"])
    ratio, (statistic, p_value) = computed(odds_ratio(strata)), computed(cmh_test(strata, correction=True))
    found = {"common_or": ratio.estimate, "or_ci": [ratio.low, ratio.high], "mh_stat_cc": statistic, "mh_p_cc": p_value}
    equal = breslow_day(strata, tarone=False)
    if not isinstance(equal, NotComputable):
        found |= {"breslow_day": equal.statistic, "breslow_day_p": equal.p_value}
    return found


def _share_plan(given: Answer) -> Answer:
    plan = Plan(baseline=given["p1"], power=given.get("power", 0.8), alpha=given["alpha"])
    if "p2" not in given:
        return {"p2": given["p1"] + computed(smallest_effect(plan, (given["n"],) * 2))}
    if "n" in given:
        return {"power": power_at(plan, given["p2"] - given["p1"], (given["n"],) * 2)}
    return {"n": computed(sample_size(plan, given["p2"] - given["p1"])).exact}


def _t_power(given: Answer) -> Answer:
    plan = Plan(sd=1.0, alpha=given["alpha"])
    return {"power": power_at(plan, given["d"], (given["n_per_group"],) * 2)}


def _total(given: Answer) -> Answer:
    variance = given.get("variance")
    sd = None if variance is None else variance**0.5
    plan = Plan(baseline=given.get("baseline", 0.0), sd=sd, alpha=given["alpha"], power=given["power"])
    return {"n_total": computed(sample_size(plan, given["mde_absolute"])).total}


def _looks(given: Answer) -> Answer:
    return {"z": list(bounds(given["times"], alpha=given["alpha"], spending=Spending.OBRIEN_FLEMING))}


def _two_groups(given: Answer) -> Answer:
    one, two = (Durations.from_values(given[f"time{i}"], given[f"event{i}"]) for i in (1, 2))
    return _log_rank(one, two)


def _grouped(given: Answer) -> Answer:
    rows = list(zip(given["time"], given["event"], given["group"], strict=True))
    parts = [[(t, e) for t, e, g in rows if g == group] for group in (0, 1)]
    return _log_rank(*(Durations.from_values([t for t, _ in part], [e for _, e in part]) for part in parts))


def _log_rank(one: Durations, two: Durations) -> Answer:
    found = computed(log_rank(one, two))
    return {"chi2": found.statistic, "p_value": found.p_value}


def _curve(given: Answer) -> Answer:
    steps = computed(kaplan_meier(Durations.from_values(given["time"], given["event"]))).steps
    return {
        "times": [step.time for step in steps],
        "survival": [step.survival for step in steps],
        "se_first3": [computed(step.standard_error) for step in steps[:3]],
    }


ANSWERS: dict[str, Callable[[Answer], Answer]] = {
    "srm_1": _split,
    "srm_2": _split,
    "sm_ztest": _pooled_z,
    "fag_diff": _differences,
    "fag_ratio": _ratio,
    "cmh_rabbits": _strata,
    "cmh_2": _strata,
    "gsd_obf5": _looks,
    "holm": lambda given: {"adjusted": holm(given["p"])},
    "bh": lambda given: {"adjusted": benjamini_hochberg(given["p"])},
    "r_pp_n": _share_plan,
    "r_pp_power": _share_plan,
    "r_pp_p2": _share_plan,
    "pwr_t": _t_power,
    "pwr_t2": _t_power,
    "gpower_1": _total,
    "gpower_2": _total,
    "logrank_small": _two_groups,
    "logrank_nocens": _grouped,
    "km_small": _curve,
}


def known_rows(real_data: Path) -> dict[str, Answer]:
    return {row["id"]: row for row in json.loads((real_data / "reference.json").read_text())["rows"]}


def test_reference_json__every_row__has_a_function_that_answers_it(real_data: Path) -> None:
    assert ANSWERS.keys() == known_rows(real_data).keys()


@pytest.mark.parametrize("identifier", ANSWERS)
def test_reference_json__row__is_answered_in_every_key(real_data: Path, identifier: str) -> None:
    row = known_rows(real_data)[identifier]
    found = ANSWERS[identifier](row["inputs"])
    assert found.keys() | {key for name, key in NOT_COMPUTED if name == identifier} >= row["expected"].keys()
    for key in found.keys() & row["expected"].keys():
        expected, limit = row["expected"][key], row["tolerance"]
        limit = limit[key] if isinstance(limit, dict) else limit
        within = (
            pytest.approx(expected, rel=float(limit.removeprefix("rel")), abs=0)
            if isinstance(limit, str)
            else pytest.approx(expected, abs=limit, rel=0)
        )
        assert found[key] == within
