"""Pages about segments."""

from segments.views.published import (
    churn_page,
    comparison_page,
    members_csv,
    model_page,
    refresh_model,
    rename_segment,
    start_churn,
    start_comparison,
)
from segments.views.searching import new_rule, preview_rule, publish_run, report_body, run_page, segment_list

__all__ = [
    "churn_page",
    "comparison_page",
    "members_csv",
    "model_page",
    "new_rule",
    "preview_rule",
    "publish_run",
    "refresh_model",
    "rename_segment",
    "report_body",
    "run_page",
    "segment_list",
    "start_churn",
    "start_comparison",
]
