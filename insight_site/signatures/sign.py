"""Sign the proof of a final analysis, and verify signatures, over the canonical JSON (RFC 8785)."""

import platform
from importlib.metadata import version
from typing import Any

import structlog
from django.utils import timezone

from insight_site import __version__
from insight_site.signatures import signing_key
from reporting.canonical import canonical
from runs.refusals import Refused

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
        key = signing_key.private_key()
    except (Refused, OSError) as trouble:
        log.error("proof.not_signed", experiment=document["experiment"], trouble=str(trouble))
        return {"signed": whole, "signature": None}
    row = signing_key.published(key)
    value = signing_key.encoded(key.sign(canonical(whole)))
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
        key = Ed25519PublicKey.from_public_bytes(signing_key.decoded(x))
        key.verify(signing_key.decoded(str(signature.get("value"))), canonical(document))
    except (InvalidSignature, ValueError):
        return False
    return signature.get("alg") == ALGORITHM
