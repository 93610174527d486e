"""The site's Ed25519 key: from the environment (SIGNING_KEY, SIGNING_KEY_FILE), or a file beside the secret key.

The file is created at the first signature. The private key is never in the database, so that nobody can sign with a
dump or backup; public keys are, old ones too, so that their signatures can always be verified.
"""

import base64
import binascii
import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils import timezone

from insight_site.first_start import write_once
from insight_site.models import PublicKey
from runs.refusals import Refused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FILE = "signing_key"
BYTES = 32


def private_key() -> "Ed25519PrivateKey":
    """The current private key, created if missing.

    Raises:
        Refused: the environment or the file holds no valid key.
        OSError: the file can't be read or created.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    text = settings.SIGNING_KEY
    if not text:
        path = settings.VAR_DIR / FILE
        if not path.exists():
            made = Ed25519PrivateKey.generate().private_bytes_raw()
            write_once(path, base64.b64encode(made).decode())
        text = path.read_text(encoding="ascii").strip()
    try:
        seed = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        seed = b""
    if len(seed) != BYTES:
        raise Refused(
            "SIGNING_KEY is no key: it must be 32 random bytes in base64, as `openssl rand -base64 32` writes."
        )
    return Ed25519PrivateKey.from_private_bytes(seed)


def published(key: "Ed25519PrivateKey") -> PublicKey:
    """The row of its public key; the previous key's row is marked as retired."""
    x = encoded(key.public_key().public_bytes_raw())
    row, _made = PublicKey.objects.get_or_create(key_id=key_id_of(x), defaults={"x": x})
    PublicKey.objects.filter(retired_at=None).exclude(pk=row.pk).update(retired_at=timezone.now())
    if row.retired_at is not None:
        PublicKey.objects.filter(pk=row.pk).update(retired_at=None)
    return row


def key_id_of(x: str) -> str:
    """The thumbprint of a public key (RFC 7638, RFC 8037)."""
    members = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":"))
    return encoded(sha256(members.encode()).digest())


def keys_document() -> dict[str, Any]:
    """All public keys of the site as a set of JSON Web Keys, the newest first."""
    return {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "use": "sig",
                "alg": "EdDSA",
                "kid": row.key_id,
                "x": row.x,
                "insight:from": row.made_at.isoformat(),
                "insight:until": None if row.retired_at is None else row.retired_at.isoformat(),
            }
            for row in PublicKey.objects.order_by("-pk")
        ]
    }


def encoded(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Decode such a text to bytes.

    Raises:
        ValueError: for anything else.
    """
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
