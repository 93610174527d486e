"""Sign the proof of a final analysis with the site's key, over canonical JSON, and write the signed document."""

import base64
import binascii
import json
import platform
from hashlib import sha256
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.utils import timezone

from experiments.models import Analysis, MapReading
from experiments.plan.registration import registration_of
from insight_site import __version__
from insight_site.first_start import write_once
from insight_site.models import PublicKey
from reporting.document import canonical
from runs.refusals import Refused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


# The site's Ed25519 key: from the environment (SIGNING_KEY, SIGNING_KEY_FILE), or a file beside the secret key.
#
# The file is created at the first signature. The private key is never in the database, so that nobody can sign with a
# dump or backup; public keys are, old ones too, so that their signatures can always be verified.

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


# Sign the proof of a final analysis, and verify signatures, over the canonical JSON (RFC 8785).

ALGORITHM = "EdDSA"
LIBRARIES = ("numpy", "scipy", "pandas", "pyarrow", "duckdb", "ibis-framework", "deltalake", "statsmodels")
log = structlog.get_logger()


def software() -> dict[str, str]:
    """Versions of Insight, Python and the libraries that numbers may depend on."""
    return {"insight": __version__, "python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


def sign_proof(document: dict[str, Any]) -> dict[str, Any]:
    """``{"signed": …, "signature": …}``: the document with software and time, and the signature over it.

    If the site's key can't be used, the result is stored with the signature None, and the log says why.
    """
    whole = {**document, "software": software(), "signed_at": timezone.now().isoformat()}
    try:
        key = private_key()
    except (Refused, OSError) as trouble:
        log.error("proof.not_signed", format=document["format"], of=document.get("experiment"), trouble=str(trouble))
        return {"signed": whole, "signature": None}
    row = published(key)
    value = encoded(key.sign(canonical(whole)))
    return {"signed": whole, "signature": {"alg": ALGORITHM, "kid": row.key_id, "value": value}}


def holds(document: dict[str, Any], signature: dict[str, Any], keys: dict[str, str]) -> bool | None:
    """Whether a signature over this document is valid; None for an unknown key.

    Args:
        document: that was signed.
        signature: with `alg`, `kid` and `value`.
        keys: `x` of public keys by their id.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    x = keys.get(str(signature.get("kid")))
    if x is None:
        return None
    try:
        key = Ed25519PublicKey.from_public_bytes(decoded(x))
        key.verify(decoded(str(signature.get("value"))), canonical(document))
    except (InvalidSignature, ValueError):
        return False
    return signature.get("alg") == ALGORITHM


# The signed document of a final analysis: its proof, the result and the registered plan, as one file.

PARTS = ("signed", "signature", "result", "plan")


def signed_document(analysis: Analysis) -> dict[str, Any] | None:
    """The document to verify a final analysis; None while the analysis isn't final, and for one without proof."""
    if not analysis.final or analysis.proof is None:
        return None
    row = registration_of(analysis.experiment)
    return {**analysis.proof, "result": analysis.payload, "plan": None if row is None else row.text}


def final_of(key: str) -> Analysis | None:
    """The final analysis of an experiment; None while there is none."""
    analyses = Analysis.objects.filter(experiment__key=key, status=Analysis.Status.DONE, final=True)
    return analyses.select_related("experiment").first()


def as_text(document: dict[str, Any]) -> str:
    """The document as a readable JSON file."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1)


def read_document(text: bytes) -> dict[str, Any]:
    """Parse a file to its document.

    Raises:
        Refused: it is no such document.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if _is_map(document):
        return dict(document)
    sound = isinstance(document, dict) and all(name in document for name in PARTS)
    if not sound or not isinstance(document["signed"], dict) or not isinstance(document["result"], dict):
        raise Refused("The file is no signed document of a final analysis.")
    signed = document["signed"]
    for name, kind in (("experiment", str), ("analysis", int), ("data", dict), ("plan", dict)):
        if not isinstance(signed.get(name), kind):
            raise Refused("The file is no signed document of a final analysis.")
    return dict(document)


def _is_map(document: Any) -> bool:
    """Whether it is the signed document of a reading of the map of causes."""
    if not isinstance(document, dict) or not all(isinstance(document.get(name), dict) for name in ("signed", "result")):
        return False
    signed = document["signed"]
    sound = isinstance(signed.get("outcome"), str) and isinstance(signed.get("reading"), int)
    return sound and signed.get("format") == MapReading.FORMAT and "signature" in document


def is_map(document: dict[str, Any]) -> bool:
    """Whether a document that was read is of the map of causes; else it is of a final analysis."""
    return bool(document["signed"].get("format") == MapReading.FORMAT)
