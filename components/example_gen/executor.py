"""The executor of RatingsExampleGen: moves artifacts; the work is in the modules beside it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from tfx import types
from tfx.components.example_gen.utils import FINGERPRINT_PROPERTY_NAME
from tfx.components.util import examples_utils
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.example_gen import report as reports
from components.example_gen import shards
from components.example_gen.absent import absent_features
from components.example_gen.catalogue import movies_from_ids, movies_split
from components.example_gen.graph import build_graph
from components.example_gen.split import plan_split
from components.example_gen.work import Job, gather_outcomes
from components.trainer import features
from pipeline.config import DataConfig, SplitConfig
from ratings import files, schema
from ratings.arrow import one_chunk
from ratings.chunks import plan_chunks
from ratings.errors import BadInput
from ratings.formats import Source, open_source, open_window
from ratings.spans import Window
from ratings.values import Rules

DATA_KEY = "data"
SPLIT_KEY = "split"
SPANS_KEY = "spans"
CATALOGUE_KEY = "catalogue"
QUARANTINE_KEY = "quarantine"


class Executor(BaseBeamExecutor):
    """Ratings files to `examples`, `catalogue` and `quarantine`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Convert the data folder that the driver found.

        Args:
            input_dict: empty.
            output_dict: `examples`, `catalogue` and `quarantine`, one artifact each.
            exec_properties: `input_base` and `input_config`, or `spans`, as the driver resolved
                them; `data` and `split`, the sections of the configuration as JSON.

        Raises:
            BadInput: the data cannot be used; says why and what to do.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        data = DataConfig.model_validate_json(exec_properties[DATA_KEY])
        split = SplitConfig.model_validate_json(exec_properties[SPLIT_KEY])
        examples = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.EXAMPLES_KEY]
        )
        catalogue = artifact_utils.get_single_instance(output_dict[CATALOGUE_KEY])
        quarantine = artifact_utils.get_single_instance(output_dict[QUARANTINE_KEY])

        resolved = exec_properties.get(SPANS_KEY)
        window = Window.from_json(resolved) if resolved else None
        if window is None:
            source = open_source(data, data_folder(exec_properties), split)
        else:
            source = open_window(data, window, split)
        movies = source.read_movies()
        job = Job(
            source=source,
            rules=Rules(
                rating_min=source.rating_min,
                rating_max=source.rating_max,
                movie_ids=None if movies is None else one_chunk(movies.column(features.MOVIE_ID)),
            ),
            plan=plan_split(split, source),
            attributes=user_attributes(source, data),
            with_features=bool(data.movie_features),
            partitions=data.partitions,
            chunk_bytes=data.chunk_bytes,
            folder=self._get_tmp_dir().rstrip("/"),
            examples_uri=examples.uri,
            catalogue_uri=catalogue.uri,
        )
        chunks = plan_chunks(source.ratings_files, data.chunk_bytes)
        with self._make_beam_pipeline() as pipeline:
            build_graph(pipeline, job, chunks)

        outcome = gather_outcomes(job)
        if outcome.problem:
            raise BadInput(*outcome.problem)
        movies = movies_from_ids(outcome.movie_ids) if movies is None else movies
        if window is not None:
            _check_unchanged(source, exec_properties[FINGERPRINT_PROPERTY_NAME])
        report = reports.make_report(source, outcome, movies, window)
        report["absent_features"] = absent_features(data, movies, job.attributes)
        # TFX removes the outputs of a failed execution, so that evidence goes beside them.
        refused = not report["rows"]["kept"]
        uri = f"{quarantine.uri.rstrip('/')}-refused" if refused else quarantine.uri
        reports.write_report(uri, report, source, outcome)
        reports.check_rows(report, split, f"{uri}/{reports.QUARANTINE}")
        shards.write_shard(
            movies_split(movies, job.attributes is not None, job.with_features),
            shards.shard_path(catalogue.uri, features.MOVIES, "movies", 0, 1),
            job.folder,
        )
        fileio.rmtree(job.folder)

        _describe(examples, features.RATING_SPLITS)
        examples.set_int_custom_property("rows", report["rows"]["kept"])
        if window is not None:
            examples.set_string_custom_property("span_name", window.newest.name)
        _describe(catalogue, features.CATALOGUE_SPLITS)
        quarantine.rows = outcome.rejected.num_rows


def _check_unchanged(source: Source, fingerprint: str) -> None:
    """Refuses a span that was still being written.

    Raises:
        BadInput: a file is not what it was when the driver chose the span.
    """
    if files.fingerprint(source.paths) != fingerprint:
        raise BadInput(
            f"Files of {source.folder} or of a span before it changed while they were read.",
            "Run again when they have arrived; see data.span_marker to be sure of that.",
        )


def user_attributes(source: Source, data: DataConfig) -> pa.Table | None:
    """What is known of users, of nobody anything where there is no users' file; None unless opted
    in.
    """
    if not data.use_users:
        return None
    found = source.read_users()
    return schema.USERS.empty_table() if found is None else found


def _describe(examples: types.Artifact, splits: tuple[str, ...]) -> None:
    examples.split_names = artifact_utils.encode_split_names(list(splits))
    examples_utils.set_payload_format(examples, example_gen_pb2.PayloadFormat.FORMAT_PARQUET)
    examples_utils.set_file_format(examples, "FILE_FORMAT_PARQUET")


def data_folder(exec_properties: dict[str, Any]) -> str:
    """The folder of the span that the driver chose."""
    config = example_gen_pb2.Input()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.INPUT_CONFIG_KEY], config)
    below = config.splits[0].pattern.rpartition("/")[0]
    base: str = exec_properties[standard_component_specs.INPUT_BASE_KEY]
    return files.join(base, below) if below else base
