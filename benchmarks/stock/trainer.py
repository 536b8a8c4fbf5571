"""What the stock graph's Trainer calls: the tutorials' loop on transformed examples."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx_bsl.public import tfxio

from benchmarks.stock.columns import MOVIE, MOVIE_VOCABULARY, RATING, USER, USER_VOCABULARY
from benchmarks.stock.model import BATCH, TutorialModel, compiled

EPOCHS = "epochs"
METRIC = "metric"


def run_fn(args: FnArgs) -> None:
    """Train and exports.

    Args:
        args: TFX's; `custom_config` has `epochs`, and `metric`: whether FactorizedTopK is computed,
            in training and once on the eval split, as the tutorials do.
    """
    transform = tft.TFTransformOutput(args.transform_output)
    users, movies = (
        [word.decode() for word in transform.vocabulary_by_name(name)]
        for name in (USER_VOCABULARY, MOVIE_VOCABULARY)
    )
    model = compiled(users, movies, metric=args.custom_config[METRIC])
    model.fit(
        _dataset(args, transform, args.train_files), epochs=args.custom_config[EPOCHS], verbose=0
    )
    if args.custom_config[METRIC]:
        model.evaluate(_dataset(args, transform, args.eval_files), verbose=0)
    _export(model, transform, args.serving_model_dir)


def _dataset(args: FnArgs, transform: tft.TFTransformOutput, files: list[str]) -> tf.data.Dataset:
    options = tfxio.TensorFlowDatasetOptions(batch_size=BATCH, num_epochs=1)
    batches = args.data_accessor.tf_dataset_factory(
        files, options, transform.transformed_metadata.schema
    )
    return batches.map(_flat).cache()


def _flat(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return {name: tf.reshape(batch[name], [-1]) for name in (USER, MOVIE, RATING)}


def _export(model: TutorialModel, transform: tft.TFTransformOutput, folder: str) -> None:
    """Without the metric, which cannot be saved."""
    module = tf.Module()
    module.parts = [model.user_model, model.movie_model, model.rating_model]
    module.transform = transform.transform_features_layer()
    spec = {name: transform.raw_feature_spec()[name] for name in (USER, MOVIE)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs = module.transform(tf.io.parse_example(examples, spec))
        users, movies = (tf.reshape(inputs[name], [-1]) for name in (USER, MOVIE))
        return {RATING: model({USER: users, MOVIE: movies})[2]}

    tf.saved_model.save(module, folder, signatures={"serving_default": serve})
