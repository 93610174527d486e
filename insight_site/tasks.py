"""Background tasks of the site, which the queue calls by name."""

from datetime import datetime

from django.core.management import call_command

from events.catalogue import refresh
from events.people import visits
from insight_site.access import audit, limits
from insight_site.audiences import audience_services, sync
from insight_site.connect import first_day
from insight_site.notify import delivering, digest, dispatch, preferences
from insight_site.operate import component_health
from insight_site.pages import landing
from insight_site.rest import idempotency
from insight_site.signin import accounts, sign_in_record
from insight_site.tidying import untidy
from runs.kinds import all_kinds
from runs.queue.jobs import close_lost


def draw_pictures(label: str, pk: int) -> int:
    """After a run: draw its charts in every language. The renderer is imported here, not by web processes."""
    from insight_site.exports import pictures  # noqa: PLC0415

    return pictures.draw_run(label, pk)


def close_lost_runs() -> int:
    """Every quarter of an hour: mark runs whose process died as failed, with the reason."""
    return sum(close_lost(kind.run_class) for kind in all_kinds())


def forget_old_calls() -> int:
    """Nightly: delete expired `Idempotency-Key` calls, and old entries of the audit log."""
    return idempotency.forget_old_calls() + audit.forget_old()


def forget_leases() -> int:
    """Every quarter of an hour: delete rate-limit counts of past minutes, and secrets of past hours."""
    return limits.forget_leases() + visits.forget_salts()


def forget_sign_ins() -> int:
    """Nightly: delete expired sessions, and sign-ins older than `SIGNIN_DAYS`."""
    call_command("clearsessions")
    return sign_in_record.forget_old()


def send_password_link(record_pk: int, site: str, language: str) -> bool:
    """Send a password link, requested by the page for a forgotten password, or an inviting administrator."""
    return accounts.deliver(record_pk, site, language)


def count_home_figures() -> bool:
    """Nightly, and after an import: count the first page's retention, and the things to tidy up.

    The event catalogue is updated first: it determines the signup event of a new log.
    """
    refresh.refresh_if_due()
    untidy.count_hygiene()
    return landing.count_retention()


def write_sample() -> int:
    """Write sample data to an empty site. The simulation imports NumPy, which web processes start without."""
    from insight_site.connect import write_sample as writing  # noqa: PLC0415

    return writing.write_sample()


def remove_sample() -> int:
    """Take made-up data out of the store, and count the first page's figures anew."""
    from insight_site.connect import write_sample as writing  # noqa: PLC0415 - alike

    removed = writing.remove_sample()
    count_home_figures()
    return removed


def forget_test_events(before: str) -> int:
    """Forget the events that services sent up to a moment, and list the events anew."""
    from events import data_retention  # noqa: PLC0415 - Arrow, which web processes start without

    removed = data_retention.forget_sent(datetime.fromisoformat(before), first_day.MOST_TEST_EVENTS)
    first_day.say_done(first_day.FORGOTTEN, again=True)
    if not refresh.make_catalogue():  # another process makes one now, or nothing is left
        refresh.request_catalogue()
    return removed


def erase(pk: int) -> None:
    """Erase persons, requested by a person or a key."""
    from insight_site.privacy import erasure  # noqa: PLC0415 - Arrow, which web processes start without

    erasure.perform_erasure(pk)


def retain() -> dict[str, int]:
    """Nightly: delete events and traits past retention, finish erasures, and shorten SQLite's write-ahead log."""
    from events import data_retention  # noqa: PLC0415 - alike
    from insight_site.privacy import erasure  # noqa: PLC0415 - alike

    return {**erasure.mend(), **data_retention.retain(), "log_bytes": component_health.shorten_write_ahead_log()}


def count_due_audiences() -> int:
    """Every few minutes: enqueue a count of each audience that is due."""
    return audience_services.ask_all_due()


def count_audience(pk: int, although_it_shrinks: int = 0) -> bool:
    """Count the members of an audience and store the changes."""
    return audience_services.count(pk, although_it_shrinks=bool(although_it_shrinks))


def send_audiences() -> int:
    """Each minute: send pending changes of audiences to other systems."""
    return sync.send_due()


def forget_pictures() -> int:
    """After an event was renamed: delete charts of finished runs, which show its name."""
    from insight_site.exports import pictures  # noqa: PLC0415

    return pictures.forget_pictures()


def back_up() -> str:
    """Nightly, when BACKUP_DIR is set: back up. Only here are Delta's and Parquet's libraries imported."""
    from insight_site.operate import backup  # noqa: PLC0415

    return backup.back_up_tonight()


def write_results() -> dict[str, int]:
    """Nightly, when RESULTS_URL is set: write all results as tables for other programs."""
    from insight_site.write_back import writing  # noqa: PLC0415 - Arrow, which web processes start without

    return writing.write_nightly()


def write_finished(label: str, pk: int) -> dict[str, int]:
    """After a run, when RESULTS_URL is set: write what it changed."""
    from insight_site.write_back import writing  # noqa: PLC0415 - alike

    return writing.write_finished(label, pk)


def tell(kind: str, label: str, row: int | str, state: str, by: int, to: str) -> int:
    """Create notices for an event (requested by `runs.queue.jobs`)."""
    return dispatch.hear(kind, label, str(row), state, by=by, to=[int(account) for account in to.split(",") if account])


def deliver_notices() -> dict[str, int]:
    """Each minute: deliver notices and digests that are due."""
    notices, digests = delivering.deliver_due(), digest.deliver_due()
    return {name: number + digests[name] for name, number in notices.items()}


def look_at_parts() -> int:
    """Every quarter of an hour: notify administrators of failing parts."""
    return dispatch.look_at_parts()


def make_digest() -> bool:
    """Hourly: create the weekly digest, once its day and hour have come."""
    return digest.make_when_due()


def send_digest_now(user_pk: int) -> bool:
    """Send a digest to a person who wants to see an example."""
    return digest.send_now(user_pk)


def forget_notices() -> int:
    """Nightly: delete old notices."""
    return delivering.forget_old()


def try_channel(pk: int) -> bool:
    """Send a test message to a new notification channel."""
    return preferences.send_test(pk)


def run_self_test(pk: int) -> bool:
    """Run a self-test, requested on its page. It imports its libraries itself, to keep them out of web processes."""
    from insight_site.selftest import self_tests  # noqa: PLC0415

    return self_tests.run_self_test(pk)
