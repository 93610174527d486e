"""Our signatures, read by the published package of Standard Webhooks."""

import json
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from experiments.webhook_messages import headers, message_body, new_message_id, new_secret
from tests.clients.conftest import PYTHON
from tests.conftest import missing

pytestmark = pytest.mark.slow
VERIFY = """
import json, sys
from standardwebhooks.webhooks import Webhook
from standardwebhooks import WebhookVerificationError
for case in json.load(sys.stdin):
    try:
        print("accepted", json.dumps(Webhook(case["secret"]).verify(case["body"], case["headers"]), ensure_ascii=True))
    except WebhookVerificationError as error:
        print("refused", error)
"""


def verified(cases: list[dict[str, object]]) -> list[str]:
    if not PYTHON.exists():
        missing("the package standardwebhooks (make clients)")
    done = subprocess.run(
        [str(PYTHON), "-c", VERIFY], input=json.dumps(cases), capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_signature__the_published_package__accepts_ours_and_nothing_changed() -> None:
    now = datetime.now(UTC)
    old, new = new_secret(), new_secret()
    message_id = new_message_id()
    body = message_body("experiment.verdict", {"experiment": "초대", "verdict": "CAUSES", "effect": 0.0}, now)
    signed = headers([new, old], message_id=message_id, at=now, body=body)
    sent = {"body": body.decode(), "headers": signed}
    late = headers([new], message_id=message_id, at=now - timedelta(minutes=6), body=body)

    found = verified(
        [
            {**sent, "secret": new},
            {**sent, "secret": old},
            {**sent, "secret": new_secret()},
            {**sent, "secret": new, "body": body.decode().replace("CAUSES", "HARMS")},
            {**sent, "secret": new, "headers": {**signed, "webhook-id": "msg_other"}},
            {**sent, "secret": new, "headers": late},
        ]
    )

    document = json.dumps(json.loads(body))
    assert found == [
        f"accepted {document}",
        f"accepted {document}",
        "refused No matching signature found",
        "refused No matching signature found",
        "refused No matching signature found",
        "refused Message timestamp too old",
    ]
