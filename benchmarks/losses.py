"""A training step of the in-batch softmax: ours, and `tfrs.tasks.Retrieval`, on the same batch.

Forward and backward, from embeddings to the gradients of queries and of the whole table.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from benchmarks import common

SIZE = 32
MOVIES = (3_900, 9_742, 60_000)
BATCHES = (1_024, 2_048, 8_192)
STEPS = 5


def measure(movies: int, batch: int) -> common.Measured:
    """Median seconds of a step of each, and their losses, which agree."""
    import numpy as np
    import tensorflow as tf
    import tensorflow_recommenders as tfrs

    from reelflow.model.losses import in_batch_softmax

    random = np.random.default_rng(0)
    shares = np.arange(1, movies + 1, dtype=np.float64) ** -0.8
    shares /= shares.sum()
    targets = tf.constant(random.choice(movies, batch, p=shares), tf.int32)
    popularity = tf.constant(shares, tf.float32)
    queries = tf.Variable(0.1 * random.normal(size=(batch, SIZE)).astype(np.float32))
    table = tf.Variable(0.1 * random.normal(size=(movies, SIZE)).astype(np.float32))
    task = tfrs.tasks.Retrieval(remove_accidental_hits=True)

    def ours() -> tf.Tensor:
        return in_batch_softmax(queries, tf.gather(table, targets), targets, popularity)

    def theirs() -> tf.Tensor:
        loss = task(
            queries,
            tf.gather(table, targets),
            candidate_sampling_probability=tf.gather(popularity, targets),
            candidate_ids=targets,
            compute_metrics=False,
        )
        return loss / batch

    measured: dict[str, Any] = {"distinct": len(np.unique(targets))}
    for name, loss in (("ours", ours), ("theirs", theirs)):
        step = tf.function(partial(_step, loss, [queries, table]))
        value = float(step())
        seconds = []
        for _ in range(STEPS):
            began = time.perf_counter()
            step().numpy()
            seconds.append(time.perf_counter() - began)
        measured |= {name: sorted(seconds)[STEPS // 2], f"{name}_loss": value}
    return measured


def _step(loss: Any, variables: list[Any]) -> Any:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        value = loss()
    gradients = [tf.convert_to_tensor(one) for one in tape.gradient(value, variables)]
    with tf.control_dependencies(gradients):
        return tf.identity(value)


def main() -> None:
    """Measure and report."""
    chosen = common.options(__doc__)
    shapes = [(movies, batch) for movies in MOVIES for batch in BATCHES]
    shapes = shapes[:1] if chosen.short else shapes
    variants = {
        shape: partial(common.fresh, "losses:measure", movies=shape[0], batch=shape[1])
        for shape in shapes
    }
    results = common.interleaved(variants, chosen.repeats or (1 if chosen.short else 3))
    rows = []
    for (movies, batch), runs in results.items():
        ours, theirs = (1e3 * common.median(runs, name) for name in ("ours", "theirs"))
        rows.append(
            {
                "movies": movies,
                "batch": batch,
                "distinct in it": runs[0]["distinct"],
                "ours ms": ours,
                "TFRS ms": theirs,
                "TFRS ÷ ours": theirs / ours,
                "losses differ by": abs(runs[0]["ours_loss"] - runs[0]["theirs_loss"]),
            }
        )
    title = f"A step of the in-batch softmax with logQ, d = {SIZE}"
    common.report(
        "losses", title, rows, short=chosen.short, details={"runs": list(results.values())}
    )


if __name__ == "__main__":
    main()
