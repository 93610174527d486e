"""The record of sign-ins in the admin: read, filtered, never written."""

from django.contrib import admin

from insight_site.admin.queue import ReadOnly
from insight_site.models import SignIn


@admin.register(SignIn)
class SignInAdmin(ReadOnly):
    list_display = ("at", "event", "username", "how", "address", "user_agent", "note")
    list_filter = ("event", "at")
    search_fields = ("username", "address")
    date_hierarchy = "at"
