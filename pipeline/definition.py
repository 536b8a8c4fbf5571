"""The graph: what runs, in which order, and what passes from one node to the next."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from tfx import v1 as tfx
from tfx.components import ExampleValidator, Trainer, Transform
from tfx.dsl.components.base.base_node import BaseNode
from tfx.types.standard_artifacts import Model, ModelBlessing

from components.data_gate import DataGate
from components.evaluator import Evaluator
from components.example_gen import RatingsExampleGen
from components.pusher import Pusher
from components.ratings_encoder import RatingsEncoder
from components.registry_pusher import RegistryPusher
from components.registry_resolver import RegistryResolver
from components.report import Report
from components.resolvers import ChampionStrategy, WarmStartStrategy
from components.schema import CuratedSchema
from components.serving_check import ServingCheck
from components.span_drift import USED, SpanDrift
from components.statistics_gen import RatingsStatisticsGen
from pipeline.beam_args import DIRECT, beam_args, check_reach
from reelflow.base import columns as f
from reelflow.base.errors import BadInput
from reelflow.config import Config, Feedback
from reelflow.config.layout import PIPELINE_NAME, Layout, code_hash
from reelflow.config.tuning_space import MODEL, NOUN, SPLIT, TRAIN
from reelflow.data.schema import curated_schema
from reelflow.data.spans import is_pattern

# Dotted paths, which TFX imports where the node runs.
PREPROCESSING_FN: Final = "reelflow.encoding.preprocessing.preprocessing_fn"
RUN_FN: Final = "components.trainer.run_fn"
TUNER_FN: Final = "components.tuner.tuner_fn"

# A model does not depend on where things run and go.
_NOT_OF_THE_MODEL: Final = {"data_gate", "beam", "push", "registry", "keep", "kubeflow"}


def create_pipeline(config: Config, output: str, name: str = PIPELINE_NAME) -> tfx.dsl.Pipeline:
    """Build the pipeline; nothing is read or run.

    Args:
        config: what the run does; `data.path` must name a folder.
        output: the output folder.
        name: the pipeline's name in MLMD.

    Raises:
        BadInput: the configuration names no data, or Beam's engine cannot reach them.
    """
    if config.data.path is None:
        raise BadInput("The configuration names no ratings.", "Set data.path to a folder.")
    check_reach(config.beam, config.data.path, output)
    layout, seed = Layout.of(output), config.split.seed

    # Data: from files to encoded ratings that may be learned from.
    example_gen = RatingsExampleGen(
        config.data, config.split, input_base=config.data.path, code=code_hash()
    )
    examples, catalogue, quarantine = (
        example_gen.outputs[key] for key in ("examples", "catalogue", "quarantine")
    )
    ratings_schema = _curated("ratings").with_id("RatingsSchema")
    ratings_statistics = RatingsStatisticsGen(
        examples=examples, rows=config.data.statistics_rows, seed=seed
    ).with_id("RatingsStatistics")
    statistics = ratings_statistics.outputs["statistics"]
    ratings_validator = ExampleValidator(
        statistics=statistics, schema=ratings_schema.outputs["schema"]
    ).with_id("RatingsValidator")
    movies_schema = _curated("movies").with_id("MoviesSchema")
    movies_statistics = RatingsStatisticsGen(
        examples=catalogue,
        rows=config.data.statistics_rows,
        seed=seed,
        exclude_splits=[f.USERS],
    ).with_id("MoviesStatistics")
    movies_validator = ExampleValidator(
        statistics=movies_statistics.outputs["statistics"],
        schema=movies_schema.outputs["schema"],
        exclude_splits=[f.USERS],
    ).with_id("MoviesValidator")
    verdicts = {
        "quarantine": quarantine,
        "ratings_anomalies": ratings_validator.outputs["anomalies"],
        "movies_anomalies": movies_validator.outputs["anomalies"],
    }
    span_drift = None
    if is_pattern(config.data.path):
        span_drift = SpanDrift(
            quarantine=quarantine,
            statistics=statistics,
            ratings_schema=ratings_schema.outputs["schema"],
            movies_schema=movies_schema.outputs["schema"],
            data=config.data.model_dump_json(include=USED),
            split=config.split.model_dump_json(),
        )
        verdicts["drift"] = span_drift.outputs["drift"]
    data_gate = DataGate(
        **verdicts,
        max_quarantined=config.data.max_quarantined,
        bounds=config.data_gate.model_dump_json(),
        max_drift=config.data.max_drift if span_drift else None,
    )
    transform = Transform(
        examples=catalogue,
        schema=movies_schema.outputs["schema"],
        preprocessing_fn=PREPROCESSING_FN,
        custom_config={
            f.MOVIE_FEATURES: bool(config.data.movie_features),
            f.USER_FEATURES: config.data.use_users,
        },
        splits_config=tfx.proto.SplitsConfig(analyze=list(f.CATALOGUE_SPLITS)),
        materialize=False,
        disable_statistics=True,
        disable_analyzer_cache=True,  # the catalogue is one span: there is nothing to merge
    )
    transform.add_upstream_node(data_gate)
    transform_graph = transform.outputs["transform_graph"]
    encoder = RatingsEncoder(
        examples=examples, catalogue=catalogue, transform_graph=transform_graph
    )
    encoded = encoder.outputs["encoded"]

    # Model: search, train, and compare with the champion.
    registry = RegistryResolver(config.registry, file=str(layout.registry))
    registered = registry.outputs["model"]
    learning = {
        "examples": encoded,
        "transform_graph": transform_graph,
        "train_args": tfx.proto.TrainArgs(splits=[f.TRAIN]),
        "eval_args": tfx.proto.EvalArgs(splits=[f.VALIDATION]),
    }
    sections = {key: getattr(config, key).model_dump(mode="json") for key in (MODEL, TRAIN)}
    if config.data.feedback is Feedback.COUNTS:
        sections[TRAIN]["by_counts"] = True
    tuner = warm_start = None
    if config.tuner.trials:
        from components.tuner import TUNER, Tuner  # brings KerasTuner, and Keras 3 with it

        search = {**sections, TUNER: config.tuner.model_dump(mode="json")}
        tuner = Tuner(tuner_fn=TUNER_FN, custom_config=search, **learning)
    if config.train.warm_start:
        warm_start = tfx.dsl.Resolver(
            strategy_class=WarmStartStrategy,
            registered=registered,
            encoded=encoded,
            model=tfx.dsl.Channel(type=Model),
        ).with_id("BeginningResolver")
        sections[SPLIT] = config.split.model_dump(mode="json")
    sections[NOUN] = asdict(config.data.noun)
    trainer = Trainer(
        run_fn=RUN_FN,
        hyperparameters=tuner.outputs["best_hyperparameters"] if tuner else None,
        base_model=warm_start.outputs["model"] if warm_start else None,
        custom_config=sections,
        **learning,
    )
    model = trainer.outputs["model"]
    champion = tfx.dsl.Resolver(
        strategy_class=ChampionStrategy,
        model=tfx.dsl.Channel(type=Model),
        model_blessing=tfx.dsl.Channel(type=ModelBlessing),
        registered=registered,
        candidate=model,
    ).with_id("ChampionResolver")
    evaluator = Evaluator(
        model=model,
        baseline_model=champion.outputs["model"],
        examples=examples,
        encoded=encoded,
        catalogue=catalogue,
        gate=config.gate.model_dump_json(),
        seed=seed,
    )
    # TFMA gets one batch that this process holds already: there is nothing to distribute.
    evaluator.with_beam_pipeline_args(DIRECT)

    # Release: check, push, report and register.
    serving_check = ServingCheck(
        model=model, latency_ms_max=config.push.latency_ms_max, recall_min=config.push.recall_min
    )
    blessings = {
        "model_blessing": evaluator.outputs["blessing"],
        "infra_blessing": serving_check.outputs["blessing"],
    }
    pusher = Pusher(
        model=model,
        **blessings,
        directory=str(layout.serving_of(config)),
        keep=config.push.keep,
        promote=config.registry.role,
        share=config.registry.share,
        readers=config.push.readers,
    )
    outcome = {
        "model": model,
        "transform_graph": transform_graph,
        "evaluation": evaluator.outputs["evaluation"],
        **blessings,
        "pushed_model": pusher.outputs["pushed_model"],
    }
    report = Report(
        **outcome,
        **verdicts,
        statistics=statistics,
        encoded=encoded,
        tuner_results=tuner.outputs["tuner_results"] if tuner else None,
    )
    registry_pusher = RegistryPusher(
        **outcome,
        quarantine=quarantine,
        report=report.outputs["report"],
        registry=config.registry,
        file=str(layout.registry),
        config=config.model_dump(mode="json", exclude=_NOT_OF_THE_MODEL),
        code=code_hash(),
    )

    nodes = [example_gen, ratings_schema, ratings_statistics, ratings_validator, movies_schema]
    nodes += [movies_statistics, movies_validator, span_drift, data_gate, transform, encoder]
    nodes += [registry, tuner, warm_start, trainer, champion, evaluator]
    nodes += [serving_check, pusher, report, registry_pusher]
    metadata = tfx.orchestration.metadata.sqlite_metadata_connection_config(str(layout.metadata))
    return tfx.dsl.Pipeline(
        pipeline_name=name,
        pipeline_root=str(layout.artifacts),
        metadata_connection_config=metadata,
        components=[node for node in nodes if node is not None],
        enable_cache=True,
        beam_pipeline_args=beam_args(config.beam),
    )


def _curated(name: str) -> BaseNode:
    """Import `schemas/<name>.pbtxt`."""
    return CuratedSchema(text=curated_schema(name).read_text())
