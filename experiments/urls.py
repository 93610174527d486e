from django.urls import re_path

from experiments import ofrep, sdk

app_name = "experiments"
urlpatterns = [
    # Both slash forms are routes: a redirected POST would lose its body, and the sender would think it delivered.
    re_path(r"^ofrep/v1/evaluate/flags/?\Z", ofrep.evaluate, name="ofrep_bulk"),
    re_path(r"^ofrep/v1/evaluate/flags/(?P<key>[^/]+)/?\Z", ofrep.evaluate, name="ofrep"),
    re_path(r"^api/features/(?P<client_key>[^/]+)/?\Z", sdk.features, name="features"),
    re_path(r"^api/eval/(?P<client_key>[^/]+)/?\Z", sdk.remote_eval, name="remote_eval"),
]
