"""The graph: what runs, in which order, and what passes from one node to the next."""

from __future__ import annotations

from tfx import v1 as tfx

from components.data_gate import DataGate
from components.evaluator import Evaluator
from components.example_gen import RatingsExampleGen
from components.pusher import Pusher
from components.ratings_encoder import RatingsEncoder
from components.registry_pusher import RegistryPusher
from components.registry_resolver import RegistryResolver
from components.report import Report
from components.resolvers import BeginningStrategy, ChampionStrategy
from components.schema import CuratedSchema
from components.serving_check import ServingCheck
from components.span_drift import USED, SpanDrift
from components.statistics_gen import RatingsStatisticsGen
from components.tuner import TUNER, Tuner
from reelflow.base import columns as f
from reelflow.base.errors import BadInput
from reelflow.config import Config
from reelflow.config.layout import PIPELINE_NAME, Layout, code_hash
from reelflow.config.tuning_space import MODEL, SPLIT, TRAIN
from reelflow.data import schema
from reelflow.data.beam_args import DIRECT, beam_args, check_reach
from reelflow.data.spans import is_pattern

# Where things run and go is nothing that a model comes from.
_NOT_OF_THE_MODEL = {"beam", "push", "registry", "kubeflow"}


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
    layout = Layout.of(output)

    example_gen = RatingsExampleGen(
        config.data, config.split, input_base=config.data.path, code=code_hash()
    )
    examples, catalogue = example_gen.outputs["examples"], example_gen.outputs["catalogue"]

    ratings_schema = CuratedSchema(text=schema.path("ratings").read_text()).with_id("RatingsSchema")
    ratings_statistics = RatingsStatisticsGen(
        examples=examples, rows=config.data.statistics_rows, seed=config.split.seed
    ).with_id("RatingsStatistics")
    ratings_validator = tfx.components.ExampleValidator(
        statistics=ratings_statistics.outputs["statistics"],
        schema=ratings_schema.outputs["schema"],
    ).with_id("RatingsValidator")
    movies_schema = CuratedSchema(text=schema.path("movies").read_text()).with_id("MoviesSchema")
    movies_statistics = tfx.components.StatisticsGen(
        examples=catalogue, exclude_splits=[f.USERS]
    ).with_id("MoviesStatistics")
    movies_validator = tfx.components.ExampleValidator(
        statistics=movies_statistics.outputs["statistics"],
        schema=movies_schema.outputs["schema"],
        exclude_splits=[f.USERS],
    ).with_id("MoviesValidator")
    drifts = []
    if is_pattern(config.data.path):
        compared = SpanDrift(
            quarantine=example_gen.outputs["quarantine"],
            statistics=ratings_statistics.outputs["statistics"],
            ratings_schema=ratings_schema.outputs["schema"],
            movies_schema=movies_schema.outputs["schema"],
            data=config.data.model_dump_json(include=USED),
            split=config.split.model_dump_json(),
        )
        drifts.append(compared)
    drift = drifts[0].outputs["drift"] if drifts else None
    data_gate = DataGate(
        ratings_anomalies=ratings_validator.outputs["anomalies"],
        movies_anomalies=movies_validator.outputs["anomalies"],
        quarantine=example_gen.outputs["quarantine"],
        max_quarantined=config.data.max_quarantined,
        drift=drift,
        max_drift=config.data.max_drift if drifts else None,
    )

    transform = tfx.components.Transform(
        examples=catalogue,
        schema=movies_schema.outputs["schema"],
        preprocessing_fn="reelflow.encoding.preprocessing.preprocessing_fn",
        custom_config={
            f.MOVIE_FEATURES: bool(config.data.movie_features),
            f.USER_FEATURES: config.data.use_users,
        },
        splits_config=tfx.proto.SplitsConfig(analyze=list(f.CATALOGUE_SPLITS)),
        materialize=False,
        disable_statistics=True,
    )
    transform.add_upstream_node(data_gate)
    encoder = RatingsEncoder(
        examples=examples,
        catalogue=catalogue,
        transform_graph=transform.outputs["transform_graph"],
    )
    encoded = encoder.outputs["encoded"]
    learning = {
        "examples": encoded,
        "transform_graph": transform.outputs["transform_graph"],
        "train_args": tfx.proto.TrainArgs(splits=[f.TRAIN]),
        "eval_args": tfx.proto.EvalArgs(splits=[f.VALIDATION]),
    }
    sections = {
        MODEL: config.model.model_dump(mode="json"),
        TRAIN: config.train.model_dump(mode="json"),
    }
    registered = RegistryResolver(config.registry, file=str(layout.registry))
    tuners = []
    if config.tuner.trials:
        search = {**sections, TUNER: config.tuner.model_dump(mode="json")}
        tuner_fn = "components.tuner.tuner_fn"
        tuners.append(Tuner(tuner_fn=tuner_fn, custom_config=search, **learning))
    beginnings = []
    if config.train.warm_start:
        beginning = tfx.dsl.Resolver(
            strategy_class=BeginningStrategy,
            registered=registered.outputs["model"],
            encoded=encoded,
            model=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
        ).with_id("BeginningResolver")
        beginnings.append(beginning)
        sections[SPLIT] = config.split.model_dump(mode="json")
    trainer = tfx.components.Trainer(
        run_fn="components.trainer.run_fn",
        hyperparameters=tuners[0].outputs["best_hyperparameters"] if tuners else None,
        base_model=beginnings[0].outputs["model"] if beginnings else None,
        custom_config=sections,
        **learning,
    )
    model = trainer.outputs["model"]

    champion = tfx.dsl.Resolver(
        strategy_class=ChampionStrategy,
        model=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=tfx.types.standard_artifacts.ModelBlessing),
        registered=registered.outputs["model"],
        candidate=model,
    ).with_id("ChampionResolver")
    evaluator = Evaluator(
        model=model,
        baseline_model=champion.outputs["model"],
        examples=examples,
        encoded=encoded,
        catalogue=catalogue,
        gate=config.gate,
        seed=config.split.seed,
    )
    # What TFMA is given is one batch that this process holds already: nothing to distribute.
    evaluator.with_beam_pipeline_args(DIRECT)
    serving_check = ServingCheck(model=model, latency_ms_max=config.push.latency_ms_max)
    pusher = Pusher(
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=serving_check.outputs["blessing"],
        directory=str(layout.serving_of(config)),
        keep=config.push.keep,
        hold=not config.registry.promote,
    )

    report = Report(
        quarantine=example_gen.outputs["quarantine"],
        statistics=ratings_statistics.outputs["statistics"],
        ratings_anomalies=ratings_validator.outputs["anomalies"],
        movies_anomalies=movies_validator.outputs["anomalies"],
        transform_graph=transform.outputs["transform_graph"],
        encoded=encoded,
        model=model,
        evaluation=evaluator.outputs["evaluation"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=serving_check.outputs["blessing"],
        pushed_model=pusher.outputs["pushed_model"],
        tuner_results=tuners[0].outputs["tuner_results"] if tuners else None,
        drift=drift,
    )
    registry_pusher = RegistryPusher(
        model=model,
        transform_graph=transform.outputs["transform_graph"],
        quarantine=example_gen.outputs["quarantine"],
        evaluation=evaluator.outputs["evaluation"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=serving_check.outputs["blessing"],
        pushed_model=pusher.outputs["pushed_model"],
        report=report.outputs["report"],
        registry=config.registry,
        file=str(layout.registry),
        config=config.model_dump(mode="json", exclude=_NOT_OF_THE_MODEL),
        code=code_hash(),
    )

    return tfx.dsl.Pipeline(
        pipeline_name=name,
        pipeline_root=str(layout.artifacts),
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(layout.metadata)
        ),
        components=[
            example_gen,
            ratings_schema,
            ratings_statistics,
            ratings_validator,
            movies_schema,
            movies_statistics,
            movies_validator,
            *drifts,
            data_gate,
            transform,
            encoder,
            registered,
            *tuners,
            *beginnings,
            trainer,
            champion,
            evaluator,
            serving_check,
            pusher,
            report,
            registry_pusher,
        ],
        enable_cache=True,
        beam_pipeline_args=beam_args(config.beam),
    )
