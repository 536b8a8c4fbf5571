"""A client of `reelflow serve` for Python: typed requests and answers, retries, open connections.

The messages are the server's own (`reelflow.serving.messages`), so that what a server would refuse
is refused before it is sent. Only the standard library and pydantic are needed.

    client = Client("http://localhost:8501", key="rf_...")
    for movie in client.recommend(RecommendRequest(user_id="1", k=5)).items:
        print(movie.title, movie.predicted_rating)
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from pydantic import BaseModel

from reelflow.base.errors import BadInput, ReelflowError
from reelflow.serving.messages import (
    MovieMessage,
    Movies,
    PredictedRating,
    ProfileMessage,
    ProfileRequest,
    RatingRequest,
    Recommendations,
    RecommendRequest,
    SimilarMovies,
    SimilarRequest,
    State,
    Version,
)

_Answer = TypeVar("_Answer", bound=BaseModel)
_RETRIED = frozenset({429, 503})
"""Answers of a server that will answer later; it has done nothing."""
_PREFIX = "/api/v1"


class ApiError(ReelflowError):
    """An answer other than 2xx, or none.

    Attributes:
        status: of the answer; None if there was none.
        request_id: by which the server's access log has the request; None if there was no answer.
    """

    def __init__(self, message: str, status: int | None, request_id: str | None) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id


class Client:
    """One server, asked by any number of threads, each over a connection of its own.

    A request is sent again when the server is busy, as late as it asks for by Retry-After, and when
    the connection broke: no request of this client changes what a second one does.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout: float = 10.0,
        retries: int = 3,
        longest_wait: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take the server's address; the first request opens a connection.

        Args:
            url: as `http://localhost:8501` or, below a proxy's path, `https://example.org/movies`.
            key: the API key; None for a server without keys.
            timeout: seconds in which the server must answer.
            retries: times that a request is sent again, at most.
            longest_wait: seconds to wait before a retry, at most; an answer that asks for more is
                raised.
            sleep: waits so many seconds.

        Raises:
            BadInput: the address is none of a server.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadInput(f"{url!r} is no server's address.", "Write http://HOST:PORT.")
        self._parts, self._base = parts, parts.path.rstrip("/")
        self._timeout, self._retries = timeout, retries
        self._longest_wait, self._sleep = longest_wait, sleep
        self._headers = {"Accept": "application/json"}
        if key is not None:
            self._headers["Authorization"] = f"Bearer {key}"
        self._of_thread = threading.local()

    def recommend(self, request: RecommendRequest) -> Recommendations:
        """Return movies for a user, or for the movies that the request names, best first."""
        return self._post("/recommendations", request, Recommendations)

    def rate(self, request: RatingRequest) -> PredictedRating:
        """Return the stars that a user would give a movie."""
        return self._get("/rating", request, PredictedRating)

    def similar(self, movie_id: str, request: SimilarRequest | None = None) -> SimilarMovies:
        """Return the nearest movies."""
        path = f"/films/{quote(movie_id, safe='')}/similar"
        return self._get(path, request or SimilarRequest.model_construct(), SimilarMovies)

    def movie(self, movie_id: str) -> MovieMessage:
        """Return a movie of the catalogue."""
        return self._get(f"/films/{quote(movie_id, safe='')}", None, MovieMessage)

    def find(self, search: str, limit: int = 10) -> Movies:
        """Return movies by the beginning of their titles or of words in them, errors forgiven."""
        query = urlencode({"search": search, "limit": limit})
        return self._ask("GET", f"/films?{query}", None, Movies)

    def profile(self, request: ProfileRequest) -> ProfileMessage:
        """Return the movies that a user has rated, as the model knows them, and those named."""
        return self._get("/profile", request, ProfileMessage)

    def version(self) -> Version:
        """Return version, catalogue and metrics of the model that answers."""
        return self._get("/version", None, Version)

    def ready(self) -> State:
        """Return the state of a server that welcomes requests.

        Raises:
            ApiError: it is busy or stopping, or there is none.
        """
        return self._get("/ready", None, State)

    def close(self) -> None:
        """Close this thread's connection; the next request opens another."""
        connection = getattr(self._of_thread, "connection", None)
        if connection is not None:
            connection.close()
            self._of_thread.connection = None

    def __enter__(self) -> Client:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close this thread's connection."""
        self.close()

    def _get(self, path: str, request: BaseModel | None, answer: type[_Answer]) -> _Answer:
        fields = request.model_dump(exclude_defaults=True) if request is not None else {}
        query = urlencode(fields, doseq=True)
        return self._ask("GET", f"{path}?{query}" if query else path, None, answer)

    def _post(self, path: str, request: BaseModel, answer: type[_Answer]) -> _Answer:
        body = request.model_dump_json(exclude_defaults=True).encode("utf-8")
        return self._ask("POST", path, body, answer)

    def _ask(self, method: str, path: str, body: bytes | None, answer: type[_Answer]) -> _Answer:
        """Return the answer to a request, sent again where that helps.

        Raises:
            ApiError: it was refused, or there was no answer.
        """
        for retry in range(self._retries + 1):
            try:
                status, headers, content = self._send(method, f"{self._base}{_PREFIX}{path}", body)
            except (http.client.HTTPException, OSError) as error:
                self.close()
                wait, refusal = 0.1 * 2**retry * random.uniform(0.5, 1), _none(error)
            else:
                if 200 <= status < 300:
                    return answer.model_validate_json(content)
                if headers.get("Connection") == "close":
                    self.close()
                refusal = ApiError(_message(content), status, headers.get("X-Request-ID"))
                if status not in _RETRIED:
                    raise refusal
                wait = _seconds(headers.get("Retry-After"))
            if retry == self._retries or wait > self._longest_wait:
                raise refusal
            self._sleep(wait)
        raise AssertionError("the loop returns or raises")

    def _send(
        self, method: str, path: str, body: bytes | None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = self._connection()
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection.request(method, path, body, headers)
        found = connection.getresponse()
        return found.status, found.headers, found.read()

    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None
        connection = getattr(self._of_thread, "connection", None)
        if connection is None:
            kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
            kind = kinds[self._parts.scheme]
            host = self._parts.hostname or ""
            connection = kind(host, self._parts.port, timeout=self._timeout)
            self._of_thread.connection = connection
        return connection


def _message(content: bytes) -> str:
    """Return the words of an error, which may be a proxy's and no JSON."""
    try:
        found: Any = json.loads(content)
        return str(found["error"])
    except (ValueError, KeyError, TypeError):
        return content[:200].decode("utf-8", "replace") or "The answer is empty."


def _none(error: Exception) -> ApiError:
    failure = ApiError(f"No answer: {error or type(error).__name__}.", None, None)
    failure.__cause__ = error
    return failure


def _seconds(retry_after: str | None) -> float:
    """Return the seconds of a Retry-After header; one, if there is none or it is a date."""
    return float(retry_after) if retry_after and retry_after.isdigit() else 1.0
