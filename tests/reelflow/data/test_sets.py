"""The table of public sets: each can be downloaded, checked where possible, and read."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from reelflow.base import columns
from reelflow.config.loading import bundled_names, load
from reelflow.data.inputs import open_data
from reelflow.data.parse import Rules, parse_files
from reelflow.data.sets import NAMES, PUBLIC_SETS, PublicSet, licence_notice


@pytest.fixture(params=PUBLIC_SETS)
def public(request: pytest.FixtureRequest) -> PublicSet:
    return PUBLIC_SETS[request.param]


def test_every_set_says_what_its_publisher_asks(public: PublicSet) -> None:
    notice = licence_notice(public.name)
    assert "Cite:" in notice
    assert public.page in notice
    assert public.publisher in notice


def test_addresses_and_checksums_are_well_formed(public: PublicSet) -> None:
    for file in public.files:
        assert re.fullmatch(r"https?://[\w./~-]+", file.url)
        assert file.checksum is None or re.fullmatch(
            r"md5:[0-9a-f]{32}|git:[0-9a-f]{40}", file.checksum
        )
    # Files that are unpacked come alone.
    assert len(public.files) == 1 or not any(f.name.endswith(".zip") for f in public.files)


def test_each_set_has_a_bundled_configuration(public: PublicSet) -> None:
    assert public.config in bundled_names()
    load(public.config)


def test_names_and_conditions() -> None:
    assert {*PUBLIC_SETS, "netflix"} == set(NAMES)
    assert "needs permission from GroupLens. It comes" in licence_notice("movielens-1m")
    assert "under the same conditions" in licence_notice("movielens-25m")
    assert "Attribution-ShareAlike" in licence_notice("goodbooks-10k")


def test_the_check_of_a_download_is_named_as_it_is() -> None:
    assert PUBLIC_SETS["movielens-1m"].checked_by == "MD5"
    assert PUBLIC_SETS["movielens-32m"].checked_by == "MD5"
    assert PUBLIC_SETS["goodbooks-10k"].checked_by == "SHA-1"
    assert PUBLIC_SETS["jester"].checked_by == "CRC"
    assert PUBLIC_SETS["movietweetings"].checked_by == "length"


EXCERPTS = {
    "movietweetings": {
        "ratings.dat": b"1::0111161::10::1365029107\n2::0068646::0::1366576639\n",
        "movies.dat": b"0111161::Am\xc3\xa9lie (1994)::Drama\n0068646::Heat (1972)::Crime|War\n",
    },
    "goodbooks-10k": {
        "ratings.csv": b"user_id,book_id,rating\n1,258,5\n2,4081,4\n",
        "books.csv": b"book_id,goodreads_book_id,isbn,authors,original_publication_year,title\n"
        b'258,1,9,Carlos,2001.0,"The Shadow (A, #1)"\n4081,258,9,"A, B",-750.0,Odyssey\n',
    },
    "book-crossing": {
        "BX-Book-Ratings.csv": b'"User-ID";"ISBN";"Book-Rating"\r\n"1";"034545104X";"0"\r\n'
        b'"2";"0155061224";"5"\r\n"3";"034545104X";"10"\r\n',
        "BX-Books.csv": b'"ISBN";"Book-Title";"Book-Author";"Year-Of-Publication"\r\n'
        b'"034545104X";"Flesh Tones: A Novel";"M. J. Rose";"2002"\r\n'
        b'"0155061224";"Sch\xf6n \\"so\\"; 2";"Judith Rae";"2001"\r\n',
        "BX-Users.csv": b'"User-ID";"Location";"Age"\r\n"1";"nyc, usa";NULL\r\n',
    },
    "jester": {
        "jester_ratings.dat": b"1\t\t5\t\t0.219\n1\t\t7\t\t-9.281\n",
        "jester_items.dat": b"1: \n<p>\nA joke.\n</p>\n",
    },
    "amazon-2023-video-games": {
        "Video_Games.csv.gz": gzip.compress(
            b"user_id,parent_asin,rating,timestamp\nA,B1,5.0,1588615855070\nB,B2,4.0,1588615855071\n"
        ),
    },
}
"""Made-up files in the form of the published ones."""
READ = {
    "movietweetings": [("1", "0111161", 10.0), ("2", "0068646", 0.0)],
    "goodbooks-10k": [("1", "258", 5.0), ("2", "4081", 4.0)],
    "book-crossing": [("2", "0155061224", 5.0), ("3", "034545104X", 10.0)],
    "jester": [("1", "5", 0.219), ("1", "7", -9.281)],
    "amazon-2023-video-games": [("A", "B1", 5.0), ("B", "B2", 4.0)],
}
TITLES = {
    "movietweetings": [("Am\u00e9lie (1994)", 1994), ("Heat (1972)", 1972)],
    "goodbooks-10k": [("The Shadow (A, #1)", 2001), ("Odyssey", -750)],
    "book-crossing": [("Flesh Tones: A Novel", 2002), ('Sch\u00f6n "so"; 2', 2001)],
}


@pytest.mark.parametrize("name", EXCERPTS)
def test_the_bundled_configuration_reads_the_files_as_published(name: str, tmp_path: Path) -> None:
    for file, content in EXCERPTS[name].items():
        (tmp_path / file).write_bytes(content)
    source = open_data(load(PUBLIC_SETS[name].config), str(tmp_path))
    movies = source.read_movies()
    ((_, parsed),) = parse_files(source.ratings_files, Rules.of(source, movies), 2**20)
    assert parsed.rejected.num_rows == 0
    names = (columns.USER_ID, columns.MOVIE_ID, columns.RATING)
    rows = zip(*(parsed.ratings.column(column).to_pylist() for column in names), strict=True)
    assert [(user, movie, round(rating, 3)) for user, movie, rating in rows] == READ[name]
    if name.startswith("amazon"):
        assert parsed.ratings.column(columns.TIMESTAMP).to_pylist() == [1588615855] * 2
    if name in TITLES:
        found = zip(
            *(movies.column(at).to_pylist() for at in (columns.TITLE, columns.YEAR)), strict=True
        )
        assert list(found) == TITLES[name]
    else:
        assert movies is None
