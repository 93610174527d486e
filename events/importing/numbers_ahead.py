"""Assign user numbers before an import's rows are written, so that nearly all rows are written only once.

New users get the next free numbers, but nothing is recorded in the store until the files are valid: a refused import
has assigned none. The numbers are reserved at the end; if others were assigned meanwhile, these are invalid, and
`number_users.add_numbered` writes the rows again with other numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from events import store
from events.delta.dictionary import COLUMN
from events.delta.snapshot import Snapshot, reserve
from events.importing.number_users import agrees, highest_of, look_up, number_new, rows_of, write_entries, write_events
from events.importing.parquet_files import Job, Staged

STEP = "read"


@dataclass(frozen=True)
class Foretold:
    """The state that the numbers in the job's table `numbers` are based on.

    Attributes:
        before: the highest number ever assigned.
        new: how many users got one of the next numbers.
        entries: the dictionary's files.
    """

    before: int
    new: int
    entries: tuple[str, ...]

    def numbered(self, rows: str) -> str:
        """SQL for these rows with their users' numbers; null for a row without a user."""
        return f'SELECT given.*, number AS "{COLUMN}" FROM ({rows}) AS given LEFT JOIN numbers USING (user_id)'


def foretell(job: Job, users: str, *, app_id: str) -> Foretold:
    """Create the tables `people` and `numbers`; writes nothing to the store.

    Args:
        job: the import.
        users: SQL of the rows' ``user_id``.
        app_id: who writes.
    """
    seen = store.look(app_id)
    at = None if seen is None else Snapshot(seen.handle)
    entries = () if at is None else tuple(sorted(at.dictionary()))
    before = 0 if at is None else at.highest()
    job.run(
        f"CREATE OR REPLACE TEMP TABLE people AS SELECT DISTINCT user_id FROM ({users}) WHERE user_id IS NOT NULL", STEP
    )
    new = look_up(job, entries)
    number_new(job, before)
    return Foretold(before, new, entries)


def add_foretold(
    job: Job, foretold: Foretold, written: Sequence[Staged], others: Sequence[Staged], since: Snapshot, *, app_id: str
) -> bool:
    """Commit events and new numbers, if the numbers are still valid.

    Args:
        job: the import.
        foretold: their numbers.
        written: files whose rows have their numbers.
        others: files whose rows have none yet.
        since: the snapshot that the files are based on.
        app_id: who writes; nobody else may have committed under it since.

    Returns:
        False when the numbers are no longer valid, or `written` is empty; the files are where they were.
    """
    if not written:
        return False
    if _keep_used(job, foretold, written, others) and reserve(foretold.new) != foretold.before:
        return False
    highest, files = highest_of(job), list(written)
    if others:
        files += write_events(job, rows_of([str(file.path) for file in others]), "foretold")
    files += write_entries(job, "foretold-new")

    def still(newer: Snapshot) -> bool:
        return sorted(newer.dictionary()) == list(foretold.entries) or agrees(job, newer)

    newest = store.snapshot()
    if newest.last(app_id) != since.last(app_id) or not still(newest):
        return False
    new = [replace(file.as_new(), numbered=True) for file in files]
    return newest.add(new, app_id=app_id, highest=highest, still=still)


def _keep_used(job: Job, foretold: Foretold, written: Sequence[Staged], others: Sequence[Staged]) -> bool:
    """Drop new users without any row left from `numbers`; returns whether new ones remain."""
    if not foretold.new:
        return False
    used = f'SELECT "{COLUMN}" AS number FROM {rows_of([str(file.path) for file in written])}'
    if others:
        rows = rows_of([str(file.path) for file in others])
        used += f" UNION ALL SELECT number FROM numbers SEMI JOIN {rows} AS rest USING (user_id)"
    job.run(
        "CREATE OR REPLACE TEMP TABLE numbers AS SELECT * FROM numbers "
        f"WHERE NOT new OR number IN (SELECT number FROM ({used}) WHERE number > {foretold.before})",
        STEP,
    )
    return bool(job.run("SELECT 1 FROM numbers WHERE new LIMIT 1", STEP))
