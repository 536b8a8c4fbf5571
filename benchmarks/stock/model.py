"""The joint model of the TFRS multi-task tutorial, on movie ids."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_recommenders as tfrs
import tf_keras as keras

from benchmarks.stock.columns import MOVIE, RATING, USER

SIZE = 32
BATCH = 8192
CANDIDATE_BATCH = 128
LEARNING_RATE = 0.1


class TutorialModel(tfrs.Model):
    """String lookups and embeddings in both towers, in-batch softmax, an MLP for the stars."""

    def __init__(
        self, users: list[str], movies: list[str], metric: bool, rating: bool = True
    ) -> None:
        """Make the model.

        Args:
            users, movies: vocabularies.
            metric: compute FactorizedTopK at every step, as the tutorial does.
            rating: learn the stars as well (the multi-task tutorial); without it this is the model
                of the retrieval tutorial.
        """
        super().__init__()
        self.user_model = _tower(users)
        self.movie_model = _tower(movies)
        self.rating_model = keras.Sequential(
            [
                keras.layers.Dense(256, activation="relu"),
                keras.layers.Dense(128, activation="relu"),
                keras.layers.Dense(1),
            ]
        )
        candidates = tf.data.Dataset.from_tensor_slices(movies).batch(CANDIDATE_BATCH)
        self._retrieval = tfrs.tasks.Retrieval(
            metrics=tfrs.metrics.FactorizedTopK(candidates=candidates.map(self.movie_model))
            if metric
            else None
        )
        self._rating = rating
        self._ranking = tfrs.tasks.Ranking(
            loss=keras.losses.MeanSquaredError(), metrics=[keras.metrics.RootMeanSquaredError()]
        )

    def call(self, inputs: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Embeddings of users and movies, and stars, of ids [batch]."""
        user, movie = self.user_model(inputs[USER]), self.movie_model(inputs[MOVIE])
        return user, movie, self.rating_model(tf.concat([user, movie], axis=1))

    def compute_loss(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """The tutorial's sum of both tasks, each of weight 1."""
        user, movie, stars = self(inputs)
        loss = self._retrieval(user, movie)
        if self._rating:
            loss += self._ranking(labels=inputs[RATING], predictions=stars)
        return loss


def compiled(
    users: list[str], movies: list[str], metric: bool, rating: bool = True
) -> TutorialModel:
    """The model with the tutorial's optimizer."""
    model = TutorialModel(users, movies, metric, rating)
    model.compile(optimizer=keras.optimizers.Adagrad(LEARNING_RATE))
    return model


def _tower(words: list[str]) -> keras.Sequential:
    return keras.Sequential(
        [
            keras.layers.StringLookup(vocabulary=words, mask_token=None),
            keras.layers.Embedding(len(words) + 1, SIZE),
        ]
    )
