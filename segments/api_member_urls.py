"""Who belongs to which segment: apart from the other routes, because a key needs another scope for it."""

from django.urls import path

from segments.api import MemberList, UnitSegments

app_name = "segments_members"
urlpatterns = [
    path("segments/<int:pk>/members", MemberList.as_view(), name="members"),
    path("units/<str:unit>/segments", UnitSegments.as_view(), name="unit"),
]
