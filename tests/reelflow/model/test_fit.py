"""Training: the provable answer is learned, by seed, and the best weights are kept."""

from __future__ import annotations

import gc
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.func_graph import FuncGraph

from reelflow.base.errors import BadInput, ReelflowError
from reelflow.config import ModelConfig, TrainConfig
from reelflow.model.fit import BestWeights, fit
from reelflow.model.ranking import mask
from reelflow.model.tasks import RATING_LOSS, RETRIEVAL_LOSS, JointModel
from tests.encoded_data import Checkerboard, Movie, Row, checkerboard, colour, encoded, random_rows
from tests.reelflow.trained import MODEL, TRAIN

if TYPE_CHECKING:
    from tests.reelflow.trained import Trained


def assert_solved(board: Checkerboard, joint: JointModel) -> None:
    """Every user's first places are exactly the movies of its colour that it has not rated."""
    users = tf.range(len(board.users))
    queries = joint.query(users, joint.timelines.ends_now(users))
    scores = tf.matmul(queries, joint.candidate_tower.catalogue(), transpose_b=True)
    scores = mask(scores, joint.timelines.seen(users)).numpy()
    for user, row in zip(board.users, scores, strict=True):
        answers = board.right_answers(user)
        best = np.argsort(-row)[: len(answers)]
        assert {board.movies[movie].movie_id for movie in best} == answers, user


def test_the_checkerboard_is_learned(model: Trained) -> None:
    assert_solved(model.board, model.joint)
    losses = model.history[f"val_{RETRIEVAL_LOSS}"]
    # Three movies are left for each user and nothing tells them apart.
    assert min(losses) == pytest.approx(np.log(3), abs=0.2)
    assert min(losses) < losses[0] - 1


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["full_softmax", "in_batch_softmax"])
def test_nothing_of_a_training_stays_in_memory(loss: str, tmp_path: Path) -> None:
    data = encoded(random_rows(60, 3))
    before = _training_graphs()
    fit(data, ModelConfig(embedding_size=4, loss=loss), TrainConfig(epochs=1), tmp_path)
    gc.collect()
    assert all(any(graph is known for known in before) for graph in _training_graphs())


def _training_graphs() -> list[FuncGraph]:
    graphs = (graph for graph in gc.get_objects() if isinstance(graph, FuncGraph))
    return [graph for graph in graphs if graph.name in ("train_function", "test_function")]


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"query": "user_id"},
        {"query": "history"},
        {"mask_seen": False},
        {"loss": "in_batch_softmax"},
        {"loss": "bpr", "negative_count": 4},
        {"loss": "bpr", "negatives": "popularity", "negative_count": 4, "mask_seen": False},
        {"query_layers": (16, 8), "candidate_layers": (16, 8), "tower_l2": 1e-4},
        {"temperature": 0.5},
    ],
    ids=str,
)
def test_every_variant_learns_the_checkerboard(change: dict[str, Any], tmp_path: Path) -> None:
    board = checkerboard()
    config = MODEL.model_copy(update={**change, "rating_weight": 0.0})
    joint, _ = fit(board.data, config, TRAIN, tmp_path)
    assert_solved(board, joint)


def test_movies_that_nobody_rated_rank_by_their_genre(tmp_path: Path) -> None:
    """Users of one colour turn to comedies, the others to dramas; two movies of each are new."""
    board = checkerboard()
    genre = ("Comedy", "Drama")
    new = [Movie(f"m{20 + m:02d}", (genre[m % 2],)) for m in range(4)]
    movies = [*(Movie(x.movie_id, (genre[colour(x.movie_id)],)) for x in board.movies), *new]
    data = encoded(board.train, board.validation, movies=movies)
    config = MODEL.model_copy(update={"rating_weight": 0.0, "year": False})
    joint, _ = fit(data, config, TRAIN, tmp_path)
    users = tf.range(len(board.users))
    queries = joint.query(users, joint.timelines.ends_now(users))
    scores = tf.matmul(queries, joint.candidate_tower.catalogue(), transpose_b=True).numpy()
    for user, row in enumerate(scores[:, 20:]):
        own = np.arange(4) % 2 == user % 2
        assert row[own].min() > row[~own].max()


def test_stars_of_the_checkerboard_are_learned(model: Trained) -> None:
    users, movies = (grid.ravel() for grid in np.mgrid[: len(model.board.users), :20])
    stars = model.joint.frozen_ratings().stars(tf.constant(users), tf.constant(movies)).numpy()
    own = (users + movies) % 2 == 0
    first = movies < 10
    assert stars[own & first].min() > 4
    assert stars[own & ~first].max() < 3


@pytest.mark.slow
def test_taste_is_learned(tmp_path: Path) -> None:
    """5 stars within a colour, 1 star across: no bias can tell, only the factors."""
    random = np.random.default_rng(0)
    rows: list[Row] = [
        (f"u{u:02d}", f"m{m:02d}", 5.0 if u % 2 == m % 2 else 1.0, 1) for u, m in np.ndindex(24, 20)
    ]
    order = random.permutation(len(rows))
    train, held_out = ([rows[i] for i in part] for part in (order[:360], order[360:]))
    data = encoded(train, held_out)
    config = ModelConfig(retrieval_weight=0, rating_embedding_size=4)
    joint, _ = fit(data, config, TRAIN.model_copy(update={"epochs": 60}), tmp_path)
    for user, movie, stars, _ in held_out:
        pair = tf.constant([int(user[1:])]), tf.constant([int(movie[1:])])
        assert float(joint.frozen_ratings().stars(*pair)[0]) == pytest.approx(stars, abs=1.5)
        assert (stars == 5.0) is (colour(user) == colour(movie))


def test_a_loop_of_steps_is_the_same_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last return to Python is after fewer steps than the others."""
    config = MODEL.model_copy(update={"rating_weight": 0.0})
    train, data = TRAIN.model_copy(update={"epochs": 2}), checkerboard().data
    runs = []
    for steps in (1, 3):
        monkeypatch.setattr("reelflow.model.fit.STEPS", steps)
        runs.append(fit(data, config, train, tmp_path / str(steps)))
    (single, history), (looped, history_of_loop) = runs
    assert history_of_loop == history
    for one, other in zip(looped.trainable_weights, single.trainable_weights, strict=True):
        np.testing.assert_array_equal(one, other)


def _weights(seed: int, logs: Path) -> list[np.ndarray]:
    train = TrainConfig(seeds=1, epochs=2, batch_size=16, seed=seed)
    joint, history = fit(checkerboard(8, 12).data, MODEL, train, logs)
    assert {RETRIEVAL_LOSS, RATING_LOSS, f"val_{RETRIEVAL_LOSS}"} <= set(history)
    for task in ("rating", "retrieval"):
        assert {path.name for path in (logs / task).iterdir()} == {"train", "validation"}
    return [weight.numpy() for weight in joint.trainable_weights]


def test_the_seed_decides_the_weights(tmp_path: Path) -> None:
    first, again, other = (_weights(seed, tmp_path / str(i)) for i, seed in enumerate((1, 1, 2)))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_nothing_but_unknown_ids_is_bad_input(tmp_path: Path) -> None:
    rows: list[Row] = [("a", "lost", 3.0, 1), ("b", "gone", 3.0, 2)]
    with pytest.raises(BadInput, match="out of vocabulary"):
        fit(encoded(rows, movies=["m0"]), MODEL, TRAIN, tmp_path)


def test_without_a_validation_split_training_goes_on_to_the_end(tmp_path: Path) -> None:
    """And a train rating of a movie that the catalogue lacks does no harm."""
    rows: list[Row] = [*random_rows(30, 0), ("u1", "lost", 3.0, 2)]
    data = encoded(rows, movies=[f"m{i:02d}" for i in range(14)])
    _, history = fit(data, MODEL, TrainConfig(seeds=1, epochs=3, patience=1), tmp_path)
    assert list(history) == [RETRIEVAL_LOSS, RATING_LOSS]
    assert all(len(losses) == 3 and np.isfinite(losses).all() for losses in history.values())


def test_a_history_query_needs_timestamps(tmp_path: Path) -> None:
    rows: list[Row] = [(u, m, s, None) for u, m, s, _ in random_rows(30, 0)]
    with pytest.raises(BadInput, match="need timestamps"):
        fit(
            encoded(rows),
            MODEL.model_copy(update={"query": "history", "query_bag": False}),
            TRAIN,
            tmp_path,
        )


class _Epochs:
    """A stand-in for Keras: one weight, and a loss by epoch."""

    def __init__(self, patience: int) -> None:
        self.weight = tf.Variable(0.0)
        self.model: Any = SimpleNamespace(trainable_weights=[self.weight], stop_training=False)
        self.best = BestWeights(RATING_LOSS, patience)
        self.best.set_model(self.model)

    def run(self, losses: list[float]) -> float:
        """The weight after training; in epoch i it is i."""
        for epoch, loss in enumerate(losses):
            self.best.on_epoch_begin(epoch)
            self.weight.assign(epoch)
            self.best.on_epoch_end(epoch, {"loss": 0.0, f"val_{RATING_LOSS}": loss})
            if self.model.stop_training:
                break
        self.epochs = epoch + 1
        self.best.on_train_end()
        return float(self.weight)


def test_the_best_epoch_is_kept() -> None:
    epochs = _Epochs(patience=9)
    assert epochs.run([3, 2, 1, 2, 3]) == 2
    assert epochs.best.epoch == 3
    epochs = _Epochs(patience=9)
    assert epochs.run([3, 2, 1]) == 2
    assert epochs.best.epoch == 3


def test_the_weights_of_a_warm_start_may_stay_the_best() -> None:
    epochs = _Epochs(patience=9)
    epochs.weight.assign(7)
    epochs.best.start_with(epochs.model, 2.5)
    assert epochs.run([4, 3, 5]) == 7
    assert epochs.best.epoch == 0


def test_training_stops_when_the_loss_gets_no_better() -> None:
    epochs = _Epochs(patience=2)
    assert epochs.run([3, 3, 2, 4, 4, 1]) == 2
    assert epochs.epochs == 5


def test_a_loss_that_is_no_number_is_never_the_best() -> None:
    nan = float("nan")
    assert _Epochs(patience=9).run([nan, 1, nan]) == 1
    never = _Epochs(patience=9)
    assert never.run([nan, nan]) == 1
    assert never.best.epoch is None


def test_each_task_stops_by_itself(tmp_path: Path) -> None:
    """A rating task that gets no better from its first epoch on does not wait for retrieval's."""
    train = TRAIN.model_copy(update={"epochs": 6, "patience": 2, "rating_learning_rate": 1e-12})
    _, history = fit(checkerboard().data, MODEL, train, tmp_path)
    assert len(history[RATING_LOSS]) < len(history[RETRIEVAL_LOSS]) == 6
    assert all(
        len(history[f"val_{name}"]) == len(history[name]) for name in (RATING_LOSS, RETRIEVAL_LOSS)
    )


@pytest.mark.parametrize(
    ("tasks", "key", "loss"),
    [
        ({"rating_weight": 0.0}, "learning_rate", "retrieval loss"),
        ({"retrieval_weight": 0.0}, "rating_learning_rate", "rating loss"),
    ],
    ids=["retrieval", "rating"],
)
def test_a_diverged_loss_stops_and_names_its_learning_rate(
    tasks: dict[str, float], key: str, loss: str, tmp_path: Path
) -> None:
    train = TRAIN.model_copy(update={key: 1e30, "epochs": 4, "patience": 4})
    with pytest.raises(ReelflowError) as error:
        fit(checkerboard().data, MODEL.model_copy(update=tasks), train, tmp_path)
    assert f"The {loss} is" in error.value.message
    assert f"training has diverged with train.{key} = 1e+30." in error.value.message
    assert error.value.remedy == f"Lower train.{key}, for example to 1e+29."
