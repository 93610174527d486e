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

# Of the audit of 0.4; these lie in `benchmarks/audit_04`.
NAMES_04: tuple[str, ...] = (
    "placebo_kept",
    "quantile_ties",
    "step_neighbours",
    "guilds",
    "pool_moments",
    "first_arm",
    "several_leading",
    "shipped_sum",
    "price",
    "rows_by_arm",
    "population_ratio",
    "policy_limits",
    "badge",
    "visitor",
)
