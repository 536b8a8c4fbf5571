"""The preprocessing function of TFX's Transform: canonical columns to integers and floats.

Transform learns it from the `catalogue` artifact: every movie once, every train user once with the
first and last train timestamp. Vocabularies and the range of days are therefore exact, at
a cost that does not depend on the number of ratings (docs/adr/0006).
"""

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from reelflow.base import columns as f
from reelflow.base.common import SECONDS_PER_DAY

AGE_BOUNDS = (18, 25, 35, 45, 50, 56)
"""Lower bounds of the age buckets of MovieLens 1M, in years."""
AGE_NAMES = ("under 18", "18-24", "25-34", "35-44", "45-49", "50-55", "56 and over")
ZIP_REGION = 1
"""Leading characters of a zip code that stand for a region."""


@tf.autograph.experimental.do_not_convert  # nothing in it depends on a tensor's value
def preprocessing_fn(
    inputs: dict[str, tf.SparseTensor], custom_config: dict[str, Any] | None = None
) -> dict[str, tf.SparseTensor]:
    """Map sparse raw columns [batch, 0 to n values] to sparse encoded columns.

    An unknown user or movie gets the vocabulary's size (the out-of-vocabulary bucket).

    Args:
        inputs: the columns of the catalogue.
        custom_config: switches on the optional columns: `movie_features`, `user_features`.
    """
    optional = custom_config or {}
    outputs = {
        f.USER_INDEX: _index(inputs[f.USER_ID], f.USER_VOCABULARY),
        f.MOVIE_INDEX: _index(inputs[f.MOVIE_ID], f.MOVIE_VOCABULARY),
        f.GENRE_INDICES: _index(inputs[f.GENRES], f.GENRE_VOCABULARY),
        f.YEAR_SCALED: tft.scale_to_z_score(_floats(inputs[f.YEAR])),
        f.DAY: _days(inputs[f.TIMESTAMP]),
    }
    if optional.get(f.MOVIE_FEATURES):
        outputs[f.FEATURE_INDICES] = _index(inputs[f.FEATURES], f.FEATURE_VOCABULARY)
    if optional.get(f.USER_FEATURES):
        outputs[f.USER_FEATURE_INDICES] = _index(_user_words(inputs), f.USER_FEATURE_VOCABULARY)
    return outputs


def _index(values: tf.SparseTensor, vocabulary: str) -> tf.SparseTensor:
    return tft.compute_and_apply_vocabulary(values, num_oov_buckets=1, vocab_filename=vocabulary)


def _floats(values: tf.SparseTensor) -> tf.SparseTensor:
    return tf.SparseTensor(values.indices, tf.cast(values.values, tf.float32), values.dense_shape)


def _days(seconds: tf.SparseTensor) -> tf.SparseTensor:
    days = tf.cast(seconds.values - tft.min(seconds), tf.float32) / SECONDS_PER_DAY
    return tf.SparseTensor(seconds.indices, days, seconds.dense_shape)


def _user_words(inputs: dict[str, tf.SparseTensor]) -> tf.SparseTensor:
    """Attributes of users, coarse enough not to identify one: `age=25-34`, `zip region=9`."""
    ages = inputs[f.AGE]
    buckets = tf.raw_ops.Bucketize(input=ages.values, boundaries=[float(a) for a in AGE_BOUNDS])
    zips = inputs[f.ZIP_CODE]
    columns = {
        f.GENDER: inputs[f.GENDER],
        f.AGE: _with_values(ages, tf.gather(tf.constant(AGE_NAMES), buckets)),
        f.OCCUPATION: inputs[f.OCCUPATION],
        "zip region": _with_values(zips, tf.strings.substr(zips.values, 0, ZIP_REGION)),
    }
    named = [
        _with_values(values, tf.strings.join([f"{name}=", values.values]))
        for name, values in columns.items()
    ]
    return tf.sparse.concat(axis=1, sp_inputs=named)


def _with_values(like: tf.SparseTensor, values: tf.Tensor) -> tf.SparseTensor:
    return tf.SparseTensor(like.indices, values, like.dense_shape)
