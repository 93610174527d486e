from django.urls import path

from runs.web import cancel, progress, views_of

STUDY = {"label": "aha.Study"}
comparing = views_of("aha.views.comparing")
moments = views_of("aha.views.moments")
questions = views_of("aha.views.questions")
studies = views_of("aha.views.studies")

app_name = "aha"
urlpatterns = [
    path("studies/", studies.study_list, name="studies"),
    path("studies/new/", questions.new_study, name="new_study"),
    path("studies/preview/", questions.preview_study, name="preview_study"),
    path("studies/<int:pk>/", studies.study_page, name="study"),
    path("studies/<int:pk>/progress/", progress, STUDY, name="study_progress"),
    path("studies/<int:pk>/cancel/", cancel, STUDY, name="study_cancel"),
    path("studies/<int:pk>/candidates/<int:place>/", studies.candidate_page, name="candidate"),
    path("studies/<int:pk>/candidates/<int:place>/promote/", studies.promote, name="promote"),
    path("studies/<int:pk>/venn/", studies.venn_page, name="venn"),
    path("compare/", comparing.compare, name="compare"),
    path("moments/", moments.moment_list, name="moments"),
    path("moments/new/", moments.new_moment, name="new_moment"),
    path("past/", moments.past_csv, name="past"),
    path("moments/<slug:key>/", moments.moment_page, name="moment"),
    path("moments/<slug:key>/reach/", moments.moment_reach, name="moment_reach"),
]
