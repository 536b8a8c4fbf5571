"""Transform as TFX's recommenders tutorial has it: vocabularies learned, ids passed on as text."""

import tensorflow as tf
import tensorflow_transform as tft

from benchmarks.stock.columns import MOVIE, MOVIE_VOCABULARY, RATING, USER, USER_VOCABULARY


def preprocessing_fn(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Dense columns [batch, 1] to text ids and the stars."""
    users, movies = tf.strings.as_string(inputs[USER]), tf.strings.as_string(inputs[MOVIE])
    tft.vocabulary(users, vocab_filename=USER_VOCABULARY)
    tft.vocabulary(movies, vocab_filename=MOVIE_VOCABULARY)
    return {USER: users, MOVIE: movies, RATING: tf.cast(inputs[RATING], tf.float32)}
