from django.urls import path

from insight_site.privacy.api import ErasuresView, ErasureView, PersonView

app_name = "privacy_api"
urlpatterns = [
    path("erasures", ErasuresView.as_view(), name="erasures"),
    path("erasures/<int:pk>", ErasureView.as_view(), name="erasure"),
    path("person", PersonView.as_view(), name="person"),
]
