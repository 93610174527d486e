"""One answer against the truth of its world. Every score is a value or None for "not asked here"."""

from typing import Any

from benchmarks.aha_worlds.generator import Round
from benchmarks.aha_worlds.records import Answer, Entry
from events.simulation.worlds import TARGET


def score(entry: Entry, answer: Answer, world: Round) -> dict[str, Any]:
    """What is kept of an answer: the answer itself, rounded, and its scores.

    Scores:
        exact: the moment is the true one, or rightly none.
        alike: the same, or a cell that classes at least 95 % of users alike.
        false_cause: a cause was claimed of a behaviour that changes nothing, or with the wrong sign.
        error: effect minus truth, of the behaviour that the answer is about; None for a cell whose true effect isn't
            drawn.
        covers: whether the intervals hold the truth.
    """
    behaviour = _behaviour(entry, answer, world)
    true = _true_effect(entry, answer, world)
    kept: dict[str, Any] = {
        "moment": None if answer.moment is None else [answer.moment.behaviour, answer.moment.times, answer.moment.days],
        "cause": answer.cause,
        "effect": _rounded(answer.effect),
        "intervals": [[_rounded(low), _rounded(high)] for low, high in answer.intervals],
        "of": answer.of,
        "reason": answer.reason,
        "truth": _rounded(true),
        "exact": None,
        "alike": None,
        "false_cause": answer.cause and not _is_true_cause(behaviour, answer, world),
        "error": None,
        "covers": None,
    }
    if entry.finds_moment:
        kept["exact"] = answer.moment == world.moment
        kept["alike"] = answer.moment in world.alike if world.moment else answer.moment is None
    if true is not None and answer.effect is not None:
        kept["error"] = _rounded(answer.effect - true)
    if true is not None and answer.intervals:
        kept["covers"] = any(
            (low is None or low <= true) and (high is None or true <= high) for low, high in answer.intervals
        )
    return kept


def _behaviour(entry: Entry, answer: Answer, world: Round) -> str | None:
    """Of which behaviour the answer speaks: an effect from an experiment is that of the behaviour it nudges towards."""
    if (entry.needs_experiment or answer.of == "moved") and world.experiment is not None:
        return world.experiment.moment.behaviour
    return None if answer.moment is None else answer.moment.behaviour


def _true_effect(entry: Entry, answer: Answer, world: Round) -> float | None:
    behaviour = _behaviour(entry, answer, world)
    if behaviour is None:
        return None
    if behaviour != TARGET or not world.causes:
        return 0.0
    about_experiment = entry.needs_experiment or answer.of == "moved"
    if about_experiment or answer.moment in world.alike:
        return world.effects[answer.of]
    return None


def _is_true_cause(behaviour: str | None, answer: Answer, world: Round) -> bool:
    if behaviour != TARGET or not world.causes:
        return False
    true = world.effects[answer.of]
    return answer.effect is None or true is None or true * answer.effect > 0


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 5)
