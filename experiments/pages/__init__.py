"""Pages of experiments: lists, the tabs of one, the steps of a plan, and what its buttons do."""

__all__ = [
    "calendar_page",
    "causes_map",
    "holdouts",
    "judge",
    "listing",
    "memo",
    "moves",
    "preview",
    "review",
    "rollout_page",
    "search_page",
    "setup",
    "several",
    "steps",
    "tabs",
    "templates",
]
