"""The graph that a tutorial builds: stock components only, ratings file to pushed model."""

from __future__ import annotations

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2
from tfx import v1 as tfx
from tfx.proto import example_gen_pb2

from benchmarks.stock.columns import RATING
from benchmarks.stock.trainer import EPOCHS, METRIC
from pipeline.beam_args import DIRECT

SPLITS = {"train": 8, "eval": 1, "test": 1}
"""Of ten hash buckets: the shares of our own default split."""


def create_pipeline(folder: str, output: str, epochs: int, metric: bool) -> tfx.dsl.Pipeline:
    """Build the pipeline.

    Args:
        folder: with `ratings.csv` and nothing else.
        output: the output folder.
        epochs: of the Trainer.
        metric: FactorizedTopK on.
    """
    split = example_gen_pb2.SplitConfig.Split
    splits = [split(name=name, hash_buckets=buckets) for name, buckets in SPLITS.items()]
    components = tfx.components
    examples = components.CsvExampleGen(
        input_base=folder,
        output_config=example_gen_pb2.Output(
            split_config=example_gen_pb2.SplitConfig(splits=splits)
        ),
    )
    statistics = components.StatisticsGen(examples=examples.outputs["examples"])
    schema = components.SchemaGen(
        statistics=statistics.outputs["statistics"], infer_feature_shape=True
    )
    validator = components.ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
    )
    transform = components.Transform(
        examples=examples.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn="benchmarks.stock.preprocessing.preprocessing_fn",
    )
    trainer = components.Trainer(
        run_fn="benchmarks.stock.trainer.run_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        train_args=tfx.proto.TrainArgs(splits=["train"]),
        eval_args=tfx.proto.EvalArgs(splits=["eval"]),
        custom_config={EPOCHS: epochs, METRIC: metric},
    )
    evaluator = components.Evaluator(
        examples=examples.outputs["examples"],
        model=trainer.outputs["model"],
        example_splits=["eval"],
        eval_config=_eval_config(),
    )
    pusher = components.Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(base_directory=f"{output}/serving")
        ),
    )
    nodes = [examples, statistics, schema, validator, transform, trainer, evaluator, pusher]
    return tfx.dsl.Pipeline(
        pipeline_name="stock",
        pipeline_root=f"{output}/artifacts",
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            f"{output}/metadata.db"
        ),
        components=nodes,
        beam_pipeline_args=[*DIRECT],
    )


def _eval_config() -> config_pb2.EvalConfig:
    bound = config_pb2.MetricThreshold(
        value_threshold=config_pb2.GenericValueThreshold(upper_bound={"value": 3.0})
    )
    rmse = config_pb2.MetricConfig(class_name="RootMeanSquaredError", threshold=bound)
    return tfma.EvalConfig(
        model_specs=[config_pb2.ModelSpec(signature_name="serving_default", label_key=RATING)],
        slicing_specs=[config_pb2.SlicingSpec()],
        metrics_specs=[config_pb2.MetricsSpec(metrics=[rmse])],
    )
