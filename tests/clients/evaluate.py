"""Evaluate flags with published Python clients. It runs in .venv-clients: a job on stdin, answers on stdout."""

import json
import sys
import time
from typing import Any

KINDS = {"string": "", "integer": -1, "number": -1.0, "boolean": False, "json": {}}


def ofrep(job: dict[str, Any]) -> list[Any]:
    """Each call (flag, type, unit, attributes) through the OFREP provider; `pause` waits for so many seconds."""
    from openfeature import api
    from openfeature.contrib.provider.ofrep import OFREPProvider
    from openfeature.evaluation_context import EvaluationContext

    headers = {"Authorization": f"Bearer {job['key']}"}
    api.set_provider(OFREPProvider(job["url"], headers_factory=lambda: headers))
    client, answers = api.get_client(), []
    for call in job["calls"]:
        if "pause" in call:
            time.sleep(call["pause"])
            continue
        kind = call.get("type", "string")
        name = {"number": "float", "json": "object"}.get(kind, kind)
        context = EvaluationContext(call.get("unit"), call.get("attributes", {}))
        details = getattr(client, f"get_{name}_details")(call["flag"], KINDS[kind], context)
        answers.append(
            {
                "value": details.value,
                "variant": details.variant,
                "reason": details.reason and str(getattr(details.reason, "value", details.reason)),
                "error": details.error_code and details.error_code.value,
                "metadata": dict(details.flag_metadata or {}),
            }
        )
    return answers


def growthbook(job: dict[str, Any]) -> list[Any]:
    """The variant of each flag for each unit, by GrowthBook's own evaluation of our payload; and what it tracked."""
    from growthbook import GrowthBook

    first = GrowthBook(api_host=job["url"], client_key=job["key"])
    first.load_features()
    features, answers = first.get_features(), []
    for unit in job["units"]:
        book = GrowthBook(attributes=unit)
        book.set_features(features)
        found = [book.eval_feature(flag) for flag in job["flags"]]
        answers.append([one.experimentResult.key if one.experimentResult else "default" for one in found])
    return answers


def values(job: dict[str, Any]) -> list[Any]:
    """The value of each flag for each unit by GrowthBook's own evaluation of our payload, and how often it tracked."""
    from growthbook import GrowthBook

    first = GrowthBook(api_host=job["url"], client_key=job["key"])
    first.load_features()
    features, answers, tracked = first.get_features(), [], []
    for unit in job["units"]:
        book = GrowthBook(attributes=unit, on_experiment_viewed=lambda *seen, **_: tracked.append(seen))
        book.set_features(features)
        answers.append([book.get_feature_value(flag, "unknown") for flag in job["flags"]])
    return [answers, len(tracked)]


def remote(job: dict[str, Any]) -> list[Any]:
    """Value of each flag for each unit by remote evaluation, and the arms that the tracking callback saw."""
    from growthbook import GrowthBook

    answers: list[Any] = []
    for unit in job["units"]:
        seen: list[Any] = []
        book = GrowthBook(
            attributes=unit,
            api_host=job["url"],
            client_key=job["key"],
            remote_eval=True,
            on_experiment_viewed=lambda experiment, result, *_, to=seen, **__: to.append([experiment.key, result.key]),
        )
        book.load_features()
        values = [book.get_feature_value(flag, "unknown") for flag in job["flags"]]
        answers.append({"values": values, "tracked": seen})
    return answers


def main() -> None:
    """Do the job and report."""
    job = json.load(sys.stdin)
    run = {"ofrep": ofrep, "growthbook": growthbook, "values": values, "remote": remote}[job["client"]]
    json.dump(run(job), sys.stdout)


main()
