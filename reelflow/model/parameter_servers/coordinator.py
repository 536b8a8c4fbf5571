"""The coordinator of a training by parameter servers: hands out parts, validates, checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from reelflow.base import columns as f
from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.fit import VALIDATION
from reelflow.model.optimizers import optimizer
from reelflow.model.parameter_servers.__main__ import COORDINATOR
from reelflow.model.parameter_servers.files import Work, read_part, towers, write_part
from reelflow.model.steps import held_out_batches, steps_of
from reelflow.model.tasks import RETRIEVAL_LOSS, JointModel

PART = 16
"""Batches of a part, at most: what one worker does without asking again."""


class Training:
    """One training of the towers, from its beginning or from its last checkpoint."""

    def __init__(self, work: Work) -> None:
        """Connect to the machines that TF_CONFIG names, and put the tables on the servers.

        Args:
            work: the prepared folder.
        """
        data, model, train, self._epochs = work.settings()
        # Adam would change whole tables in each step.
        train = train.model_copy(update={"optimizer": "adagrad"})
        self._work, self._patience = work, train.patience
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver(COORDINATOR, 0)
        servers = len(resolver.cluster_spec().as_dict()["ps"])
        strategy = tf.distribute.ParameterServerStrategy(
            resolver, _partitioner(train.shard_bytes, servers)
        )
        self._coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
        with strategy.scope():
            joint = _joint(data, model, by_rows=True)
            self._steps = steps_of(joint, data.train, train, RETRIEVAL_LOSS)
            example = self._steps.batches[0]
            weights = towers(joint)
            descent = optimizer(train, self._steps.rate)
            descent._create_all_weights(joint.trainable_variables)
            joint.compile(optimizer=descent)
        self._joint = joint

        @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
        def take(path: tf.Tensor) -> None:
            for batch in read_part(path, example):
                strategy.run(joint.train_step, args=(batch,))

        self._take = take
        self._parts = -(-len(self._steps.batches) // PART)
        self._parts_between = max(1, train.checkpoint_steps // PART)
        # The same towers here, to validate with, and to write for the Trainer.
        self._plain = _joint(data, model)
        self._plain.compile()
        self._validation = held_out_batches(data, train)
        self._at = tf.Variable([0, 0], trainable=False, dtype=tf.int64)
        """Epochs that are done, and parts of the next one."""
        self._checkpoint = towers(joint, descent=descent, at=self._at, metrics=joint.metrics)
        self._manager = tf.train.CheckpointManager(
            self._checkpoint, str(work.checkpoints), max_to_keep=2
        )
        latest = self._manager.latest_checkpoint
        if latest:
            # Slots of shards are restored, but an assertion would look for them as tables.
            self._checkpoint.restore(latest).expect_partial()
        else:
            weights.read(str(work.start)).assert_existing_objects_matched()
            self._manager.save()

    def run(self) -> None:
        """Train until the epochs are over, or validation stops it."""
        losses = self._work.read_losses()
        done, part = (int(number) for number in self._at.numpy())
        for _ in range(done):
            self._steps.batches.on_epoch_end()
        while True:
            if part == 0 and done > len(losses.get(RETRIEVAL_LOSS, [])):
                self._validate(losses)
            if done == self._epochs or self._is_stale(losses):
                return
            self._train(done, part)
            self._steps.batches.on_epoch_end()
            done, part = done + 1, 0

    def _train(self, epoch: int, begin: int) -> None:
        """Have the rest of an epoch trained, from a part on, with checkpoints in between."""
        batches = self._steps.batches
        if begin == 0:
            self._joint.reset_metrics()
        for first in range(begin, self._parts, self._parts_between):
            numbers = range(first, min(first + self._parts_between, self._parts))
            paths = [self._work.part(epoch, number) for number in numbers]
            paths[0].parent.mkdir(exist_ok=True)
            for number, path in zip(numbers, paths, strict=True):
                rows = range(number * PART, min((number + 1) * PART, len(batches)))
                write_part(path, (batches[row] for row in rows))
                self._coordinator.schedule(self._take, args=(tf.constant(str(path)),))
            self._coordinator.join()
            over = numbers.stop == self._parts
            self._at.assign([epoch + 1, 0] if over else [epoch, numbers.stop])
            self._manager.save()
            for path in paths:
                path.unlink()

    def _validate(self, losses: dict[str, list[float]]) -> None:
        """Note the losses of the epoch that is just over, and keep the weights if they are best."""
        latest = self._manager.latest_checkpoint
        towers(self._plain).restore(latest).expect_partial()
        (mean,) = (m for m in self._joint.metrics if m.name == RETRIEVAL_LOSS)
        losses.setdefault(RETRIEVAL_LOSS, []).append(float(mean.result()))
        best = True
        if self._validation is not None:
            result = self._plain.evaluate(self._validation, verbose=0, return_dict=True)
            known = losses.setdefault(VALIDATION + RETRIEVAL_LOSS, [])
            best = not known or result[RETRIEVAL_LOSS] < min(known)
            known.append(result[RETRIEVAL_LOSS])
        if best:
            towers(self._plain).write(str(self._work.best))
        self._work.write_losses(losses)

    def _is_stale(self, losses: dict[str, list[float]]) -> bool:
        known = losses.get(VALIDATION + RETRIEVAL_LOSS, [])
        if self._steps.in_a_cycle or not known:
            return False
        return len(known) - 1 - known.index(min(known)) >= self._patience


def _partitioner(shard_bytes: int, servers: int) -> Callable[[tf.TensorShape, tf.DType], list[int]]:
    """Shard embeddings by rows; what timelines are looked up in stays whole, each on one server."""
    by_size = tf.distribute.experimental.partitioners.MinSizePartitioner(shard_bytes, servers)

    def partitions(shape: tf.TensorShape, dtype: tf.DType, **options: Any) -> list[int]:
        embeds = shape.rank == 2 and dtype.is_floating
        return by_size(shape, dtype, **options) if embeds else [1] * shape.rank

    return partitions


def _joint(data: EncodedData, model: ModelConfig, by_rows: bool = False) -> JointModel:
    """Make a model that learns retrieval, and whose other parts are as small as they can be."""
    alone = {
        "rating_weight": 0.0,
        "rating_head": "svdpp",
        "rating_output": "mean",
        "rating_embedding_size": 1,
        "rating_bag": 0,
        "rating_day_effects": False,
        "movie_words": 0,
    }
    joint = JointModel(data, model.model_copy(update=alone), by_rows)
    joint.learn([f.RETRIEVAL_TASK])
    return joint
