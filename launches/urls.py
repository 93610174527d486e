from django.urls import path

from runs.web import cancel, progress, views_of

READING = {"label": "launches.LaunchReading"}
BALANCE = {"label": "launches.BalanceRun"}
pages = views_of("launches.views")

app_name = "launches"
urlpatterns = [
    path("balances/", pages.balance_list, name="balances"),
    path("balances/new/", pages.new_balance, name="new_balance"),
    path("balances/<int:pk>/", pages.balance_page, name="balance"),
    path("balances/<int:pk>/play/", pages.play, name="play"),
    path("balances/<int:pk>/promise/", pages.promise, name="promise"),
    path("balances/<int:pk>/compare/", pages.compare, name="compare"),
    path("balances/<int:pk>/progress/", progress, BALANCE, name="balance_progress"),
    path("balances/<int:pk>/cancel/", cancel, BALANCE, name="balance_cancel"),
    path("", pages.launch_list, name="list"),
    path("new/", pages.new_launch, name="new"),
    path("<slug:key>/", pages.launch_page, name="launch"),
    path("<slug:key>/read/", pages.read, name="read"),
    path("<slug:key>/withdraw/", pages.withdraw, name="withdraw"),
    path("<slug:key>/next/", pages.plan_next, name="next"),
    path("<slug:launch__key>/readings/<int:pk>/progress/", progress, READING, name="reading_progress"),
    path("<slug:launch__key>/readings/<int:pk>/cancel/", cancel, READING, name="reading_cancel"),
    path("<slug:key>/readings/<int:pk>/", pages.reading_page, name="reading"),
]
