"""The admin's content security policy: what it takes is what Unfold's pages have, and nothing more."""

import base64
import hashlib
import re

import pytest
from django.test import Client

from insight_site.middleware import ADMIN_STYLES

pytestmark = pytest.mark.django_db
PAGES = ("/admin/", "/admin/events/source/", "/admin/events/flush/", "/admin/auth/user/add/")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_page__its_inline_styles__are_those_that_the_policy_names(
    admin_client: Client, path: str, language: str
) -> None:
    answer = admin_client.get(path, headers={"accept-language": language})
    page = answer.content.decode()

    styles = re.findall(r"<style[^>]*>(.*?)</style>", page, re.DOTALL)
    hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in styles}
    policy = dict(part.strip().split(" ", 1) for part in answer["Content-Security-Policy"].split(";"))

    assert hashes == {ADMIN_STYLES[0]}
    assert set(policy["style-src"].split()) == {"'self'", *ADMIN_STYLES}
    assert policy["script-src"] == "'self' 'unsafe-eval'"
    assert re.findall(r"<script(?![^>]*(?:src=|application/json))[^>]*>\s*[^<\s]", page) == []
