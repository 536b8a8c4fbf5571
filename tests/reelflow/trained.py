"""A checkerboard model, trained and exported once for all tests that look at models."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path

from reelflow.config import ModelConfig, TrainConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.export import export
from reelflow.model.fit import History, fit
from reelflow.model.mixing import choose
from reelflow.model.rating import bayesian_ratings, draws
from reelflow.model.signatures import ServingModel
from reelflow.model.stages import Mixture
from reelflow.model.stars import like_threshold
from reelflow.model.tasks import JointModel
from reelflow.saved_model.files import ModelInfo
from tests.encoded_data import Checkerboard, checkerboard

MODEL = ModelConfig(
    embedding_size=8, rating_embedding_size=4, history_stars=True, query_dropout=0.5
)
TRAIN = TrainConfig(
    seeds=1,
    epochs=30,
    learning_rate=0.02,
    rating_learning_rate=0.02,
    rating_decay=1.0,
    batch_size=64,
    patience=5,
)
INFO = ModelInfo(users=24, tuned={"model.embedding_size": 8})


@dataclass(frozen=True)
class Trained:
    """A model and what it was trained on."""

    board: Checkerboard
    data: EncodedData
    joint: JointModel
    mixture: Mixture
    serving: ServingModel
    history: History


@functools.cache
def trained() -> Trained:
    """Both tasks, trained on the checkerboard; not to be changed."""
    board = checkerboard()
    data = board.data
    with tempfile.TemporaryDirectory() as logs:
        joint, history = fit(data, MODEL, TRAIN, Path(logs))
    count = draws(MODEL, len(data.train))
    joint.bayesian_ratings = bayesian_ratings(data, MODEL, count, TRAIN.seed)
    threshold = like_threshold(data.train.rating, MODEL)
    mixture = choose(joint, data, board.users, MODEL, TRAIN, threshold).mixture
    serving = ServingModel(joint, data, board.users, mixture, MODEL)
    return Trained(board, data, joint, mixture, serving, history)


def export_to(folder: Path) -> Path:
    """Export the trained model."""
    model = trained()
    export(model.serving, model.data, model.board.users, INFO, folder)
    return folder
