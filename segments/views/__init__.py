"""Pages about segments."""

from segments.views.comparing import compare, comparison_page, start_comparison
from segments.views.published import churn_page, members_csv, model_page, refresh_model, rename_segment, start_churn
from segments.views.rules import new_rule, preview_rule, rule_builder
from segments.views.searching import foretell_run, new_run, publish_run, report_body, run_page, segment_list
from segments.views.users import find_user, segment_page

__all__ = [
    "churn_page",
    "compare",
    "comparison_page",
    "find_user",
    "foretell_run",
    "members_csv",
    "model_page",
    "new_rule",
    "new_run",
    "preview_rule",
    "publish_run",
    "refresh_model",
    "rename_segment",
    "report_body",
    "rule_builder",
    "run_page",
    "segment_list",
    "segment_page",
    "start_churn",
    "start_comparison",
]
