"""A user who began as a visitor draws in a rollout by the visitor's id, as in the experiment (docs/identity.md)."""

import pytest

from experiments.models import ConfigVersion, DrawnAs, Holdout
from experiments.serve import config
from tests.experiments.serve.rollout.test_shipping import ask, shipped, stopped

pytestmark = pytest.mark.django_db
PEOPLE = 300


def test_rollout__after_the_login__is_what_the_visitor_had() -> None:
    holdout = Holdout.objects.create(key="h", share=2_000, active=False)
    stopped(holdout=holdout)
    shipped(3_000)
    before = [ask(f"visitor-{n}").variant for n in range(PEOPLE)]
    alone = [ask(f"user-{n}").variant for n in range(PEOPLE)]
    DrawnAs.objects.bulk_create(DrawnAs(unit=f"user-{n}", drawn_as=f"visitor-{n}") for n in range(PEOPLE))
    ConfigVersion.touch()
    config.forget()

    after = [ask(f"user-{n}").variant for n in range(PEOPLE)]

    assert after == before
    assert after != alone
    assert set(after) == {"banner", "default"}
