"""Accounts with roles, and a draft that one of them wrote."""

from typing import Any

from django.contrib.auth.models import Group, User
from django.test import Client

from experiments.models import Experiment, ReviewAnswer
from experiments.plan.review import answer_review, ask_for_review
from tests.experiments.make import draft

SAYS_NONE = "needs an approval by somebody who didn't write it"


def somebody(name: str, role: str = "PM", **fields: Any) -> User:
    """An account with one role; "" for none."""
    user = User.objects.create_user(name, password="correct horse", **fields)
    if role:
        user.groups.add(Group.objects.get(name=role))
    return User.objects.get(pk=user.pk)  # permissions are remembered with the instance


def logged_in(user: User) -> Client:
    """A browser of this account."""
    client = Client()
    client.force_login(user)
    return client


def two() -> tuple[User, User]:
    """Author and reviewer: with them the automatic rule wants a review."""
    return somebody("ann"), somebody("ben")


def asked(author: User, key: str = "exp", **fields: Any) -> Experiment:
    """A draft by the author, who has asked for a review."""
    made = draft(key, by=author, **fields)
    ask_for_review(key=key, by=author)
    return made


def approved(author: User, reviewer: User, key: str = "exp", **fields: Any) -> Experiment:
    """A draft that may start."""
    made = asked(author, key, **fields)
    answer_review(key=key, by=reviewer, kind=ReviewAnswer.Kind.APPROVED)
    return made
