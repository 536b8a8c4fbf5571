"""Hands packages to a Kubeflow Pipelines server, through the kfp SDK's own client."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import urllib3

from reelflow.base.errors import BadInput, ReelflowError

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
        """Start a run of a package.

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
        """Make a recurring run, in the place of those of the same name in the experiment.

        Args:
            package: as for `submit`.
            name: as for `submit`.
            experiment: as for `submit`.
            parameters: as for `submit`.
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


# Where a Kubeflow Pipelines server is, whether it answers, and what its refusals mean.


HEALTH = "/apis/v2beta1/healthz"
_SECONDS = 10
_REMEDIES = {
    401: "Give a token that is valid: KF_PIPELINES_TOKEN, or --token.",
    403: "Does the token's owner have rights in this namespace? See --namespace.",
    404: "Is this the address of Kubeflow Pipelines, with its path if it has one?",
}
_UNREACHABLE = (
    "Is it the address of Kubeflow Pipelines, and can it be reached from here? From outside the "
    "cluster: kubectl port-forward --namespace kubeflow service/ml-pipeline-ui 8080:80"
)


@dataclass(frozen=True)
class Server:
    """A Kubeflow Pipelines server.

    Attributes:
        host: its address, as `http://localhost:8080`.
        namespace: of the user, where Kubeflow has several; none for the only one.
        token: bearer token.
        ca_cert: file of certificate authorities to trust.
    """

    host: str
    namespace: str | None = None
    token: str | None = None
    ca_cert: str | None = None

    def check(self) -> None:
        """Ask for its health: the SDK would try for half a minute before it gives up.

        Raises:
            BadInput: the host is no address.
            ReelflowError: nobody answers, or no Kubeflow Pipelines.
        """
        if not self.host.startswith(("http://", "https://")):
            raise BadInput(
                f"{self.host}: no address of a server.", "For example --host http://localhost:8080."
            )
        try:
            answer = requests.get(
                self.host.rstrip("/") + HEALTH,
                headers={"Authorization": f"Bearer {self.token}"} if self.token else {},
                timeout=_SECONDS,
                verify=self.ca_cert or True,
            )
        except (requests.RequestException, OSError) as error:
            raise self._unreachable(error) from None
        if not answer.ok:
            raise self._refused(answer.status_code, answer.text)
        try:
            answer.json()
        except requests.JSONDecodeError:
            words = f"{self.host} answers, but not as an API does."
            raise ReelflowError(words, _REMEDIES[404]) from None

    @contextlib.contextmanager
    def talking(self) -> Iterator[None]:
        """Keep the SDK's own words from the terminal, and turns its errors into ours.

        Raises:
            ReelflowError: what the server refused, or that it went away.
        """
        import kfp_server_api

        try:
            with contextlib.redirect_stdout(io.StringIO()):
                yield
        except kfp_server_api.ApiException as error:
            raise self._refused(error.status, error.body) from None
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from None

    def _unreachable(self, error: Exception) -> ReelflowError:
        return ReelflowError(f"{self.host}: {_innermost(error)}.", _UNREACHABLE)

    def _refused(self, status: int, body: str | bytes | None) -> ReelflowError:
        text = body.decode(errors="replace") if isinstance(body, bytes) else body or ""
        try:
            text = json.loads(text).get("message", text)
        except (json.JSONDecodeError, AttributeError):
            text = (text.strip().splitlines() or [""])[0]
        words = f"{self.host} answered {status}: {text[:300]}".rstrip(": .")
        return ReelflowError(f"{words}.", _REMEDIES.get(status, ""))


def _innermost(error: Exception) -> str:
    """The reason, out of the libraries' wrappings."""
    reason: Any = error
    while inner := getattr(reason, "reason", None) or next(
        (arg for arg in getattr(reason, "args", ()) if isinstance(arg, BaseException)), None
    ):
        reason = inner
    return str(reason).rpartition(": ")[2] or type(reason).__name__
