from django.urls import path

from runs.web import views_of

views = views_of("events.pickers.views")

app_name = "pick"
urlpatterns = [
    path("chips/", views.chips, name="chips"),
    path("definition/", views.definition, name="definition"),
    path("preview/", views.preview, name="preview"),
    path("rate/", views.rate, name="rate"),
    path("<slug:kind>/", views.options, name="options"),
]
