from django.urls import re_path

from events.ingest import ingest

app_name = "events"
urlpatterns = [
    # Both slash forms are routes: a redirected POST would lose its body, and the sender would think it delivered.
    re_path(r"^(?P<kind>batch|import|track|identify|page|screen|group|alias)/?\Z", ingest, name="ingest"),
]
