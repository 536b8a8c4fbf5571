"""Warm start: begin training with the champion's weights, unless they know held-out ratings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from reelflow.base import columns as f
from reelflow.base.common import send_notice
from reelflow.config import ModelConfig, SplitConfig, SplitKind
from reelflow.encoding.encoded import EncodedData, Float32, Int64
from reelflow.model import weights as w
from reelflow.model.candidates import genre_shares
from reelflow.model.champion_weights import (
    Array,
    ChampionWeights,
    TrainingRecord,
    Vocabularies,
    comparable_kind,
    further_task,
    split_settings,
)
from reelflow.model.tasks import JointModel
from reelflow.model.weights import Weight, Weights
from reelflow.saved_model.files import Kept, WarmStart

_UNCERTAIN = "whether the champion was trained on ratings that are held out now"


def leakage(champion: TrainingRecord, split: SplitConfig, data: EncodedData) -> str | None:
    """Return the reason why the champion may have been trained on ratings held out now, or None.

    Such a model has seen the answers: its metrics, and its chances at the gate, would be too good.

    `random`: the split of a rating follows from seed, shares, user and movie alone, so that a
    rating that is held out now was held out from every earlier run with the same seed and shares.
    `temporal`: all that is held out now has to be later than all that the champion was trained on,
    and the test ratings later than those by which its best epoch was chosen.
    `auto`: as `temporal` if there are times, else as `random`.
    `last`, `leave_last` and `predefined`: a rating's split depends on the other ratings, or on
    files, so that leakage cannot be excluded.

    Args:
        champion: of the champion's weights.
        split: of this run.
        data: of this run.
    """
    kind = comparable_kind(split, data)
    if kind not in (SplitKind.RANDOM, SplitKind.TEMPORAL):
        return f"split.kind = {split.kind.value!r} does not tell {_UNCERTAIN}"
    if champion.split != split_settings(split, data):
        was = ", ".join(f"{key} {value!r}" for key, value in champion.split.items())
        return f"the champion's split was another ({was}), which does not tell {_UNCERTAIN}"
    if kind is SplitKind.RANDOM:
        return None
    held_out = [part for part in (data.validation, data.test) if len(part)]
    first = min(int(part.timestamp.min()) for part in held_out)
    if first <= champion.trained_until:
        return (
            f"the champion was trained on ratings up to {_time(champion.trained_until)}, and those "
            f"since {_time(first)} are held out now"
        )
    if len(data.test) and int(data.test.timestamp.min()) <= champion.chosen_until:
        return (
            f"the champion's best epoch was chosen by ratings up to {_time(champion.chosen_until)}"
            f", and test begins at {_time(int(data.test.timestamp.min()))}"
        )
    return None


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(sep=" ", timespec="minutes")


@dataclass(frozen=True)
class WeightTransfer:
    """Gives a new model the champion's weights, row by row, and new rows a sensible beginning."""

    champion: ChampionWeights
    vocabularies: Vocabularies
    """Of this run."""
    genres: Float32
    """Rows that sum to 1 over a movie's genres, float32 [movies, genres]."""

    @classmethod
    def of(
        cls, champion: ChampionWeights, vocabularies: Vocabularies, data: EncodedData
    ) -> WeightTransfer:
        """Prepare the transfer to a model of `data`."""
        shares = genre_shares(data.catalogue, data.sizes.genres).numpy()
        return cls(champion, vocabularies, shares)

    def on(self, data: EncodedData) -> WeightTransfer:
        """Return the transfer to a model of the same users and movies on other ratings."""
        users = self.vocabularies.words[w.USERS]
        return WeightTransfer.of(self.champion, Vocabularies.of(data, users), data)

    def mismatches(self, joint: JointModel) -> dict[str, str]:
        """Return the tasks that cannot start with the champion's weights, with the reasons.

        A task takes over either all of its weights or none: tables that were learned together make
        no sense apart.
        """
        build(joint)
        reasons = {
            task: _mismatch(weights, self.champion.weights.get(task))
            for task, weights in joint.named_weights().items()
        }
        return {task: reason for task, reason in reasons.items() if reason is not None}

    def apply(self, joint: JointModel, member: int = 0) -> list[str]:
        """Give an untrained model the champion's weights, task by task, if they fit.

        Args:
            joint: the untrained model.
            member: 0, or the number of the further seed that this rating model has.

        Returns:
            The tasks that start with the champion's weights.
        """
        build(joint)
        warm = []
        for task, weights in joint.named_weights().items():
            source = further_task(member) if member and task == f.RATING_TASK else task
            values = self.champion.weights.get(source)
            if values is None or _mismatch(weights, values) is not None:
                continue
            for name, weight in weights.items():
                weight.variable.assign(self.value(weight, values[name]))
            warm.append(task)
        return warm

    def shrink(self, joint: JointModel, tasks: Sequence[str], share: float) -> None:
        """Shrink all vectors but the users', so that the model can still learn.

        Weights that were trained to their end fit the old ratings so well that further epochs
        overfit them before the new ones are learned (Ash & Adams 2020, "On warm-starting neural
        network training", whose remedy this is, without their noise). A score is a product of a
        user's and a movie's side, so it is enough to shrink one, and validation prefers the movies'
        (ADR 17). Directions stay, and with them similarities; so do biases, one number each, which
        hardly overfit.

        Args:
            joint: with the champion's weights.
            tasks: those that start with them.
            share: factor of these vectors, above 0 and at most 1.
        """
        named = joint.named_weights()
        for weight in (weight for task in tasks for weight in named[task].values()):
            if weight.rows not in (None, w.USERS) and weight.variable.shape[1] > 1:
                weight.variable.assign(share * weight.variable)

    def value(self, weight: Weight, old: Array) -> Array:
        """Return a table of this run with the champion's rows moved to their new places.

        A new movie begins at the mean of the kept movies of its genres, a new user at the unknown
        user's row, or else at the mean of all; plus the noise of a fresh table, so that two new
        rows differ. Day effects of new days begin at 0.

        Args:
            weight: of this run, as initialised.
            old: the champion's value.
        """
        fresh: Array = weight.variable.numpy()
        if weight.rows is None:
            return old
        matches = self._matches(weight.rows, len(fresh), len(old))
        kept = matches >= 0
        columns = self._columns(weight, fresh, old)
        value = fresh.copy()
        value[kept] = columns[matches[kept]]
        value[~kept] += self._beginnings(weight, value, kept)[~kept]
        return value

    def kept(self) -> dict[str, Kept]:
        """Count the users and movies that keep their vectors, and the new ones."""
        counts = {}
        for name in (w.USERS, w.MOVIES):
            now, before = (
                len(of.words[name]) for of in (self.vocabularies, self.champion.vocabularies)
            )
            kept = int((self._matches(name, now, before) >= 0).sum())
            counts[name] = Kept(kept=kept, new=now - kept)
        return counts

    def _matches(self, name: str, rows: int, old_rows: int) -> Int64:
        return self.vocabularies.earlier_rows(name, rows, self.champion.vocabularies, old_rows)

    def _columns(self, weight: Weight, fresh: Array, old: Array) -> Array:
        """Put the columns of the champion's table in this run's order; new ones are 0."""
        if weight.columns is None:
            return old
        matches = self._matches(weight.columns, fresh.shape[1], old.shape[1])
        return np.where(matches >= 0, old[:, matches], np.float32(0))

    def _beginnings(self, weight: Weight, value: Array, kept: np.ndarray[Any, Any]) -> Array:
        """Return the values that rows begin at if they are new, broadcastable to the table."""
        if weight.rows is None or weight.rows in (w.USER_DAYS, w.MOVIE_BINS):
            return np.zeros_like(value)
        if weight.has_unknown_row and kept[-1]:
            return np.broadcast_to(value[-1], value.shape)
        named = len(self.vocabularies.words[weight.rows])  # without the unknown row, if any
        if not kept[:named].any():
            return np.zeros_like(value)
        mean = np.broadcast_to(value[:named][kept[:named]].mean(axis=0), value.shape)
        if weight.rows != w.MOVIES:
            return mean
        movies = len(self.genres)
        shares = self.genres * kept[:movies, None]
        totals = shares.sum(axis=0)
        known = totals > 0
        genre_means = (shares.T @ value[:movies])[known] / totals[known, None]
        coverage = self.genres[:, known].sum(axis=1, keepdims=True)
        beginnings = np.array(mean)
        near = self.genres[:, known] @ genre_means / np.maximum(coverage, 1e-9)
        beginnings[:movies] = np.where(coverage > 0, near, beginnings[:movies])
        return beginnings


def own_weights(joint: JointModel, data: EncodedData, later: EncodedData) -> WeightTransfer:
    """Return the transfer of a trained model's weights to one of the same users and movies.

    Args:
        joint: trained on `data`.
        data: its ratings.
        later: those of the model to come.
    """
    users = [str(user) for user in range(data.sizes.users)]
    before, after = (Vocabularies.of(one, users) for one in (data, later))
    weights = ChampionWeights.of(joint, before, TrainingRecord({}, 0, 0))
    return WeightTransfer.of(weights, after, later)


def build(joint: JointModel) -> None:
    """Create the weights that Keras creates at the first call only."""
    zeros = tf.zeros([1], tf.int32)
    joint.query(zeros, tf.zeros([1], tf.int64))
    joint.candidate_tower.catalogue()
    joint.rating_model(zeros, zeros, tf.zeros([1], tf.int64))


def _mismatch(weights: Weights, old: Mapping[str, Array] | None) -> str | None:
    """Return the reason why the champion's weights do not fit, or None if they do."""
    if old is None:
        return "the champion was not trained on this task"
    if differing := sorted(weights.keys() ^ old.keys()):
        return f"champion and model differ in {', '.join(differing)}"
    for name, weight in weights.items():
        if weight.rows == w.UNNAMED:
            return f"the words of {name} are not kept with the weights"
        now, before = tuple(weight.variable.shape), old[name].shape
        if weight.rows is not None:
            now, before = now[1:], before[1:]
        if weight.columns is None and now != before:
            return f"{name} is {_shape(before)} in the champion and {_shape(now)} in this model"
    return None


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) + " wide"


@dataclass(frozen=True)
class StartPlan:
    """The decision for a warm or a cold start."""

    vocabularies: Vocabularies
    record: TrainingRecord
    transfer: WeightTransfer | None = None
    """Gives the model its first weights; None for a cold start."""
    cold_reason: str | None = None
    """The reason for a cold start."""
    cold_tasks: Mapping[str, str] | None = None
    """Tasks that start cold in a warm start, with the reasons."""

    def info(self) -> WarmStart:
        """Return the content of `warm_start` in `model.json`."""
        if self.transfer is None:
            return WarmStart(warm=False, reason=self.cold_reason)
        kept = self.transfer.kept()
        return WarmStart(
            warm=True,
            cold_tasks=dict(self.cold_tasks or {}),
            users=kept[w.USERS],
            movies=kept[w.MOVIES],
        )

    def message(self) -> str:
        """Return the decision in a sentence or two."""
        if self.transfer is None:
            return f"Cold start: {self.cold_reason}."
        kept = self.transfer.kept()
        users, movies = (
            f"{kept[name].kept:,} of {kept[name].kept + kept[name].new:,}"
            for name in (w.USERS, w.MOVIES)
        )
        cold = "".join(
            f" The task {task} starts cold: {reason}."
            for task, reason in sorted((self.cold_tasks or {}).items())
        )
        return f"Warm start: {users} users and {movies} movies keep their vectors.{cold}"

    def save_weights(self, joint: JointModel, saved_model: Path) -> None:
        """Write the trained weights beside the exported model, for the next run to start with."""
        ChampionWeights.of(joint, self.vocabularies, self.record).save(saved_model)


def plan_start(
    saved_model: Path | None,
    data: EncodedData,
    users: list[str],
    model: ModelConfig,
    split: SplitConfig,
) -> StartPlan:
    """Decide by the champion's weights how a run starts, and send the decision as a notice.

    Args:
        saved_model: the champion's folder; None if there is no champion.
        data: of this run.
        users: the user vocabulary, in order.
        model: the section `model`.
        split: the section `split`.
    """
    plan = _plan(saved_model, data, users, model, split)
    send_notice(plan.message())
    logging.info(plan.message())
    return plan


def _plan(
    saved_model: Path | None,
    data: EncodedData,
    users: list[str],
    model: ModelConfig,
    split: SplitConfig,
) -> StartPlan:
    vocabularies, record = Vocabularies.of(data, users), TrainingRecord.of(split, data)

    def cold(reason: str) -> StartPlan:
        return StartPlan(vocabularies, record, cold_reason=reason)

    if saved_model is None:
        return cold("there is no champion")
    champion = ChampionWeights.load(saved_model)
    if champion is None:
        return cold("the champion was trained without train.warm_start and has left no weights")
    reason = leakage(champion.record, split, data)
    if reason is not None:
        return cold(reason)
    transfer = WeightTransfer.of(champion, vocabularies, data)
    joint = JointModel(data, model)
    mismatches = transfer.mismatches(joint)
    if mismatches.keys() == joint.named_weights().keys():
        return cold("; ".join(mismatches.values()))
    record = record.on_top_of(champion.record)
    return StartPlan(vocabularies, record, transfer, cold_tasks=mismatches)
