"""For whom the effect holds and whom to nudge, as parts of the JSON document of a report. Pure."""

from typing import Any

from experiments.analyse.effects import NudgeMargins
from reporting.document import chosen
from stats.instrument.generalise import CellEffect, Everybody, Reweighted
from stats.policy import Policy
from stats.results import NotComputable, computable
from stats.trait_cells import SEGMENT

type Json = dict[str, Any]

ESTIMATE = ("estimate", "standard_error", "low", "high", "p_value", "method")
INTERVAL = ("estimate", "low", "high", "level")
BOUNDS = ("low", "high", "limit_low", "limit_high", "level")


def everybody_document(value: Everybody | NotComputable | None) -> Any:
    """What is known beyond compliers; null where it wasn't computed."""
    if value is None or not computable(value):
        return value
    return {
        "moved": value.moved,
        "reweighted": _reweighted(value.reweighted),
        "others": chosen(value.others, *BOUNDS),
        "everybody": chosen(value.everyone, *BOUNDS),
    }


def _reweighted(value: Reweighted | NotComputable) -> Any:
    if not computable(value):
        return value
    return {
        "effect": chosen(value.effect, *ESTIMATE),
        "share": value.share,
        "traits": [_name(trait) for trait in value.traits],
        "cells": [_cell(cell) for cell in value.cells],
    }


def _cell(cell: CellEffect) -> Json:
    return {
        "traits": {_name(trait): level for trait, level in cell.combination},
        **chosen(cell, "share", "first_stage"),
        "effect": chosen(cell.effect, *ESTIMATE),
    }


def policy_document(value: Policy | NotComputable | None) -> Any:
    """The rule for whom to nudge with its gains; null where it wasn't computed."""
    if value is None or not computable(value):
        return value
    rule = value.rule
    return {
        "beats": value.beats,
        "rule": None
        if rule is None
        else {
            "any_of": rule.any_of,
            "conditions": [
                {"trait": _name(row.trait), "is" if row.holds else "is_not": row.level} for row in rule.conditions
            ],
        },
        "best_without_rule": None if rule is not None else "everybody" if value.everybody else "nobody",
        "share": value.share,
        **{
            name: chosen(getattr(value, name), *INTERVAL)
            for name in ("over_all", "over_none", "all_over_none", "inside", "outside")
        },
        **chosen(value, "agreement", "cost", "folds", "judging", "splits", "seed"),
    }


def margins_document(value: NudgeMargins | NotComputable | None) -> Any:
    """The effect between nudges of different strength; null where there are fewer than two."""
    if value is None or not computable(value):
        return value
    found = value.margins
    return {
        "rows": [
            {
                "weaker": value.arms[row.weaker],
                "stronger": value.arms[row.stronger],
                "take_up": [row.take_up_low, row.take_up_high],
                "effect": chosen(row.effect, *ESTIMATE),
                "anderson_rubin": chosen(row.effect_set, "shape", "low", "high"),
            }
            for row in found.rows
        ],
        "agreement": {**chosen(found, "statistic", "degrees_of_freedom", "p_value")},
    }


def _name(trait: str) -> str:
    return "segment" if trait == SEGMENT else trait
