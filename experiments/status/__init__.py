"""Status of an experiment: for lists, pages, the admin, notices and the API."""

__all__ = [
    "calendar",
    "connection",
    "consequences",
    "ending",
    "happened",
    "history",
    "overview",
    "rollout_moves",
    "rollout_state",
    "waiting",
]
