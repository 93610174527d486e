"""State of the site's parts as metrics: read at each scrape, the same from all processes."""

from collections.abc import Iterator

from django.conf import settings
from prometheus_client.core import GaugeMetricFamily

from insight_site.operation import signs

# Name: description, and the label that distinguishes its values.
GAUGES: dict[str, tuple[str, str]] = {
    "insight_worker_heard_seconds": ("Since a worker last said that it lives.", ""),
    "insight_workers": ("Workers that live.", ""),
    "insight_schedule_success_seconds": ("Since this schedule's task last succeeded.", "schedule"),
    "insight_schedule_failures": ("Failures in a row of this schedule's task.", "schedule"),
    "insight_queue_waiting": ("Tasks that may begin and wait.", "queue"),
    "insight_queue_lag_seconds": ("How long the first of them has waited.", "queue"),
    "insight_queue_running": ("Tasks that run.", ""),
    "insight_tasks_failed_in_a_day": ("Tasks that were given up in the last day.", ""),
    "insight_outbox_rows": ("Accepted events that are not yet in the store.", ""),
    "insight_outbox_lag_seconds": ("Age of the oldest of them.", ""),
    "insight_disk_bytes": ("Size of this machine's disk, by what is written there.", "place"),
    "insight_disk_free_bytes": ("Room on this machine's disk, by what is written there.", "place"),
    "insight_clock_apart_seconds": ("Between the clocks of this machine, the database and the workers.", ""),
}


class Parts:
    """A collector for prometheus_client."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Every part's state and figures; a part that can't be read counts as failed and has no figures."""
        found = {name: signs.look(name) for name in signs.SIGNS}
        state = GaugeMetricFamily("insight_part_ok", "1 when this part works, else 0.", labels=["part"])
        for name, sign in found.items():
            state.add_metric([name], float(sign.ok))
        yield state
        yield GaugeMetricFamily(
            "insight_outbox_rows_limit", "With more waiting events the ingest door answers 429.", settings.OUTBOX_ROWS
        )
        figures = {key: value for sign in found.values() for key, value in sign.figures.items()}
        for name, (meaning, label) in GAUGES.items():
            gauge = GaugeMetricFamily(name, meaning, labels=[label] if label else None)
            for (own, value_of), value in figures.items():
                if own == name:
                    gauge.add_metric([value_of] if label else [], value)
            yield gauge
