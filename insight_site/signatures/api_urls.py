from django.urls import path

from insight_site.signatures.api import PreregistrationView, SignedDocumentView

app_name = "signatures_api"
urlpatterns = [
    path("experiments/<str:key>/signed", SignedDocumentView.as_view(), name="signed"),
    path("experiments/<str:key>/preregistration", PreregistrationView.as_view(), name="preregistration"),
]
