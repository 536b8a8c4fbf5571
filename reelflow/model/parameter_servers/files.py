"""The files through which Trainer, coordinator and workers share a training."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from reelflow.config import ModelConfig, TrainConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.tasks import JointModel
from reelflow.model.timelines import Batch


@dataclass(frozen=True)
class Work:
    """The folder of one training; all machines see it at the same path."""

    folder: Path

    def prepare(
        self,
        joint: JointModel,
        data: EncodedData,
        model: ModelConfig,
        train: TrainConfig,
        epochs: int,
    ) -> None:
        """Write what the coordinator reads: data, settings, and the weights to begin with."""
        self.folder.mkdir(parents=True)
        data.save(self.folder / "data")
        settings = {"model": model.model_dump(mode="json"), "train": train.model_dump(mode="json")}
        self.folder.joinpath("settings.json").write_text(json.dumps(settings | {"epochs": epochs}))
        towers(joint).write(str(self.start))

    def settings(self) -> tuple[EncodedData, ModelConfig, TrainConfig, int]:
        """Read what `prepare` wrote: data, the sections `model` and `train`, most epochs."""
        values = json.loads(self.folder.joinpath("settings.json").read_text())
        model = ModelConfig.model_validate(values["model"])
        train = TrainConfig.model_validate(values["train"])
        return EncodedData.load(self.folder / "data"), model, train, values["epochs"]

    @property
    def start(self) -> Path:
        """Weights of the towers to begin with."""
        return self.folder / "start"

    @property
    def best(self) -> Path:
        """Weights of the towers at the lowest loss so far."""
        return self.folder / "best"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints that training goes on from."""
        return self.folder / "checkpoints"

    def part(self, epoch: int, number: int) -> Path:
        """Return the file of some consecutive batches of an epoch."""
        return self.folder / "parts" / f"{epoch}-{number}"

    def log(self, name: str) -> Path:
        """Return the file of a process' messages."""
        return self.folder / f"{name}.log"

    def read_losses(self) -> dict[str, list[float]]:
        """Return each loss by epoch, as far as training is; `val_` is of validation."""
        path = self.folder / "losses.json"
        losses: dict[str, list[float]] = json.loads(path.read_text()) if path.is_file() else {}
        return losses

    def write_losses(self, losses: dict[str, list[float]]) -> None:
        """Write what `read_losses` returns; a reader sees the old file or the new one."""
        fresh = self.folder / "losses.json.new"
        fresh.write_text(json.dumps(losses))
        fresh.replace(self.folder / "losses.json")


def towers(joint: JointModel, **more: Any) -> tf.train.Checkpoint:
    """Return a checkpoint of both towers; shards of a table are one table in its files."""
    # Layers make their tables when they are first called.
    nothing = tf.zeros([1], tf.int64)
    joint.query(nothing, nothing)
    joint.candidate_tower(nothing)
    return tf.train.Checkpoint(query=joint.query_tower, candidate=joint.candidate_tower, **more)


def write_part(path: Path, batches: Iterable[Batch]) -> None:
    """Write batches, each column a record; a reader sees the whole file or none."""
    fresh = path.with_name(path.name + ".new")
    with tf.io.TFRecordWriter(str(fresh)) as file:
        for batch in batches:
            for column in batch.values():
                file.write(tf.io.serialize_tensor(column).numpy())
    fresh.replace(path)


def read_part(path: tf.Tensor, like: Batch) -> tf.data.Dataset:
    """Read what `write_part` wrote, inside of a graph.

    Args:
        path: of the file, a string.
        like: a batch with the same columns.
    """

    def parse(records: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = {}
        for place, (name, column) in enumerate(like.items()):
            tensor = tf.io.parse_tensor(records[place], column.dtype)
            batch[name] = tf.ensure_shape(tensor, [None, *column.shape[1:]])
        return batch

    return tf.data.TFRecordDataset(path).batch(len(like)).map(parse).prefetch(2)
