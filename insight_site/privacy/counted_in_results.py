"""Records in finished results how many erased users their data held, without ids."""

from bisect import bisect_right
from collections import defaultdict
from datetime import datetime

from django.db.models import F

from events.erasing.erase_events import SeenOfPersons
from runs.kinds import all_kinds
from runs.models import Run


def count_in_results(seen: SeenOfPersons) -> int:
    """Add its number of erased users to each finished run; returns how many runs. Call it once, in a transaction."""
    by_experiment: dict[str, list[datetime]] = defaultdict(list)
    for (key, _user), moment in seen.exposed.items():
        by_experiment[key].append(moment)
    moments = {key: sorted(found) for key, found in by_experiment.items()} | {"*": sorted(seen.first.values())}
    changed = 0
    for kind in all_kinds():
        if not kind.units_of:
            continue
        done = kind.run_class._base_manager.filter(status=Run.Status.DONE)
        key = "pk" if kind.units_of == "*" else kind.units_of
        for pk, about, as_of, finished in done.values_list("pk", key, "as_of", "finished_at"):
            until = as_of or finished
            units = bisect_right(moments.get("*" if kind.units_of == "*" else about, []), until) if until else 0
            if units:
                kind.run_class._base_manager.filter(pk=pk).update(erased_units=F("erased_units") + units)
                changed += 1
    return changed
