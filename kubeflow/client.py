"""Hands packages to a Kubeflow Pipelines server, through the kfp SDK's own client."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubeflow.server import Server
from ratings.errors import BadInput

_EQUALS = 1  # the API's number of this comparison
_ALL = 100  # more than there will be of one name


@dataclass(frozen=True)
class Submitted:
    """What the server made: a run, or a recurring run.

    Attributes:
        id: as the server names it.
        version: of the pipeline, named after the package's content.
        link: its page.
    """

    id: str
    version: str
    link: str


@dataclass(frozen=True)
class Schedule:
    """When a recurring run begins.

    Attributes:
        cron: six fields, the first one seconds.
        max_concurrency: runs at a time.
        catch_up: whether runs missed while the schedule was off are made up for.
        start, end: RFC 3339, or none.
        enabled: whether it begins at once.
    """

    cron: str
    max_concurrency: int = 1
    catch_up: bool = False
    start: str | None = None
    end: str | None = None
    enabled: bool = True


def cron_of(text: str) -> str:
    """A cron expression as Kubeflow wants it, with seconds in front.

    Raises:
        BadInput: neither five fields nor six.
    """
    fields = text.split()
    if len(fields) not in (5, 6) and not text.startswith("@"):
        raise BadInput(
            f"--cron {text!r}: {len(fields)} fields.",
            "Five are wanted (minute, hour, day, month, weekday), as '0 3 * * 0'; or six, the "
            "first one seconds.",
        )
    return " ".join(fields if len(fields) == 6 or text.startswith("@") else ["0", *fields])


class Client:
    """A connection that was found to work.

    Raises:
        ReelflowError: from every method, with what the server answered.
    """

    def __init__(self, server: Server) -> None:
        """Connect.

        Raises:
            ReelflowError: nobody answers there, or not as Kubeflow Pipelines does.
        """
        server.check()
        import kfp

        self._server = server
        with server.talking(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._kfp = kfp.Client(
                host=server.host,
                namespace=server.namespace or "kubeflow",
                existing_token=server.token,
                ssl_ca_cert=server.ca_cert,
            )

    def submit(
        self, package: Path, name: str, experiment: str, run: str, parameters: Mapping[str, Any]
    ) -> Submitted:
        """Starts a run of a package.

        Args:
            package: the compiled package.
            name: the pipeline's; the package becomes a version of it, unless it is one already.
            experiment: made if missing.
            run: the run's name.
            parameters: the run's, over the package's defaults.
        """
        with self._server.talking():
            place = self._place(package, name, experiment)
            made = self._kfp.run_pipeline(job_name=run, params=dict(parameters), **place.ids)
        return Submitted(made.run_id, place.version, self._link("runs", made.run_id))

    def schedule(
        self,
        package: Path,
        name: str,
        experiment: str,
        job: str,
        parameters: Mapping[str, Any],
        schedule: Schedule,
    ) -> Submitted:
        """Makes a recurring run, in the place of those of the same name in the experiment.

        Args:
            package, name, experiment, parameters: as for `submit`.
            job: the recurring run's name.
            schedule: when.
        """
        with self._server.talking():
            place = self._place(package, name, experiment)
            found = self._kfp.list_recurring_runs(
                experiment_id=place.ids["experiment_id"],
                page_size=_ALL,
                filter=_named(job),
            )
            made = self._kfp.create_recurring_run(
                job_name=job,
                params=dict(parameters),
                cron_expression=schedule.cron,
                max_concurrency=schedule.max_concurrency,
                no_catchup=not schedule.catch_up,
                start_time=schedule.start,
                end_time=schedule.end,
                enabled=schedule.enabled,
                **place.ids,
            )
            for old in found.recurring_runs or []:
                if old.display_name == job:
                    self._kfp.delete_recurring_run(old.recurring_run_id)
        number = made.recurring_run_id
        return Submitted(number, place.version, self._link("recurringrun", number))

    def _place(self, package: Path, name: str, experiment: str) -> _Place:
        """Experiment and version, made where they are missing."""
        version = hashlib.sha256(package.read_bytes()).hexdigest()[:12]
        made = self._kfp.create_experiment(experiment, namespace=self._server.namespace)
        pipeline_id = self._kfp.get_pipeline_id(name)
        if pipeline_id is None:
            uploaded = self._kfp.upload_pipeline(
                str(package), pipeline_name=name, namespace=self._server.namespace
            )
            pipeline_id = uploaded.pipeline_id
        found = self._kfp.list_pipeline_versions(pipeline_id, filter=_named(version))
        known = [v for v in found.pipeline_versions or [] if v.display_name == version]
        if not known:
            known = [self._kfp.upload_pipeline_version(str(package), version, pipeline_id)]
        ids = {
            "experiment_id": made.experiment_id,
            "pipeline_id": pipeline_id,
            "version_id": known[0].pipeline_version_id,
        }
        return _Place(ids, version)

    def _link(self, kind: str, number: str) -> str:
        return f"{self._server.host.rstrip('/')}/#/{kind}/details/{number}"


@dataclass(frozen=True)
class _Place:
    """Where a run belongs."""

    ids: dict[str, str]
    version: str


def _named(name: str) -> str:
    """The API's filter for one name."""
    predicate = {"operation": _EQUALS, "key": "display_name", "stringValue": name}
    return json.dumps({"predicates": [predicate]})
