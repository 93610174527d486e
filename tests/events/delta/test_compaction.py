"""Processes that join files at the same moment leave each event once."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from events.store import event_table
from tests.events.conftest import stored_ids
from tests.events.user_numbers.conftest import rows

ROOT = Path(__file__).resolve().parents[3]
COMPACT = """
import django; django.setup()
import sys
from events.store import event_table as store
sys.stdin.readline()
for _ in range(6):
    store.compact()
"""


@pytest.mark.slow
def test_compactions__of_three_processes_at_once__leave_each_event_once(event_store: Path) -> None:
    own = os.environ | {"EVENTS_URL": str(event_store), "DJANGO_SETTINGS_MODULE": "insight_site.settings"}
    command = [sys.executable, "-c", COMPACT]
    running = [subprocess.Popen(command, cwd=ROOT, env=own, stdin=subprocess.PIPE, text=True) for _ in range(3)]
    for number in range(1, 9):
        event_table.append(rows([f"u{number}"], f"m{number}"), app_id="w", version=number)
    before = stored_ids()
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for number in range(9, 14):
        event_table.append(rows([f"u{number}"], f"m{number}"), app_id="w", version=number)

    assert [process.wait(120) for process in running] == [0, 0, 0]
    assert len(before) == 8
    assert Counter(stored_ids().values()) == {1: 13}
