"""Exact ranks of test ratings: ours, and FactorizedTopK, on the same embeddings."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks import common

OURS = "exact ranks, raw and unseen"
BRUTE_FORCE = "FactorizedTopK, BruteForce"
STREAMING = "FactorizedTopK, candidates by 128"
SIZE = 64
BLOCK = 1024
USERS, MOVIES, TRAIN = 6_040, 3_900, 800_000


def measure(rows: int, repeats: int) -> common.Measured:
    """All three in turn; FactorizedTopK on a tenth of the rows, as it is slow."""
    import numpy as np
    import tensorflow as tf
    import tensorflow_recommenders as tfrs

    from benchmarks import arrays
    from reelflow.model.histories import Histories
    from reelflow.model.ranking import exact_ranks
    from reelflow.model.timelines import Timelines

    data = arrays.encoded(USERS, MOVIES, TRAIN, held_out=rows)
    timelines = Timelines(Histories.of_train(data))
    random = np.random.default_rng(0)
    user_table = tf.constant(random.normal(size=(USERS, SIZE)).astype(np.float32))
    candidates = tf.constant(random.normal(size=(MOVIES, SIZE)).astype(np.float32))
    users, movies = tf.constant(data.test.user_index), tf.constant(data.test.movie_index)

    @tf.function
    def block_ranks(users: tf.Tensor, movies: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        scores = tf.matmul(tf.gather(user_table, users), candidates, transpose_b=True)
        return exact_ranks(scores, movies, timelines.seen(users))

    def ours() -> tuple[int, float]:
        found = [block_ranks(users[i : i + BLOCK], movies[i : i + BLOCK])[0] for i in _starts(rows)]
        return rows, float(np.mean(np.concatenate(found)[: rows // 10] <= 100))

    def factorized(index: Any) -> Callable[[], tuple[int, float]]:
        metric = tfrs.metrics.FactorizedTopK(candidates=index)

        @tf.function
        def update(queries: tf.Tensor, targets: tf.Tensor) -> None:
            metric.update_state(queries, targets)

        def call() -> tuple[int, float]:
            metric.reset_states()
            for i in _starts(rows // 10):
                at = slice(i, min(i + BLOCK, rows // 10))
                update(tf.gather(user_table, users[at]), tf.gather(candidates, movies[at]))
            return rows // 10, float(metric.result()[-1])

        return call

    layers = tfrs.layers.factorized_top_k
    batches = tf.data.Dataset.from_tensor_slices(candidates).batch(128)
    variants = {
        OURS: ours,
        BRUTE_FORCE: factorized(layers.BruteForce().index(candidates)),
        STREAMING: factorized(batches),
    }
    for call in variants.values():
        call()
    results = common.interleaved({n: partial(_timed, c) for n, c in variants.items()}, repeats)
    return {"runs": results}


def _starts(rows: int) -> range:
    return range(0, rows, BLOCK)


def _timed(call: Callable[[], tuple[int, float]]) -> common.Measured:
    started = time.perf_counter()
    rows, accuracy = call()
    seconds = time.perf_counter() - started
    return {"rows_per_second": rows / seconds, "top_100": accuracy}


def main() -> None:
    """Measure and reports."""
    chosen = common.options(__doc__)
    rows = 20_000 if chosen.short else 100_000
    repeats = chosen.repeats or (1 if chosen.short else 5)
    runs = common.fresh("evaluation:measure", rows=rows, repeats=repeats)["runs"]
    speeds = {name: common.median(of, "rows_per_second") for name, of in runs.items()}
    table = [
        {
            "evaluation": name,
            "ratings/s": speed,
            "ours is × faster": speeds[OURS] / speed,
            "top-100 accuracy": common.median(runs[name], "top_100"),
        }
        for name, speed in speeds.items()
    ]
    title = f"Top-100 accuracy over {MOVIES:,} movies, d = {SIZE}"
    common.report("evaluation", title, table, short=chosen.short, details={"runs": runs})


if __name__ == "__main__":
    main()
