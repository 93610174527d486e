"""Simulated worlds with known truth, for tests, the demo and benchmarks. The choices: docs/methods/worlds.md."""

from events.simulation.arrow_tables import EXPERIMENT_KEY, events_table, users_table, write_files
from events.simulation.generate import NOT_ENROLLED, Simulation, simulate
from events.simulation.people import draw_arms
from events.simulation.replay import replay
from events.simulation.truth import truth, unit_ids
from events.simulation.worlds import WORLDS, PlantedBehaviour, World

__all__ = [
    "EXPERIMENT_KEY",
    "NOT_ENROLLED",
    "WORLDS",
    "PlantedBehaviour",
    "Simulation",
    "World",
    "draw_arms",
    "events_table",
    "replay",
    "simulate",
    "truth",
    "unit_ids",
    "users_table",
    "write_files",
]
