"""The signup events that an import makes: one for each user of the files, unless they have signed up before.

Retention counts days from the signup, and many logs hold none. The property `made_from` of such an event names the
source of its time, so that it isn't mistaken for a sent one.
"""

from collections.abc import Sequence

from events.importing.parquet_files import Job, Staged, read_parquet, read_staged
from events.importing.signup_choice import SIGNUP, Signup, SignupFrom
from events.importing.source_files import SourceFile
from events.importing.sql import CONTENT, signup_dates
from events.warehouse import literal

STEP = "signup"


def make_signups(
    job: Job,
    signup: Signup,
    sources: Sequence[SourceFile],
    files: Sequence[Staged],
    known: Sequence[str],
    received: int,
) -> list[Staged]:
    """Write one signup event for each user of the files, unless the files or the store have an earlier one.

    Args:
        job: the import.
        signup: source of the time.
        sources: the files, for a column with signup dates.
        files: their good rows, written already.
        known: the paths of the store's files.
        received: the import's moment, microseconds since 1970.
    """
    if not files:
        return []
    moments = _moments(job, signup, sources, files)
    sql = f"""SELECT user_id, event, make_timestamptz(us) AS "time", properties, md5({CONTENT}) AS message_id,
        make_timestamptz({received}) AS received_at, CAST(make_timestamp(us) AS DATE) AS event_date
        FROM (SELECT user_id, {literal(SIGNUP)} AS event, us, '{{"made_from":"' || source || '"}}' AS properties
        FROM ({moments}) AS made WHERE NOT EXISTS (
            SELECT 1 FROM ({_earlier(files, known)}) AS earlier
            WHERE earlier.user_id = made.user_id AND earlier.us <= made.us))"""
    return job.write(sql, f"source={len(sources)}", STEP)


def without_signup(job: Job, files: Sequence[Staged], made: Sequence[Staged], known: Sequence[str]) -> int:
    """Number of users of the files without a signup event in the files, among those just made, or in the store.

    Studies that begin with a signup leave them out. 0 if the files have no signups at all: they come from elsewhere
    then.
    """
    if not files:
        return 0
    users = f"SELECT DISTINCT user_id FROM {read_staged(files)}"
    here = f"SELECT user_id FROM {read_staged([*files, *made])} WHERE event = {literal(SIGNUP)}"
    left = f"{users} EXCEPT {here}"
    signed, without = job.run(f"SELECT count(DISTINCT user_id), (SELECT count(*) FROM ({left})) FROM ({here})", STEP)[0]
    if signed and without and known:
        left += f" EXCEPT SELECT user_id FROM {read_parquet(known)} WHERE event = {literal(SIGNUP)}"
        without = job.run(f"SELECT count(*) FROM ({left})", STEP)[0][0]
    return int(without) if signed else 0


def _moments(job: Job, signup: Signup, sources: Sequence[SourceFile], files: Sequence[Staged]) -> str:
    """SQL for ``user_id, us, source``: one row per user."""
    first = f'SELECT user_id, min(epoch_us("time")) AS us FROM {read_staged(files)}'
    if signup.source is SignupFrom.COLUMN:
        rows = " UNION ALL ".join(
            signup_dates(source, job.options, signup.column, signup.time_format) for source in sources
        )
        chosen = f"SELECT user_id, min(us) AS us FROM ({rows}) GROUP BY user_id"
    else:
        where = f"WHERE event = {literal(signup.event)}" if signup.source is SignupFrom.EVENT else ""
        chosen = f"{first} {where} GROUP BY user_id"
    found = f"SELECT user_id, us, {literal(signup.source)} AS source FROM ({chosen})"
    if signup.others:
        others = f"SELECT user_id, us, {literal(SignupFrom.FIRST)} AS source FROM ({first} GROUP BY user_id)"
        found += f" UNION ALL {others} WHERE user_id NOT IN (SELECT user_id FROM ({chosen}))"
    return found


def _earlier(files: Sequence[Staged], known: Sequence[str]) -> str:
    """SQL for ``user_id, us``: each user's first signup in the files or the store."""
    # Two reads: the folders of a running import have one level more than those of the store.
    readings = [read_staged(files), *([read_parquet(known)] if known else [])]
    rows = " UNION ALL ".join(
        f'SELECT user_id, "time" FROM {reading} WHERE event = {literal(SIGNUP)}' for reading in readings
    )
    return f'SELECT user_id, epoch_us(min("time")) AS us FROM ({rows}) GROUP BY user_id'
