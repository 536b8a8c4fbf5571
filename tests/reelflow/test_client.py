"""The client against the server over a real socket, and against one that is busy or breaks off."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import ValidationError

from reelflow.base.errors import BadInput
from reelflow.client import ApiError, Client, RatingRequest, RecommendRequest, SimilarRequest
from reelflow.serving.access import Access, Key
from reelflow.serving.limits import Limits
from reelflow.serving.messages import ProfileRequest
from tests.reelflow.serving.live import live

TEXT, KEY = Key.make("shop", ["read"])


@pytest.fixture(scope="module")
def address(pushed: Path) -> Iterator[str]:
    access = Access([KEY], ("localhost",))
    with live(pushed, limits=Limits(idle_seconds=1), access=access) as url:
        yield url


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[Client]:
    with Client(address, key=TEXT) as client:
        yield client


def test_everything_is_asked_and_typed(client: Client) -> None:
    request = RecommendRequest(user_id="1", ratings={"2": 4.5}, k=3, explain=True)
    found = client.recommend(request)
    assert len(found.items) == 3
    assert found.source == "user"
    assert client.rate(RatingRequest(user_id="1", movie_id="2")).known_user
    near = client.similar("1", SimilarRequest(k=2))
    assert (near.film.movie_id, len(near.items)) == ("1", 2)
    assert len(client.similar("1").items) == 10
    assert client.movie("1") == near.film
    assert [one.movie_id for one in client.find("toy", limit=1).items] == ["1"]
    assert client.profile(ProfileRequest(user_id="1", liked=["2"], k=5)).count == 2
    assert client.version().model_version == 7
    assert client.ready().status == "ready"


def test_refusals_have_a_status_and_words(client: Client, address: str) -> None:
    with pytest.raises(ApiError, match="no movie") as unknown:
        client.movie("none/such?x")
    assert unknown.value.status == 404
    assert unknown.value.request_id
    with pytest.raises(ApiError, match="API key") as without:
        Client(address).version()
    assert without.value.status == 401
    with pytest.raises(ValidationError):  # before it is sent
        RecommendRequest(k=0)
    with pytest.raises(BadInput, match="address"):
        Client("localhost:8501")


def test_threads_and_closed_connections(client: Client) -> None:
    def ask(user: int) -> int:
        return len(client.recommend(RecommendRequest(user_id=str(user), k=2)).items)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(ask, range(1, 13))) == [2] * 12
    client.version()
    connection = client._connection()
    connection.sock.close()  # as if the server had closed it between two requests
    assert client.version().model_version == 7


@contextmanager
def _scripted(answers: list[bytes]) -> Iterator[str]:
    """A server that gives these answers in turn, each on a connection of its own."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            self.wfile.write(answers.pop(0))

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/movies/"
        server.shutdown()
        thread.join()


def _answer(status: str, body: bytes, *headers: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status}".encode(), b"Connection: close", *headers]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", body])


READY = _answer("200 OK", b'{"status": "ready"}')
BUSY = _answer("503 Service Unavailable", b'{"error": "busy"}', b"Retry-After: 7")


def test_a_busy_server_is_asked_again_when_it_says() -> None:
    waits: list[float] = []
    slow_down = _answer("429 Too Many Requests", b"{}", b"Retry-After: 2")
    with _scripted([BUSY, slow_down, b"", READY]) as url:
        assert Client(url, sleep=waits.append).ready().status == "ready"
    assert waits[:2] == [7, 2]
    assert 0 < waits[2] < 1


def test_it_gives_up_in_the_end() -> None:
    waits: list[float] = []
    with _scripted([BUSY] * 3) as url, pytest.raises(ApiError, match="busy") as busy:
        Client(url, retries=2, sleep=waits.append).ready()
    assert (busy.value.status, waits) == (503, [7, 7])
    with _scripted([BUSY]) as url, pytest.raises(ApiError):
        Client(url, longest_wait=5, sleep=waits.append).ready()
    with pytest.raises(ApiError, match="No answer") as none:
        Client("http://127.0.0.1:1", retries=0).ready()
    assert none.value.status is None


def test_an_error_of_a_proxy_need_not_be_json() -> None:
    for body in (b"<html>Bad gateway</html>", json.dumps(["x"]).encode()):
        with _scripted([_answer("502 Bad Gateway", body)]) as url, pytest.raises(ApiError) as bad:
            Client(url).ready()
        assert (bad.value.status, bad.value.message) == (502, body.decode())
