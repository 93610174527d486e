"""The public signing keys, for anybody who verifies a signature."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from insight_site.signatures.signing_key import keys_document

CACHED_SECONDS = 3600


@require_safe
def keys(request: HttpRequest) -> JsonResponse:
    """All public keys of the site, old ones too; the same for everybody."""
    response = JsonResponse(keys_document(), json_dumps_params={"indent": 1})
    response["Cache-Control"] = f"public, max-age={CACHED_SECONDS}"
    response["Access-Control-Allow-Origin"] = "*"  # pages of other origins may verify a signature, too
    return response
