"""Pages of AHA discovery."""

from aha.views.moments import moment_list, moment_page, moment_reach, new_moment
from aha.views.past import past_csv
from aha.views.studies import candidate_page, promote, report_body, study_list, study_page, venn_page

__all__ = [
    "candidate_page",
    "moment_list",
    "moment_page",
    "moment_reach",
    "new_moment",
    "past_csv",
    "promote",
    "report_body",
    "study_list",
    "study_page",
    "venn_page",
]
