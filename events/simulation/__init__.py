"""Simulated worlds with known truth, for tests, the demo and benchmarks. The choices: docs/methods/worlds.md."""

from events.simulation.datasets import EXPERIMENT_KEY, events_table, replay, users_table, write_files
from events.simulation.generate import NOT_ENROLLED, Simulation, simulate, truth, unit_ids
from events.simulation.people import draw_arms
from events.simulation.worlds import LAB, WORLDS, PlantedBehaviour, World

__all__ = [
    "EXPERIMENT_KEY",
    "LAB",
    "NOT_ENROLLED",
    "WORLDS",
    "PlantedBehaviour",
    "Simulation",
    "World",
    "datasets",
    "draw_arms",
    "event_worlds",
    "events_table",
    "generate",
    "growth_worlds",
    "launch_worlds",
    "level_worlds",
    "many_tests",
    "people",
    "replay",
    "simulate",
    "truth",
    "unit_ids",
    "users_table",
    "worlds",
    "write_files",
]
