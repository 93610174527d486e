"""Background work of the site, called by name."""

from insight_site.pages import retention_tiles
from insight_site.rest import idempotency
from runs.kinds import all_kinds
from runs.queue.lost import close_lost


def draw_pictures(label: str, pk: int) -> int:
    """After a run: its charts in every language. The renderer is imported here: web processes must start without it."""
    from insight_site.takeaways import stored_pictures  # noqa: PLC0415

    return stored_pictures.draw_run(label, pk)


def close_lost_runs() -> int:
    """Every quarter of an hour: runs whose process died in the middle get their reason."""
    return sum(close_lost(kind.run_class) for kind in all_kinds())


def forget_old_calls() -> int:
    """Each night: calls with an `Idempotency-Key` that counts no longer."""
    return idempotency.forget_old_calls()


def count_home_figures() -> bool:
    """Each night: the retention that the first page shows."""
    return retention_tiles.count_retention()


def write_sample() -> int:
    """Asked on an empty site: made-up users and events. The simulation loads NumPy: web processes start without it."""
    from insight_site.connect import write_sample as writing  # noqa: PLC0415

    return writing.write_sample()


def forget_pictures() -> int:
    """Asked when an event is renamed: charts of finished runs show names, and are rendered anew."""
    from insight_site.takeaways import stored_pictures  # noqa: PLC0415

    return stored_pictures.forget_pictures()
