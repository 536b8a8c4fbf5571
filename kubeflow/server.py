"""Where a Kubeflow Pipelines server is, whether it answers, and what its refusals mean."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import requests
import urllib3

from ratings.errors import BadInput, ReelflowError

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
        """Asks for its health: the SDK would try for half a minute before it gives up.

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
        """Keeps the SDK's own words from the terminal, and turns its errors into ours.

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
