"""Segmentation on the worlds with known truth: ARI and K on planted groups; how often a cloud is called a cloud.

.venv/bin/python benchmarks/segments.py worlds                       # planted_groups x 5, blob x 20 (half an hour)
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.frame import options_of


def main() -> None:
    parser = options_of(__doc__, page=False, processes=False)
    parser.add_argument("what", choices=["worlds"])
    parser.add_argument("--seeds", type=int, default=20, help="of blob; planted_groups takes a quarter of them")
    worlds(parser.parse_args().seeds)


def worlds(seeds: int) -> None:
    import numpy as np

    from segments.search.clustering import agreement
    from segments.search.segmentation import Options, segment
    from tests.segments.make import world_table

    right = 0
    for world, count in (("planted_groups", max(1, seeds // 4)), ("blob", seeds)):
        for seed in range(1, count + 1):
            table, simulation = world_table(world, seed=seed)
            outcome = 1.0 - simulation.retained.astype(np.float64)
            found = segment(table, outcome=outcome, options=Options(seed=seed))
            known = found.labels >= 0
            ari = agreement(simulation.people.group[known].astype(np.int64), found.labels[known])
            right += world == "blob" and not found.clusters_found
            print(
                f"{world} {seed}: k {found.k} ({found.choice.reason}), {found.method}, ARI {ari:.3f}, stability "
                f"{found.stability.mean_ari:.3f}, p {found.null.p_value:.3f}, found {found.clusters_found}",
                flush=True,
            )
    print(f"blob: no stable clusters in {right} of {seeds} seeds")


if __name__ == "__main__":
    main()
