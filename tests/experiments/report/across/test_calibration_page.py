"""The address of the calibration page: no key of an experiment is taken by it, and old links lead there."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.experiments.make import running

pytestmark = pytest.mark.django_db


def test_old_address__leads_on__unless_an_experiment_has_this_key(client: Client) -> None:
    client.force_login(User.objects.create_user("ann"))

    led_on = client.get("/experiments/calibration/")
    running("calibration")
    shown = client.get("/experiments/calibration/")

    assert led_on.headers["Location"] == "/experiments/-/calibration/"
    assert (shown.status_code, shown.context["experiment"].key) == (200, "calibration")
