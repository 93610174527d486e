"""Settings stored in a backup: values of those that hold no secret, and only the names of the others."""

import hashlib
import os
import re
from typing import Any

from django.conf import settings

from runs.refusals import Refused

# Names that sound like a secret, or whose address may contain one.
SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|PEPPER|DSN|CREDENTIAL|_URL$|COOKIE|HEADERS")
LISTED = re.compile(r"^#?([A-Z][A-Z0-9_]*)=", re.MULTILINE)
AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL")


def kept() -> dict[str, Any]:
    """For the manifest: ``values``, ``secrets`` (names only), and ``keys``, which shows if API keys will work."""
    known = set(LISTED.findall((settings.BASE_DIR / ".env.example").read_text(encoding="utf-8"))) | set(AWS)
    there = {name: os.environ[name] for name in sorted(known) if os.environ.get(name)}
    return {
        "values": {name: value for name, value in there.items() if not SECRET.search(name)},
        "secrets": sorted({name for name in there if SECRET.search(name)} | {"SECRET_KEY"}),
        "keys": _fingerprint(),
    }


def warnings(said: dict[str, Any]) -> list[str]:
    """Warnings about what will not work here, as sentences."""
    if said["keys"] == _fingerprint():
        return []
    other = Refused(
        "This site has another SECRET_KEY or API_KEY_PEPPERS than the backup's: API keys and sessions don't work here."
    )
    return [str(other)]


def _fingerprint() -> str:
    """Fingerprint of the pepper; with 256 bits by default, 32 characters at least, it can't be found by brute force."""
    return hashlib.sha256(f"insight-backup|{settings.API_KEY_PEPPERS[0]}".encode()).hexdigest()[:16]
