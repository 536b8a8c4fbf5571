"""Downloads against a local HTTP server that knows Range, and can be told to misbehave."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import shutil
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from reelflow.base.errors import BadInput, ReelflowError
from reelflow.data import download as module
from reelflow.data.download import download
from reelflow.data.sets import PUBLIC_SETS, PublicFile

NAME = "movielens-latest-small"  # its checksum comes from the server
FILE = "ml-latest-small.zip"


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip file with these files, not compressed."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


# Noise, several chunks long.
RATINGS = np.random.default_rng(0).bytes(700_000)
GOOD = zipped({"ml-latest-small/ratings.csv": RATINGS, "ml-latest-small/README.txt": b"terms"})


@dataclass
class Site:
    """What the server has and how it behaves."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: list[int] = field(default_factory=list)
    """Bytes after which the next answers break off, one for each answer."""
    ranges: bool = True
    """Whether it answers to Range."""
    status: int = 200
    """Anything else is the answer to every request."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Paths and ranges of all requests."""

    def offer(self, content: bytes, md5: str | None = None) -> None:
        """Publish a zip file and its checksum."""
        digest = md5 or hashlib.md5(content, usedforsecurity=False).hexdigest()
        self.files = {f"/{FILE}": content, f"/{FILE}.md5": f"MD5 ({FILE}) = {digest}\n".encode()}


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(module, "_PAUSE", 0.0)
    state = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers["Range"]
            state.asked.append((self.path, wanted))
            content = state.files.get(self.path)
            if content is None or state.status != 200:
                self.send_error(404 if content is None else state.status)
                return
            start = int(wanted[len("bytes=") : -1]) if wanted and state.ranges else 0
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            body = content[start:]
            if self.path.endswith(".zip") and state.cut_after:
                body = body[: state.cut_after.pop(0)]
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def zip_requests(site: Site) -> list[str | None]:
    """The ranges that the zip file was asked for."""
    return [wanted for path, wanted in site.asked if path == f"/{FILE}"]


def test_downloads_checks_and_unpacks(site: Site, tmp_path: Path) -> None:
    site.offer(GOOD)
    told: list[tuple[int, int | None]] = []
    folder = download(
        NAME, tmp_path / "data", base_url=site.url, progress=lambda *now: told.append(now)
    )
    assert folder == tmp_path / "data" / NAME
    assert (folder / "ratings.csv").read_bytes() == RATINGS
    assert sorted(path.name for path in folder.iterdir()) == ["README.txt", "ratings.csv"]
    assert list(folder.parent.iterdir()) == [folder]  # nothing else is left
    assert told[0] == (0, len(GOOD))
    assert told[-1] == (len(GOOD), len(GOOD))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    asked = len(site.asked)
    assert download(NAME, tmp_path / "data", base_url=site.url) == folder
    assert len(site.asked) == asked  # it was there already


def test_goes_on_after_cut_connections_within_one_call(site: Site, tmp_path: Path) -> None:
    site.offer(GOOD)
    site.cut_after = [300_000, 300_000]
    folder = download(NAME, tmp_path, base_url=site.url)
    assert (folder / "ratings.csv").read_bytes() == RATINGS
    assert zip_requests(site) == [None, "bytes=300000-", "bytes=600000-"]


def test_goes_on_the_next_time(site: Site, tmp_path: Path) -> None:
    site.offer(GOOD)
    site.cut_after = [400_000, 0, 0, 0]
    with pytest.raises(ReelflowError, match="goes on from where it stopped"):
        download(NAME, tmp_path, base_url=site.url)
    assert not (tmp_path / NAME).exists()
    assert (tmp_path / f"{FILE}.part").stat().st_size == 400_000
    site.asked.clear()
    told: list[int] = []
    download(NAME, tmp_path, base_url=site.url, progress=lambda done, _: told.append(done))
    assert zip_requests(site) == ["bytes=400000-"]
    assert told[0] == 400_000
    assert (tmp_path / NAME / "ratings.csv").read_bytes() == RATINGS


def test_starts_over_where_the_server_knows_no_ranges(site: Site, tmp_path: Path) -> None:
    site.offer(GOOD)
    site.ranges = False
    (tmp_path / f"{FILE}.part").write_bytes(b"x" * 1000)
    folder = download(NAME, tmp_path, base_url=site.url)
    assert (folder / "ratings.csv").read_bytes() == RATINGS


def test_unpacks_what_was_whole_already(site: Site, tmp_path: Path) -> None:
    site.offer(GOOD)
    (tmp_path / f"{FILE}.part").write_bytes(GOOD)
    (tmp_path / f".{NAME}.unpacking").mkdir()  # the last attempt broke off while unpacking
    assert (download(NAME, tmp_path, base_url=site.url) / "README.txt").read_bytes() == b"terms"
    assert not (tmp_path / f".{NAME}.unpacking").exists()


def test_a_wrong_checksum_is_refused_and_the_file_removed(site: Site, tmp_path: Path) -> None:
    site.offer(GOOD, md5="0" * 32)
    with pytest.raises(ReelflowError, match=r"MD5 is .* not 0{32}") as caught:
        download(NAME, tmp_path, base_url=site.url)
    assert "Run the download again" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_known_checksum_is_not_asked_for(site: Site, tmp_path: Path) -> None:
    site.files = {"/ml-100k.zip": zipped({"ml-100k/u.data": b"1\t2\t3\t4\n"})}
    with pytest.raises(ReelflowError, match="0e33842e24a9c977be4e0107933c0723"):
        download("movielens-100k", tmp_path, base_url=site.url)
    assert [path for path, _ in site.asked] == ["/ml-100k.zip"]


def test_without_a_published_checksum_the_zip_files_own_checks_apply(
    site: Site, tmp_path: Path
) -> None:
    site.files = {f"/{FILE}": GOOD}
    assert download(NAME, tmp_path / "good", base_url=site.url).is_dir()
    at = GOOD.index(RATINGS[:50])
    site.files = {f"/{FILE}": GOOD[:at] + bytes([GOOD[at] ^ 1]) + GOOD[at + 1 :]}
    with pytest.raises(ReelflowError, match="no intact zip file"):
        download(NAME, tmp_path / "bad", base_url=site.url)
    assert list((tmp_path / "bad").iterdir()) == []


def test_an_error_page_instead_of_a_checksum_is_noticed(site: Site, tmp_path: Path) -> None:
    site.files = {f"/{FILE}": GOOD, f"/{FILE}.md5": b"<html>Please log in</html>"}
    with pytest.raises(ReelflowError, match="holds no checksum"):
        download(NAME, tmp_path, base_url=site.url)


class Member(NamedTuple):
    """A name that must not be unpacked."""

    name: str
    mode: int = 0o100644


@pytest.mark.parametrize(
    "member",
    [
        Member("../evil.txt"),
        Member("ml-latest-small/../../evil.txt"),
        Member("/evil.txt"),
        Member("..\\evil.txt"),
        Member("C:evil.txt"),
        Member("ml-latest-small/link", 0o120777),
    ],
    ids=lambda member: member.name,
)
def test_a_zip_file_that_leads_out_of_the_folder_is_refused(
    site: Site, tmp_path: Path, member: Member
) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("ml-latest-small/ratings.csv", b"fine")
        info = zipfile.ZipInfo("x")
        info.filename = member.name  # as it is, whatever this system makes of backslashes
        info.external_attr = member.mode << 16
        archive.writestr(info, b"/etc/passwd")
    site.offer(out.getvalue())
    with pytest.raises(ReelflowError, match="leads out of the folder"):
        download(NAME, tmp_path / "a" / "data", base_url=site.url)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{FILE}.part"]


@pytest.mark.parametrize("content", [b"not a zip file", zipped({})], ids=["no zip", "empty zip"])
def test_what_is_no_zip_file_is_refused(site: Site, tmp_path: Path, content: bytes) -> None:
    site.offer(content)
    with pytest.raises(ReelflowError, match="no intact zip file"):
        download(NAME, tmp_path, base_url=site.url)
    assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize("status", [403, 503])
def test_a_server_that_refuses_is_named(site: Site, tmp_path: Path, status: int) -> None:
    site.offer(GOOD)
    site.status = status
    with pytest.raises(ReelflowError, match=rf"{FILE}.*: cannot be downloaded: {status}") as caught:
        download(NAME, tmp_path, base_url=site.url)
    assert caught.value.exit_code == 1


def test_a_server_that_is_gone_is_named(site: Site, tmp_path: Path) -> None:
    with pytest.raises(ReelflowError, match=r"cannot be downloaded.*refused"):
        download("movielens-1m", tmp_path, base_url="http://127.0.0.1:9")


def test_no_room_is_said_before_the_download(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.offer(GOOD)
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(ReelflowError, match="are needed and 0 MB are free"):
        download(NAME, tmp_path, base_url=site.url)


def test_a_folder_that_cannot_be_written_is_named(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ReelflowError, match="file: cannot be written"):
        download(NAME, tmp_path / "file", base_url=site.url)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("movielens-25", "Did you mean movielens-25m"),
        ("ml-1m", "Did you mean movielens-1m"),
        ("zzz", "There are: sample, movielens-100k"),
        ("netflix", "not on offer any more"),
        ("sample", "built in"),
    ],
)
def test_names_that_cannot_be_downloaded_get_an_answer(
    tmp_path: Path, name: str, said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        download(name, tmp_path, base_url="http://127.0.0.1:9")


def test_a_set_of_several_files_is_there_with_all_of_them(site: Site, tmp_path: Path) -> None:
    site.files = {"/ratings.dat": b"1::0111161::9::1375657563\n"}
    with pytest.raises(ReelflowError, match=r"movies\.dat: cannot be downloaded: 404"):
        download("movietweetings", tmp_path, base_url=site.url)
    assert not (tmp_path / "movietweetings").exists()
    site.files["/movies.dat"] = b"0111161::One (1994)::Drama\n"
    folder = download("movietweetings", tmp_path, base_url=site.url)
    assert site.asked[-2:] == [("/ratings.dat", "bytes=26-"), ("/movies.dat", None)]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name.removeprefix("/"): content for name, content in site.files.items()
    }
    assert list(tmp_path.iterdir()) == [folder]


def test_a_file_that_has_changed_on_the_server_is_fetched_anew(site: Site, tmp_path: Path) -> None:
    site.files = {"/ratings.dat": b"1::2::9::5\n", "/movies.dat": b"2::Two::\n"}
    (tmp_path / "movietweetings-ratings.dat.part").write_bytes(b"1::2::9::5\n1::3::9::5\n")
    folder = download("movietweetings", tmp_path, base_url=site.url)
    assert (folder / "ratings.dat").read_bytes() == b"1::2::9::5\n"


def test_the_id_that_git_gives_a_file_is_its_checksum(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hello = PublicFile("https://example.org/ratings.csv", 1, f"git:{'0' * 40}")
    public = dataclasses.replace(PUBLIC_SETS["goodbooks-10k"], files=(hello,))
    monkeypatch.setitem(PUBLIC_SETS, "goodbooks-10k", public)
    site.files = {"/ratings.csv": b"hello\n"}  # which `git hash-object` says is ce0136...
    with pytest.raises(ReelflowError, match="Git id is ce013625030ba8dba906f756967f9e9ca394464a"):
        download("goodbooks-10k", tmp_path, base_url=site.url)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_gzip_file_is_noticed_without_a_checksum(site: Site, tmp_path: Path) -> None:
    name, file = "amazon-2023-video-games", "Video_Games.csv.gz"
    packed = gzip.compress(b"user_id,parent_asin,rating,timestamp\n")
    site.files = {f"/{file}": packed}
    assert (download(name, tmp_path, base_url=site.url) / file).read_bytes() == packed
    site.files = {f"/{file}": packed[:-4]}
    with pytest.raises(ReelflowError, match="no intact gzip file"):
        download(name, tmp_path / "damaged", base_url=site.url)


def test_a_web_page_instead_of_the_file_is_noticed(site: Site, tmp_path: Path) -> None:
    site.files = {"/ratings.dat": b"<!DOCTYPE html><html>Please log in</html>"}
    with pytest.raises(ReelflowError, match="a web page and not the file"):
        download("movietweetings", tmp_path, base_url=site.url)
    assert list(tmp_path.iterdir()) == []
