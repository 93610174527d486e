"""Background work of the site, called by name."""

from django.core.management import call_command

from events import visits
from events.catalogue import refresh
from insight_site.access import limits
from insight_site.audiences import following, handing_over
from insight_site.audit import log_lines
from insight_site.notices import channels, delivering, hearing
from insight_site.notices.digest import sending
from insight_site.operation import write_ahead
from insight_site.pages import retention_tiles
from insight_site.rest import idempotency
from insight_site.signin import links, sign_in_record
from insight_site.tidying import untidy
from runs.kinds import all_kinds
from runs.queue.leases import close_lost


def draw_pictures(label: str, pk: int) -> int:
    """After a run: its charts in every language. The renderer is imported here: web processes must start without it."""
    from insight_site.takeaways import stored_pictures  # noqa: PLC0415

    return stored_pictures.draw_run(label, pk)


def close_lost_runs() -> int:
    """Every quarter of an hour: runs whose process died in the middle get their reason."""
    return sum(close_lost(kind.run_class) for kind in all_kinds())


def forget_old_calls() -> int:
    """Each night: calls with an `Idempotency-Key` that counts no longer, and old entries of the audit log."""
    return idempotency.forget_old_calls() + log_lines.forget_old()


def forget_leases() -> int:
    """Each quarter of an hour: counts of calls in minutes that are over, and secrets of hours that are."""
    return limits.forget_leases() + visits.forget_salts()


def forget_sign_ins() -> int:
    """Each night: sessions that are over, and the record of sign-ins after `SIGNIN_DAYS`."""
    call_command("clearsessions")
    return sign_in_record.forget_old()


def send_password_link(record_pk: int, site: str, language: str) -> bool:
    """Asked at the page for a forgotten password, and by an administrator who invites."""
    return links.deliver(record_pk, site, language)


def count_home_figures() -> bool:
    """Each night, and after an import: the retention on the first page, and how many things are to be tidied up.

    The list of events comes first: by it the signup event of a new log is known.
    """
    refresh.refresh_if_due()
    untidy.count_hygiene()
    return retention_tiles.count_retention()


def write_sample() -> int:
    """Asked on an empty site: made-up users and events. The simulation loads NumPy: web processes start without it."""
    from insight_site.connect import write_sample as writing  # noqa: PLC0415

    return writing.write_sample()


def erase(pk: int) -> None:
    """Asked by a person or a key: take persons out of all that is kept."""
    from insight_site.privacy import erasure  # noqa: PLC0415 - Arrow, which web processes start without

    erasure.perform_erasure(pk)


def retain() -> dict[str, int]:
    """Each night: events and traits that are too old, what erasures have left, and the log of both."""
    from events.erasing import retention  # noqa: PLC0415 - alike
    from insight_site.privacy import nightly  # noqa: PLC0415 - alike

    return {**nightly.mend(), **retention.retain(), "log_bytes": write_ahead.shorten()}


def count_due_audiences() -> int:
    """Every few minutes: audiences whose time has come are counted, each by a task of its own."""
    return following.ask_all_due()


def count_audience(pk: int, although_it_shrinks: int = 0) -> bool:
    """Who is in an audience now, and what changed."""
    return following.count(pk, although_it_shrinks=bool(although_it_shrinks))


def send_audiences() -> int:
    """Each minute: what other systems haven't been told yet."""
    return handing_over.send_due()


def forget_pictures() -> int:
    """Asked when an event is renamed: charts of finished runs show names, and are rendered anew."""
    from insight_site.takeaways import stored_pictures  # noqa: PLC0415

    return stored_pictures.forget_pictures()


def back_up() -> str:
    """Each night, when BACKUP_DIR is set. Delta's and Parquet's libraries are loaded here alone."""
    from insight_site.backup import each_night  # noqa: PLC0415

    return each_night.back_up_tonight()


def tell(kind: str, label: str, row: int | str, state: str, by: int, to: str) -> int:
    """Asked where something happens (`runs.queue.enqueue`): notices for those whom it concerns."""
    return hearing.hear(kind, label, str(row), state, by=by, to=[int(one) for one in to.split(",") if one])


def deliver_notices() -> dict[str, int]:
    """Each minute: notices and digests whose time has come."""
    notices, digests = delivering.deliver_due(), sending.deliver_due()
    return {name: number + digests[name] for name, number in notices.items()}


def look_at_parts() -> int:
    """Each quarter of an hour: what is unwell, for administrators."""
    return hearing.look_at_parts()


def make_digest() -> bool:
    """Each hour: the weekly digest, when its day and hour have come."""
    return sending.make_when_due()


def send_digest_now(user_pk: int) -> bool:
    """Asked by a person who wants to see what a digest looks like."""
    return sending.send_now(user_pk)


def forget_notices() -> int:
    """Each night: old notices."""
    return delivering.forget_old()


def try_channel(pk: int) -> bool:
    """Asked by whoever has added a place for notices."""
    return channels.send_test(pk)


def run_self_test(pk: int) -> bool:
    """Asked on the page of self-tests. What it computes with is imported by it: web processes start without."""
    from insight_site.selftest import self_tests  # noqa: PLC0415

    return self_tests.run_self_test(pk)
