"""Movies' own pictures: which are shown, and that no other file is sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from reelflow.base.errors import BadInput
from reelflow.serving.app import create_app
from reelflow.serving.limits import Limits
from reelflow.serving.middleware import Metrics
from reelflow.serving.posters import Posters
from reelflow.serving.versions import Versions

PICTURE = b"\x89PNG\r\n\x1a\n picture"
TABLE = """movieId,title,Poster URL
1,Toy Story (1995),posters/1.png
2,Jumanji (1995),https://images.example.org:8080/2.jpg?w=300
3,Twins (1988),../secret.png
4,Twins (1988),posters/4.svg
5,Movie 5 (1995),
6,Movie 6 (1996),posters/gone.jpg
7,Movie 7 (1997),https://evil.example;script-src/7.jpg
8,Movie 8 (1998),posters/link.png
1,Toy Story (1995),posters/4.png
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A movies' file beside some pictures."""
    folder = tmp_path / "data"
    (folder / "posters").mkdir(parents=True)
    (folder / "posters" / "1.png").write_bytes(PICTURE)
    (tmp_path / "secret.png").write_text("secret")
    (folder / "posters" / "link.png").symlink_to(tmp_path / "secret.png")
    file = folder / "movies.csv"
    file.write_text(TABLE)
    return file


def test_files_below_the_tables_folder_and_addresses_if_allowed(table: Path) -> None:
    own = Posters(table)
    assert own.hosts == ()
    shown = {movie: own.address(movie) for movie in "12345678"}
    assert {movie for movie, address in shown.items() if address} == {"1", "6"}
    assert shown["1"] == "posters/1"
    assert own.file("1") == (table.parent / "posters" / "1.png", "image/png")
    assert own.file("6") is None  # not there: the page keeps the drawn one
    allowed = Posters(table, elsewhere=True)
    assert allowed.address("2") == "https://images.example.org:8080/2.jpg?w=300"
    assert allowed.address("7") is None
    assert allowed.hosts == ("https://images.example.org:8080",)


def test_a_file_that_became_a_link_is_not_sent(table: Path) -> None:
    own = Posters(table)
    file = table.parent / "posters" / "1.png"
    file.unlink()
    file.symlink_to(table.parents[1] / "secret.png")
    assert own.file("1") is None


def test_hosts_too_many_to_name(tmp_path: Path) -> None:
    table = tmp_path / "posters.csv"
    rows = [f"{n},https://images{n}.example.org/{n}.jpg" for n in range(40)]
    table.write_text("\n".join(["movie_id,poster", *rows]))
    assert Posters(table, elsewhere=True).hosts == ("http:", "https:")


def test_a_table_without_pictures_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "movies.csv"
    table.write_text("movieId,title\n1,Toy Story\n")
    with pytest.raises(BadInput, match="no columns movie_id and poster"):
        Posters(table)
    with pytest.raises(BadInput):
        Posters(tmp_path / "not there.csv")


def test_answers_name_them_and_the_policy_their_hosts(table: Path, pushed: Path) -> None:
    posters = Posters(table, elsewhere=True)
    versions = Versions(pushed, Limits(batch=2), Metrics(), posters=posters)
    with TestClient(create_app(versions, posters=posters)) as client:
        addresses = {
            movie: client.get(f"/api/v1/films/{movie}").json()["poster"] for movie in "125"
        }
        assert addresses["1"] == "posters/1"
        assert addresses["2"].startswith("https://images.example.org")
        assert addresses["5"] is None
        answer = client.get("/posters/1")
        assert answer.content == PICTURE
        assert answer.headers["content-type"] == "image/png"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'self';")
        assert policy.endswith("img-src 'self' https://images.example.org:8080")
        for path in ("/posters/6", "/posters/2", "/posters/../movies.csv", "/posters/nobody"):
            assert client.get(path).status_code == 404
