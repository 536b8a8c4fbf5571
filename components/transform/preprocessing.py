"""The preprocessing graph: canonical columns to integers and floats.

TFX's Transform learns it from the `catalogue` artifact: every film once, every train user once
with the first and last train timestamp. Vocabularies and the range of days are therefore exact, at
a cost that does not depend on the number of ratings (docs/adr/0006).
"""

import tensorflow as tf
import tensorflow_transform as tft

from components.trainer import features as f

SECONDS_PER_DAY = 86_400.0


@tf.autograph.experimental.do_not_convert  # nothing in it depends on a tensor's value
def preprocessing_fn(inputs: dict[str, tf.SparseTensor]) -> dict[str, tf.SparseTensor]:
    """Maps sparse raw columns [batch, 0 to n values] to sparse encoded columns.

    An unknown user or film gets the vocabulary's size (the out-of-vocabulary bucket).
    """
    return {
        f.USER_INDEX: _index(inputs[f.USER_ID], f.USER_VOCABULARY),
        f.MOVIE_INDEX: _index(inputs[f.MOVIE_ID], f.MOVIE_VOCABULARY),
        f.GENRE_INDICES: _index(inputs[f.GENRES], f.GENRE_VOCABULARY),
        f.YEAR_SCALED: tft.scale_to_z_score(_floats(inputs[f.YEAR])),
        f.DAY: _days(inputs[f.TIMESTAMP]),
    }


def _index(values: tf.SparseTensor, vocabulary: str) -> tf.SparseTensor:
    return tft.compute_and_apply_vocabulary(values, num_oov_buckets=1, vocab_filename=vocabulary)


def _floats(values: tf.SparseTensor) -> tf.SparseTensor:
    return tf.SparseTensor(values.indices, tf.cast(values.values, tf.float32), values.dense_shape)


def _days(seconds: tf.SparseTensor) -> tf.SparseTensor:
    days = tf.cast(seconds.values - tft.min(seconds), tf.float32) / SECONDS_PER_DAY
    return tf.SparseTensor(seconds.indices, days, seconds.dense_shape)
