"""Initial weights: the champion's vectors where it has them, a sensible place for the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from reelflow.base import columns as f
from reelflow.base.notices import send_notice
from reelflow.config import ModelConfig, SplitConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model import weights as w
from reelflow.model.tasks import JointModel
from reelflow.model.towers import genre_shares
from reelflow.model.warm_champion import Array, Champion, Knowledge, Places, Rows, further, leak
from reelflow.model.weights import Weight, Weights
from reelflow.saved_model.files import Kept, WarmStart

Table = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Start:
    """A champion and the run that begins with it."""

    champion: Champion
    rows: Rows
    """Of this run."""
    genres: Table
    """Rows that sum to 1 over a movie's genres, float32 [movies, genres]."""

    @classmethod
    def of(cls, champion: Champion, rows: Rows, data: EncodedData) -> Start:
        """Of a run on these data."""
        return cls(champion, rows, genre_shares(data.catalogue, data.sizes.genres).numpy())

    def on(self, data: EncodedData) -> Start:
        """The same start for a model of the same users and movies on other ratings of theirs."""
        return Start.of(self.champion, Rows.of(data, self.rows.words[w.USERS]), data)

    def misfits(self, joint: JointModel) -> dict[str, str]:
        """Tasks that cannot begin with the champion's weights, and why, in words.

        A task either takes all of its weights over or none: tables that were learned together
        make no sense apart.
        """
        build(joint)
        found = {}
        for task, weights in joint.named_weights().items():
            reason = _misfit(weights, self.champion.weights.get(task))
            if reason:
                found[task] = reason
        return found

    def begin(self, joint: JointModel, member: int = 0) -> list[str]:
        """Give a new model the champion's weights where they fit.

        Args:
            joint: untrained.
            member: 0, or the number of the further seed whose rating model this is.

        Returns:
            The tasks that begin with them.
        """
        build(joint)
        begun = []
        for task, weights in joint.named_weights().items():
            theirs = further(member) if member and task == f.RATING_TASK else task
            old = self.champion.weights.get(theirs)
            if old is None or _misfit(weights, old):
                continue
            for name, weight in weights.items():
                weight.variable.assign(self.moved(weight, old[name]))
            begun.append(task)
        return begun

    def loosen(self, joint: JointModel, tasks: Sequence[str], share: float) -> None:
        """Shrink all vectors but the users' that a model has begun with, so that it still learns.

        Weights that were trained to their end fit the old ratings so well that further epochs
        overfit them before the new ones are learned (Ash & Adams 2020, "On warm-starting neural
        network training", whose remedy this is, without their noise). A score is a product of a
        user's and a movie's side, so it is enough to shrink one, and validation prefers the movies'
        (ADR 17). Directions stay as they are, so that what is alike stays alike; so do biases, one
        number each, which hardly overfit.

        Args:
            joint: with the champion's weights.
            tasks: those that begin with them.
            share: what is left of each of these vectors, above 0 and at most 1.
        """
        named = joint.named_weights()
        for weight in (weight for task in tasks for weight in named[task].values()):
            if weight.rows not in (None, w.USERS) and weight.variable.shape[1] > 1:
                weight.variable.assign(share * weight.variable)

    def moved(self, weight: Weight, old: Array) -> Array:
        """A table of this run's with the champion's rows where they belong now.

        A new movie begins at the mean of the kept movies of its genres, a new user where strangers
        were, or else at the mean of all; with the noise of a fresh table, so that two new ones
        differ. Day effects of new days begin at nothing.

        Args:
            weight: of this run, as initialised.
            old: the champion's value.
        """
        fresh: Array = weight.variable.numpy()
        if weight.rows is None:
            return old
        places = self.places(weight.rows, len(fresh), len(old))
        kept = places >= 0
        columns = self._columns(weight, fresh, old)
        moved = fresh.copy()
        moved[kept] = columns[places[kept]]
        moved[~kept] += self._newcomers(weight, moved, kept)[~kept]
        return moved

    def places(self, kind: str, rows: int, old_rows: int) -> Places:
        """As `Rows.places`."""
        return self.rows.places(kind, rows, self.champion.rows, old_rows)

    def kept(self) -> dict[str, dict[str, int]]:
        """How many users and movies keep what was learned of them, and how many are new."""
        counts = {}
        for kind in (w.USERS, w.MOVIES):
            now, before = (len(rows.words[kind]) for rows in (self.rows, self.champion.rows))
            kept = int((self.places(kind, now, before) >= 0).sum())
            counts[kind] = {"kept": kept, "new": now - kept}
        return counts

    def _columns(self, weight: Weight, fresh: Array, old: Array) -> Array:
        """The champion's table with its columns in this run's order; new ones are 0."""
        if weight.columns is None:
            return old
        places = self.places(weight.columns, fresh.shape[1], old.shape[1])
        return np.where(places >= 0, old[:, places], np.float32(0))

    def _newcomers(self, weight: Weight, moved: Array, kept: np.ndarray[Any, Any]) -> Array:
        """Where each row would begin if it were new, broadcastable to the table."""
        if weight.rows is None or weight.rows in (w.USER_DAYS, w.MOVIE_BINS):
            return np.zeros_like(moved)
        if weight.has_unknown_row and kept[-1]:
            return np.broadcast_to(moved[-1], moved.shape)
        named = len(self.rows.words[weight.rows])  # without the stranger's row, if there is one
        if not kept[:named].any():
            return np.zeros_like(moved)
        everybody = np.broadcast_to(moved[:named][kept[:named]].mean(axis=0), moved.shape)
        if weight.rows != w.MOVIES:
            return everybody
        movies = len(self.genres)
        shares = self.genres * kept[:movies, None]
        totals = shares.sum(axis=0)
        known = totals > 0
        means = (shares.T @ moved[:movies])[known] / totals[known, None]
        coverage = self.genres[:, known].sum(axis=1, keepdims=True)
        begin = np.array(everybody)
        near = self.genres[:, known] @ means / np.maximum(coverage, 1e-9)
        begin[:movies] = np.where(coverage > 0, near, begin[:movies])
        return begin


def build(joint: JointModel) -> None:
    """Make the weights that Keras only makes at the first call."""
    nobody = tf.zeros([1], tf.int32)
    joint.query(nobody, tf.zeros([1], tf.int64))
    joint.candidate_tower.catalogue()
    joint.rating_model(nobody, nobody, tf.zeros([1], tf.int64))


def _misfit(weights: Weights, old: Mapping[str, Array] | None) -> str:
    """Why the champion's weights do not fit, or nothing."""
    if old is None:
        return "the champion was not trained on this task"
    if differing := sorted(weights.keys() ^ old.keys()):
        return f"champion and model differ in {', '.join(differing)}"
    for name, weight in weights.items():
        now, before = tuple(weight.variable.shape), old[name].shape
        if weight.rows is not None:
            now, before = now[1:], before[1:]
        if weight.columns is None and now != before:
            return f"{name} is {_shape(before)} in the champion and {_shape(now)} in this model"
    return ""


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) + " wide"


# Whether a run can begin with its champion's weights, and what there is to say of it.


@dataclass(frozen=True)
class Beginning:
    """How a model began."""

    rows: Rows
    knowledge: Knowledge
    start: Start | None = None
    why_cold: str = ""
    """Why there is no start, in words."""
    misfits: Mapping[str, str] | None = None
    """Tasks that begin cold nonetheless, and why."""

    def info(self) -> WarmStart:
        """The content of `warm_start` in `model.json`."""
        if self.start is None:
            return WarmStart(warm=False, reason=self.why_cold)
        kept = self.start.kept()
        return WarmStart(
            warm=True,
            cold_tasks=dict(self.misfits or {}),
            users=Kept(**kept[w.USERS]),
            movies=Kept(**kept[w.MOVIES]),
        )

    def sentence(self) -> str:
        """What to tell whoever waits."""
        if self.start is None:
            return f"Cold start: {self.why_cold}."
        kept = self.start.kept()
        users, movies = (
            f"{kept[kind]['kept']:,} of {sum(kept[kind].values()):,}"
            for kind in (w.USERS, w.MOVIES)
        )
        cold = "".join(f" The task {task} starts cold: {why}." for task, why in self._cold())
        return f"Warm start: {users} users and {movies} movies keep their vectors.{cold}"

    def keep(self, joint: JointModel, saved_model: Path) -> None:
        """Leave the trained weights with the exported model, for the next run to begin with."""
        Champion.of(joint, self.rows, self.knowledge).save(saved_model)

    def _cold(self) -> list[tuple[str, str]]:
        return sorted((self.misfits or {}).items())


def find_beginning(
    saved_model: Path | None,
    data: EncodedData,
    users: list[str],
    model: ModelConfig,
    split: SplitConfig,
) -> Beginning:
    """Look at the champion and says how the run will begin.

    Args:
        saved_model: the champion's folder; none if there is no champion.
        data: of this run.
        users: the user vocabulary, in order.
        model: the section `model`.
        split: the section `split`.
    """
    rows, knowledge = Rows.of(data, users), Knowledge.of(split, data)

    def cold(reason: str) -> Beginning:
        return Beginning(rows, knowledge, why_cold=reason)

    champion = None if saved_model is None else Champion.load(saved_model)
    if saved_model is None:
        found = cold("there is no champion")
    elif champion is None:
        found = cold("the champion was trained without train.warm_start and has left no weights")
    elif (reason := leak(champion.knowledge, split, data)) is not None:
        found = cold(reason)
    else:
        start = Start.of(champion, rows, data)
        joint = JointModel(data, model)
        misfits = start.misfits(joint)
        if misfits.keys() == joint.named_weights().keys():
            found = cold("; ".join(misfits.values()))
        else:
            known = knowledge.on_top_of(champion.knowledge)
            found = Beginning(rows, known, start, misfits=misfits)
    send_notice(found.sentence())
    logging.info(found.sentence())
    return found
