"""Submission of packages to a Kubeflow Pipelines server, through the kfp SDK's client."""

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
_HEALTH = "/apis/v2beta1/healthz"
_TIMEOUT_SECONDS = 10
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
    """A Kubeflow Pipelines server."""

    host: str
    """Its address, as `http://localhost:8080`."""
    namespace: str | None = None
    """The user's, where Kubeflow has several."""
    token: str | None = None
    """Bearer token."""
    ca_cert: str | None = None
    """File of certificate authorities to trust."""

    def check(self) -> None:
        """Ask for the server's health: the SDK would try for half a minute before it gives up.

        Raises:
            BadInput: the host is no address.
            ReelflowError: no server answers, or it is not Kubeflow Pipelines.
        """
        if not self.host.startswith(("http://", "https://")):
            remedy = "For example --host http://localhost:8080."
            raise BadInput(f"{self.host}: no address of a server.", remedy)
        try:
            answer = requests.get(
                self.host.rstrip("/") + _HEALTH,
                headers={"Authorization": f"Bearer {self.token}"} if self.token else {},
                timeout=_TIMEOUT_SECONDS,
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
    def sdk_errors(self) -> Iterator[None]:
        """Keep the SDK's output off the terminal and turn its errors into ours.

        Raises:
            ReelflowError: the server refused a request, or cannot be reached any more.
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
    """Return the innermost reason of an error that libraries have wrapped."""
    reason: Any = error
    while inner := getattr(reason, "reason", None) or next(
        (arg for arg in getattr(reason, "args", ()) if isinstance(arg, BaseException)), None
    ):
        reason = inner
    return str(reason).rpartition(": ")[2] or type(reason).__name__


@dataclass(frozen=True)
class Submitted:
    """A run, or a recurring run, that the server has created."""

    id: str
    version: str
    """Of the pipeline, named after the package's content."""
    link: str
    """Address of its page."""


@dataclass(frozen=True)
class Schedule:
    """Times at which a recurring run begins."""

    cron: str
    """Six fields, the first one seconds."""
    max_concurrency: int = 1
    catch_up: bool = False
    """True to make up for runs that were missed while the schedule was off."""
    start: str | None = None
    """First possible time, RFC 3339."""
    end: str | None = None
    """Last possible time, RFC 3339."""
    enabled: bool = True


def cron_of(text: str) -> str:
    """Return a cron expression in Kubeflow's form, with seconds in front.

    Raises:
        BadInput: the text has neither five fields nor six.
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
    """A connection to a server that has answered.

    Raises:
        ReelflowError: no server answers, it is not Kubeflow Pipelines, or it refuses a request.
    """

    def __init__(self, server: Server) -> None:
        server.check()
        import kfp

        self._server = server
        with server.sdk_errors(), warnings.catch_warnings():
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
            experiment: created if missing.
            run: the run's name.
            parameters: the run's, over the package's defaults.
        """
        with self._server.sdk_errors():
            version, ids = self._version(package, name, experiment)
            created = self._kfp.run_pipeline(job_name=run, params=dict(parameters), **ids)
        return Submitted(created.run_id, version, self._link("runs", created.run_id))

    def schedule(
        self,
        package: Path,
        name: str,
        experiment: str,
        job: str,
        parameters: Mapping[str, Any],
        schedule: Schedule,
    ) -> Submitted:
        """Create a recurring run that replaces those of the same name in the experiment.

        `job` is its name; the other arguments are those of `submit`.
        """
        with self._server.sdk_errors():
            version, ids = self._version(package, name, experiment)
            earlier = self._kfp.list_recurring_runs(
                experiment_id=ids["experiment_id"], page_size=_ALL, filter=_named(job)
            )
            created = self._kfp.create_recurring_run(
                job_name=job,
                params=dict(parameters),
                cron_expression=schedule.cron,
                max_concurrency=schedule.max_concurrency,
                no_catchup=not schedule.catch_up,
                start_time=schedule.start,
                end_time=schedule.end,
                enabled=schedule.enabled,
                **ids,
            )
            for old in earlier.recurring_runs or []:
                if old.display_name == job:
                    self._kfp.delete_recurring_run(old.recurring_run_id)
        job_id = created.recurring_run_id
        return Submitted(job_id, version, self._link("recurringrun", job_id))

    def _version(self, package: Path, name: str, experiment: str) -> tuple[str, dict[str, str]]:
        """Return the version's name, and the ids of experiment, pipeline and version.

        They are created where they are missing.
        """
        version = hashlib.sha256(package.read_bytes()).hexdigest()[:12]
        created = self._kfp.create_experiment(experiment, namespace=self._server.namespace)
        pipeline_id = self._kfp.get_pipeline_id(name)
        if pipeline_id is None:
            options = {"pipeline_name": name, "namespace": self._server.namespace}
            pipeline_id = self._kfp.upload_pipeline(str(package), **options).pipeline_id
        listed = self._kfp.list_pipeline_versions(pipeline_id, filter=_named(version))
        known = [v for v in listed.pipeline_versions or [] if v.display_name == version]
        if not known:
            known = [self._kfp.upload_pipeline_version(str(package), version, pipeline_id)]
        ids = {
            "experiment_id": created.experiment_id,
            "pipeline_id": pipeline_id,
            "version_id": known[0].pipeline_version_id,
        }
        return version, ids

    def _link(self, kind: str, thing_id: str) -> str:
        return f"{self._server.host.rstrip('/')}/#/{kind}/details/{thing_id}"


def _named(name: str) -> str:
    """Return the API's filter for one name."""
    predicate = {"operation": _EQUALS, "key": "display_name", "stringValue": name}
    return json.dumps({"predicates": [predicate]})
