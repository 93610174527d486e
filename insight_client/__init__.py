"""Client for the REST API of an Insight site (README.md). `frames` returns pandas tables, `charts` Altair charts."""

from insight_client import frames
from insight_client.errors import InsightError, Locked, Mistake
from insight_client.missing import NotComputable, computable
from insight_client.site import Insight

__all__ = ["Insight", "InsightError", "Locked", "Mistake", "NotComputable", "computable", "frames"]
