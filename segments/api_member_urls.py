"""Routes of segment members, separate from the others because API keys need another scope for them."""

from django.urls import path

from segments.api import MemberList, UnitSegments

app_name = "segments_members"
urlpatterns = [
    path("segments/<int:pk>/members", MemberList.as_view(), name="members"),
    path("units/<str:unit>/segments", UnitSegments.as_view(), name="unit"),
]
