from django.urls import path

from events.views import event_list, event_page, live, overview

app_name = "events"
urlpatterns = [
    path("", overview.overview, name="overview"),
    path("events/", event_list.event_list, name="list"),
    path("event/", event_page.event_page, name="event"),
    path("event/trend/", event_page.event_trend_part, name="trend"),
    path("event/label/", event_page.edit_label, name="label"),
    path("live/", live.live, name="live"),
]
