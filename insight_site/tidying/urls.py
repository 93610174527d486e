from django.urls import path

from runs.later import views_of

views = views_of("insight_site.tidying.views")

app_name = "upkeep"
urlpatterns = [
    path("search/", views.search_page, name="search"),
    path("upkeep/", views.hygiene_page, name="hygiene"),
    path("upkeep/tags/", views.tags_page, name="tags"),
    path("upkeep/tags/<int:pk>/rename/", views.rename_tag, name="rename_tag"),
    path("upkeep/tags/<int:pk>/delete/", views.delete_tag, name="delete_tag"),
    path("upkeep/<slug:kind>/<int:pk>/tags/", views.set_tags, name="set_tags"),
    path("upkeep/<slug:kind>/<int:pk>/owner/", views.set_owner, name="set_owner"),
    path("upkeep/<slug:kind>/<int:pk>/archive/", views.archive, name="archive"),
    path("upkeep/<slug:kind>/<int:pk>/restore/", views.restore, name="restore"),
]
