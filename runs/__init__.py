"""Long-running computations of every app: their rows, execution, progress, cancellation, and registry of kinds."""

__all__ = [
    "kinds",
    "models",
    "parallel",
    "payloads",
    "perform",
    "personal_data",
    "prices",
    "processes",
    "progress",
    "queue",
    "refusals",
    "run_times",
    "site_zone",
    "spending",
    "terminal",
    "web",
    "zone_field",
]
