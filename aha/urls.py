from django.urls import path

from runs.later import views_of
from runs.web import cancel, progress

STUDY = {"label": "aha.Study"}
views = views_of("aha.views")
comparing = views_of("aha.views.comparing")
questions = views_of("aha.views.questions")

app_name = "aha"
urlpatterns = [
    path("studies/", views.study_list, name="studies"),
    path("studies/new/", questions.new_study, name="new_study"),
    path("studies/preview/", questions.preview_study, name="preview_study"),
    path("studies/<int:pk>/", views.study_page, name="study"),
    path("studies/<int:pk>/progress/", progress, STUDY, name="study_progress"),
    path("studies/<int:pk>/cancel/", cancel, STUDY, name="study_cancel"),
    path("studies/<int:pk>/candidates/<int:place>/", views.candidate_page, name="candidate"),
    path("studies/<int:pk>/candidates/<int:place>/promote/", views.promote, name="promote"),
    path("studies/<int:pk>/venn/", views.venn_page, name="venn"),
    path("compare/", comparing.compare, name="compare"),
    path("moments/", views.moment_list, name="moments"),
    path("moments/new/", views.new_moment, name="new_moment"),
    path("past/", views.past_csv, name="past"),
    path("moments/<slug:key>/", views.moment_page, name="moment"),
    path("moments/<slug:key>/reach/", views.moment_reach, name="moment_reach"),
]
