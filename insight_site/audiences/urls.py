from django.urls import path

from runs.later import views_of

views = views_of("insight_site.audiences.views")

app_name = "audiences"
urlpatterns = [
    path("", views.audience_list, name="list"),
    path("new/", views.new_audience, name="new"),
    path("<slug:key>/", views.audience_page, name="page"),
    path("<slug:key>/change/", views.change_audience, name="change"),
    path("<slug:key>/count/", views.count_now, name="count"),
    path("<slug:key>/secret/", views.new_secret, name="secret"),
    path("<slug:key>/delete/", views.delete_audience, name="delete"),
]
