"""Ratings per second in training: by the processors, by a GPU, and with mixed products.

python -m benchmarks.gpu
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks import common

EPOCHS = 3
SHAPE = {"users": 6_040, "movies": 3_900, "train": 500_000}
SHORT_TRAIN = 20_000
VARIANTS = {
    "processors": (False, "float32"),
    "GPU": (True, "float32"),
    "GPU, mixed": (True, "mixed"),
}
"""Name to (on a GPU, `train.precision`)."""


def measure(shape: dict[str, int], gpu: bool, precision: str, query: str) -> common.Measured:
    """Train both tasks of the default model, and take each one's fastest epoch after the first."""
    import tensorflow as tf

    from benchmarks import arrays
    from benchmarks.training import clock
    from reelflow.config import ModelConfig, TrainConfig
    from reelflow.model.fit import fit

    if not gpu:
        tf.config.set_visible_devices([], "GPU")
    train = TrainConfig.model_validate(
        {"epochs": EPOCHS, "patience": EPOCHS, "precision": precision}
    )
    data = arrays.encoded(**shape)
    model = ModelConfig.model_validate({"query": query})
    with tempfile.TemporaryDirectory() as folder, clock() as epochs:
        _, history = fit(data, model, train, Path(folder))
    tasks = [epochs.seconds[at : at + EPOCHS] for at in range(0, len(epochs.seconds), EPOCHS)]
    lists, stars = (min(task[1:]) for task in tasks)
    return {"lists": lists, "stars": stars, "loss": history["retrieval_loss"][-1]}


def main() -> None:
    """Measure what there is, and report."""
    import tensorflow as tf

    chosen = common.options(__doc__)
    shape = {**SHAPE, "train": SHORT_TRAIN} if chosen.short else SHAPE
    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    if not has_gpu:
        print("There is no GPU here: the processors alone.")
    variants = {
        f"{query}, {name}": (
            lambda q=query, g=gpu, p=precision: common.fresh(
                "gpu:measure", shape=shape, gpu=g, precision=p, query=q
            )
        )
        for query in ("both", "sequence")
        for name, (gpu, precision) in VARIANTS.items()
        if has_gpu or not gpu
    }
    results = common.interleaved(variants, chosen.repeats or 1)
    rows = [
        {
            "model.query": name,
            "lists, ratings/s": shape["train"] / common.median(runs, "lists"),
            "stars, ratings/s": shape["train"] / common.median(runs, "stars"),
            "loss of lists": common.median(runs, "loss"),
        }
        for name, runs in results.items()
    ]
    title = f"Training the default model on {shape['train']:,} ratings; without the first epoch"
    common.report("gpu", title, rows, short=chosen.short, details={"runs": results})


if __name__ == "__main__":
    main()
