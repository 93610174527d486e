"""The catalogue of the event store: event names, counts, properties, and display names."""

__all__ = [
    "check_metric",
    "check_report",
    "labels",
    "listing",
    "metric_page",
    "references",
    "refresh",
    "save_metrics",
    "yaml_file",
]
