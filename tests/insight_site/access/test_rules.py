"""The table of access, row by row, without a site."""

import pytest
from django.test import Client

from insight_site.access.permissions import RULES, Rule

WITH_KEYS = {name: rule for name, rule in RULES.items() if rule.scope}
# One view that answers GET alone.
DESCRIPTION = "api_schema"


@pytest.mark.parametrize(
    "rule", [pytest.param(rule, id=name) for name, rule in WITH_KEYS.items() if name != DESCRIPTION]
)
def test_key__that_only_reads__writes_nowhere(rule: Rule) -> None:
    methods = rule.methods or ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

    for method in set(methods) - {"GET", "HEAD"}:
        assert not str(rule.scope_for(method)).endswith(":read")


def test_ids_of_users__are_in_no_report() -> None:
    by_scope = {name: WITH_KEYS[name].scope for name in WITH_KEYS if WITH_KEYS[name].scope != "reports:read"}

    assert by_scope == {
        "segments_members:*": "segments:read",
        "audiences_api:*": "segments:read",
        "identity_api:ids": "privacy:read",
        "notices_api:*": "admin:*",
        "users_api:*": "users:write",
        "experiments_api:experiment-assignments": "assignments:read",
        "experiments_api:webhookendpoint-list": "admin:*",
        "experiments_api:webhookendpoint-detail": "admin:*",
        "experiments_api:webhookendpoint-rotate": "admin:*",
        "experiments_api:webhookendpoint-deliveries": "admin:*",
        "privacy_api:*": "privacy:write",
        "privacy_api:person": "privacy:read",
    }


def test_route__without_a_rule__is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(RULES, "glossary")

    answer = client.get("/glossary/")

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
