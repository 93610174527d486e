"""The subjects of the audit, in the order of the page. A new subject is a module in this folder and a line here.

Each module has `TITLE` (a heading), `TEXT` (a paragraph: scenario, formula, source) and
`figures(size: float) -> list[Figure]`; `size` 1.0 is what the page shows, tests run the same code with less.
"""

NAMES: tuple[str, ...] = (
    # one a line
    "ratio",
    "clusters",
    "strata_variance",
    "closing",
    "simultaneous",
    "stopping",
    "planner",
    "styles",
    "controls",
    "ladder",
    "evidence.trials",
    "steps",
    "first_stage",
    "placebo",
    "dose_words",
    "forging",
    "night_ratio",
    "survival_days",
    "exclusion",
    "bounds",
    "store_faults",
)
