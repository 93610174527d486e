"""Import a definition: as a draft that a person reviews and starts, with its original draw and history."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from aha.models import AhaMoment
from experiments.api.serializers import DraftSerializer, ExperimentSerializer
from experiments.models import Experiment, Layer
from experiments.plan import drafts
from experiments.plan.lifecycle import Status
from experiments.plan.validation import KEY
from insight_site.exports.definition import FORMAT, LEFT_BEHIND, digest_of
from insight_site.models import Promotion
from runs.refusals import Refused
from segments.published.members import find_segment

MOST_LINES = 1_000  # longest history


def bring(document: Any, *, by: User | None) -> Experiment:
    """Create or update the draft from a definition.

    Args:
        document: as `definition_of` makes it.
        by: the person or key that imports it.

    Raises:
        Refused: it is no definition, was changed in transit, refers to what this site lacks, or an experiment with this
            key was created here or has started.
    """
    _check(document)
    plan = {name: value for name, value in document["plan"].items() if name not in LEFT_BEHIND}
    _refuse_what_is_missing(plan)
    there = Experiment.objects.filter(key=plan["key"]).first()
    if there is not None:
        _refuse_to_overwrite(there)
    shape = (ExperimentSerializer if there is None else DraftSerializer)(there, data=plan, partial=there is not None)
    if not shape.is_valid():
        raise Refused("The plan of the definition is wrong at {fields}.", fields=", ".join(sorted(shape.errors)))
    values = {
        **shape.validated_data,
        "seed": document["draw"]["seed"],
        "hash_version": document["draw"]["hash_version"],
    }
    why = f"promoted: {document['environment']} v{document['version']}"
    with transaction.atomic():
        if there is None:
            experiment = drafts.create_draft(by=by, **values)
        else:
            experiment = drafts.update_draft(key=there.key, by=by, why=why, **values)
        Promotion.objects.create(
            experiment=experiment,
            environment=document["environment"],
            version=document["version"],
            digest=document["digest"],
            history=document["history"],
            tried=document["tried"],
            brought_by=by,
        )
    return experiment


def _check(document: Any) -> None:
    kinds = {"environment": str, "plan": dict, "draw": dict, "version": int, "history": list, "tried": dict}
    good = isinstance(document, dict) and all(type(document.get(name)) is kind for name, kind in kinds.items())
    if not good or not KEY.fullmatch(str(document["plan"].get("key", ""))):
        raise Refused("This is no definition of an experiment.")
    if document.get("format") != FORMAT:
        raise Refused("The definition is of a newer Insight: update this site first.")
    if document.get("digest") != digest_of(document):
        raise Refused("The definition was changed after it was made: take it again from where it comes from.")
    if document["environment"] == settings.ENVIRONMENT:
        raise Refused("The definition comes from this environment, {name}.", name=settings.ENVIRONMENT)
    draw = document["draw"]
    if not (isinstance(draw.get("seed"), str) and 0 < len(draw["seed"]) <= 64 and draw["seed"].isascii()):
        raise Refused("This is no definition of an experiment.")
    if draw.get("hash_version") != 2 or len(document["history"]) > MOST_LINES or len(document["environment"]) > 20:
        raise Refused("This is no definition of an experiment.")


def _refuse_what_is_missing(plan: dict[str, Any]) -> None:
    """List everything that is missing in one error, so that it can be created in one go."""
    rows = [row for row in plan.get("audience") or [] if isinstance(row, dict)]
    segments = {str(row["segment_key"]) for row in rows if row.get("segment_key")}
    missing = [f"segment {key}" for key in sorted(segments) if find_segment(key) is None]
    for name, model in (("moment", AhaMoment), ("layer", Layer)):
        key = plan.get(name)
        if key and not model._default_manager.filter(key=str(key)).exists():
            missing.append(f"{name} {key}")
    if missing:
        raise Refused("This site lacks {names}: make it here first, under the same key.", names=", ".join(missing))


def _refuse_to_overwrite(there: Experiment) -> None:
    if there.status != Status.DRAFT:
        raise Refused("{key} has started here: its plan is fixed, and can only be amended here.", key=there.key)
    if not Promotion.objects.filter(experiment=there).exists():
        raise Refused("There is a draft {key} that was made here: rename or archive it first.", key=there.key)
