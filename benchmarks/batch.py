"""`reelflow recommend --all` and `similar --all` in one process: lists per second, peak memory.

Untrained models of given sizes: what the weights are does not change what a list costs.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks import common

SHAPES = {
    "MovieLens latest-small": (610, 9_742, 100_836),
    "160,000 users": (160_000, 60_000, 1_600_000),
}
"""Users, movies and ratings, synthetic, as many as the data set's name has."""
K = 50
WHAT = ("recommend", "recommend, with reasons", "similar")
WITH_REASONS = 2_000
"""Users who get reasons, at most."""


def lists(folder: str, what: str, target: str) -> common.Measured:
    """Write the lists; for `common.fresh`."""
    from reelflow.serving.batch import Job, write
    from reelflow.serving.messages import RecommendRequest, SimilarRequest

    users = None
    if what == WHAT[1]:
        users = f"{target}.txt"
        job = Job(folder, RecommendRequest.model_construct())
        Path(users).write_text("\n".join(job.ids[:WITH_REASONS]))
    request = (
        SimilarRequest.model_construct(k=K)
        if what == "similar"
        else RecommendRequest.model_construct(k=K, explain=what == WHAT[1])
    )
    job = Job(folder, request, users)
    job.check()  # loads the model
    began = time.perf_counter()
    rows = write(job, Path(target), lambda *_: None)
    seconds = time.perf_counter() - began
    return {
        "lists": len(job.ids),
        "rows": rows,
        "seconds": seconds,
        "lists_per_second": len(job.ids) / seconds,
        "megabytes": Path(target).stat().st_size / 1e6,
    }


def main() -> None:
    """Measure and report."""
    chosen = common.options(__doc__)
    rows, details = [], {}
    shapes = dict([*SHAPES.items()][:1]) if chosen.short else SHAPES
    with tempfile.TemporaryDirectory() as work:
        for name, (users, movies, ratings) in shapes.items():
            folder = str(Path(work) / str(movies))
            sizes = {"movies": movies, "users": users, "ratings": ratings}
            common.fresh("serving_http:exported", folder=folder, seed=1, **sizes)
            variants = {
                what: lambda what=what, folder=folder: common.fresh(
                    "batch:lists", folder=folder, what=what, target=f"{work}/lists.parquet"
                )
                for what in WHAT
            }
            for what, runs in common.interleaved(variants, chosen.repeats or 1).items():
                details[f"{name}/{what}"] = runs
                rows.append(
                    {
                        "shape": name,
                        "lists of 50": what,
                        "lists": runs[0]["lists"],
                        "lists/s": common.median(runs, "lists_per_second"),
                        "seconds": common.median(runs, "seconds"),
                        "CPU s": common.median(runs, "cpu_seconds"),
                        "peak MB": common.median(runs, "peak_mb"),
                        "file MB": common.median(runs, "megabytes"),
                    }
                )
    common.report("batch", __doc__.splitlines()[0], rows, short=chosen.short, details=details)


if __name__ == "__main__":
    main()
