"""Ratings per second of our training loop and of the notebooks' loop, on the same ratings."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks import common

SIZE = 32
EPOCHS = 3
NOTEBOOK, NOTEBOOK_OFF = "notebooks, joint", "notebooks, joint, metric off"
RETRIEVAL, RETRIEVAL_OFF = "notebooks, retrieval", "notebooks, retrieval, metric off"
ID = {"query": "user_id", "genres": False, "year": False, "rating_bag": 0}
IN_BATCH = {"loss": "in_batch_softmax"}
ONLY = {"rating_weight": 0.0}
ROWS, METRIC_ROWS = 200_000, 80_000
SHORT_ROWS, SHORT_METRIC_ROWS = 40_000, 16_384
"""Ratings to train on, and fewer with FactorizedTopK on, as it is slow."""

OURS: dict[str, tuple[dict[str, Any], int]] = {
    "joint, in-batch, id, 8192": ({**ID, **IN_BATCH}, 8192),
    "joint, in-batch, id": ({**ID, **IN_BATCH}, 1024),
    "joint, full softmax, id": (ID, 1024),
    "joint, full softmax, history": ({}, 1024),
    "retrieval, in-batch, id": ({**ID, **IN_BATCH, **ONLY}, 1024),
    "retrieval, full softmax, id": ({**ID, **ONLY}, 1024),
    "retrieval, full softmax, history": (ONLY, 1024),
}
"""Name to (the configuration's section `model`, batch size)."""
SHORT = ("joint, in-batch, id", "joint, full softmax, history")


def ours(shape: dict[str, int], model: dict[str, Any], batch: int) -> common.Measured:
    """Our loop, and bare matrix products of the shapes of its softmax."""
    from benchmarks import arrays
    from reelflow.config import ModelConfig, TrainConfig
    from reelflow.model.fit import fit

    data = arrays.encoded(**shape)
    sizes = {"embedding_size": SIZE, "rating_embedding_size": SIZE}
    with tempfile.TemporaryDirectory() as folder, clock() as epochs:
        fit(
            data,
            ModelConfig.model_validate({**sizes, **model}),
            TrainConfig(epochs=EPOCHS, batch_size=batch, patience=EPOCHS, validation_rows=1),
            Path(folder),
        )
    # Both tasks, one after the other, as they share no weights.
    tasks = [epochs.seconds[i : i + EPOCHS] for i in range(0, len(epochs.seconds), EPOCHS)]
    # Of movies that are in a batch more than once our in-batch softmax scores each once.
    in_batch = model.get("loss") == "in_batch_softmax"
    candidates = len(set(data.train.movie_index[:: -(-shape["train"] // batch)].tolist()))
    candidates = candidates if in_batch else shape["movies"]
    steps = shape["train"] / batch
    return {
        "epochs": epochs.seconds,
        "seconds": sum(min(task[1:]) for task in tasks),
        "product_seconds": steps * _products(batch, candidates, SIZE + 1),
    }


def notebook(shape: dict[str, int], metric: bool, rating: bool) -> common.Measured:
    """The notebooks' loop."""
    from benchmarks import arrays
    from benchmarks.stock.notebook import seconds_per_epoch

    data = arrays.encoded(**shape)
    seconds = seconds_per_epoch(
        data.train,
        arrays.words("u", shape["users"]),
        data.catalogue.movie_id,
        metric=metric,
        rating=rating,
        epochs=2 if metric else EPOCHS,
    )
    return {"epochs": seconds, "seconds": min(seconds[1:])}


def clock() -> Any:
    """A context whose clock is among the callbacks of every Keras `fit` inside it."""
    from contextlib import contextmanager
    from unittest import mock

    import tf_keras as keras

    from benchmarks.stock.notebook import EpochClock

    @contextmanager
    def clocked() -> Any:
        one, fit = EpochClock(), keras.Model.fit

        def with_clock(model: Any, *args: Any, callbacks: list[Any], **options: Any) -> Any:
            return fit(model, *args, callbacks=[one, *callbacks], **options)

        with mock.patch.object(keras.Model, "fit", with_clock):
            yield one

    return clocked()


def _products(batch: int, candidates: int, size: int) -> float:
    """Seconds of the three products of a softmax step: scores, and both gradients."""
    import time

    import tensorflow as tf

    queries, movies = tf.random.normal([batch, size]), tf.random.normal([candidates, size])

    @tf.function
    def step() -> tf.Tensor:
        scores = tf.matmul(queries, movies, transpose_b=True)
        by_query = tf.matmul(scores, movies)
        by_movie = tf.matmul(scores, queries, transpose_a=True)
        return tf.reduce_sum(by_query) + tf.reduce_sum(by_movie)

    step()
    times = []
    for _ in range(10):
        started = time.perf_counter()
        step().numpy()
        times.append(time.perf_counter() - started)
    return sorted(times)[len(times) // 2]


def main() -> None:
    """Measure and reports."""
    chosen = common.options(__doc__)
    rows, metric_rows = (SHORT_ROWS, SHORT_METRIC_ROWS) if chosen.short else (ROWS, METRIC_ROWS)
    shape = {"users": 6_040, "movies": 3_900, "train": rows}
    variants = {
        name: (
            lambda m=model, b=batch: common.fresh("training:ours", shape=shape, model=m, batch=b)
        )
        for name, (model, batch) in OURS.items()
    }
    notebooks = {
        NOTEBOOK_OFF: {"metric": False, "rating": True},
        NOTEBOOK: {"metric": True, "rating": True},
        RETRIEVAL_OFF: {"metric": False, "rating": False},
        RETRIEVAL: {"metric": True, "rating": False},
    }
    for name, settings in notebooks.items():
        own = {**shape, "train": metric_rows if settings["metric"] else rows}
        variants[name] = lambda s=settings, o=own: common.fresh("training:notebook", shape=o, **s)
    if chosen.short:
        for name in (RETRIEVAL, RETRIEVAL_OFF, *OURS):
            if name not in SHORT:
                del variants[name]
    results = common.interleaved(variants, chosen.repeats or (1 if chosen.short else 3))
    _report(results, rows, metric_rows, chosen.short)


def _report(
    results: dict[str, list[common.Measured]], train: int, metric_rows: int, short: bool
) -> None:
    speeds = {}
    for name, runs in results.items():
        seen = metric_rows if name in (NOTEBOOK, RETRIEVAL) else train
        speeds[name] = seen / common.median(runs, "seconds")
    rows = []
    for name, runs in results.items():
        retrieval = "retrieval" in name
        own = RETRIEVAL if retrieval else NOTEBOOK
        off = RETRIEVAL_OFF if retrieval else NOTEBOOK_OFF
        products = common.median(runs, "product_seconds") if name in OURS else float("nan")
        rows.append(
            {
                "loop": name,
                "ratings/s": speeds[name],
                "× notebooks": speeds[name] / speeds[own],
                "× metric off": speeds[name] / speeds[off],
                "share in products": products / common.median(runs, "seconds"),
                "peak MB": common.median(runs, "peak_mb"),
            }
        )
    title = f"Training on {train:,} ratings, d = {SIZE}; steady state, without the first epoch"
    common.report("training", title, rows, short=short, details={"runs": results})


if __name__ == "__main__":
    main()
