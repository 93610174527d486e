"""Pages about segments. Reports load SciPy, so views import them inside functions."""

from segments.views.published import (
    cancel_churn,
    cancel_comparison,
    churn_page,
    churn_progress,
    comparison_page,
    comparison_progress,
    members_csv,
    model_page,
    refresh_model,
    rename_segment,
    start_churn,
    start_comparison,
)
from segments.views.searching import (
    cancel_run,
    new_rule,
    new_run,
    preview_rule,
    publish_run,
    run_page,
    run_progress,
    segment_list,
)

__all__ = [
    "cancel_churn",
    "cancel_comparison",
    "cancel_run",
    "churn_page",
    "churn_progress",
    "comparison_page",
    "comparison_progress",
    "members_csv",
    "model_page",
    "new_rule",
    "new_run",
    "preview_rule",
    "publish_run",
    "refresh_model",
    "rename_segment",
    "run_page",
    "run_progress",
    "segment_list",
    "start_churn",
    "start_comparison",
]
