"""Tiny data folders in every source format, written by the tests that read them."""

from __future__ import annotations

import gzip
from pathlib import Path

GENRE_FLAGS = 19


def movielens_100k(folder: Path) -> Path:
    """Three ratings, two movies (the second without a release date), two users."""
    action = ["0"] * GENRE_FLAGS
    action[1] = action[5] = "1"
    unknown = ["1"] + ["0"] * (GENRE_FLAGS - 1)
    items = [
        "|".join(["1", "Les Misérables (1995)", "20-Oct-1995", "", "http://x", *action]),
        "|".join(["2", "unknown", "", "", "", *unknown]),
    ]
    (folder / "u.item").write_bytes(("\n".join(items) + "\n").encode("latin-1"))
    (folder / "u.data").write_text(
        "196\t1\t3\t881250949\n186\t2\t5\t891717742\n196\t2\t1\t881250950\n"
    )
    (folder / "u.user").write_text("196|49|M|writer|55105\n186|39|F|executive|\n")
    return folder


def movielens_1m(folder: Path) -> Path:
    """Two ratings, two movies, one user."""
    movies = "1::Toy Story (1995)::Animation|Children's\n2::Léon: The Professional (1994)::Crime\n"
    (folder / "movies.dat").write_bytes(movies.encode("latin-1"))
    (folder / "ratings.dat").write_text("1::1::5::978300760\n1::2::3::978302109\n")
    (folder / "users.dat").write_text("1::F::1::10::48067\n")
    return folder


def movielens_csv(folder: Path) -> Path:
    """Two ratings with CRLF, three movies of which one has a quoted title."""
    (folder / "ratings.csv").write_bytes(
        b"userId,movieId,rating,timestamp\r\n1,1,4.0,964982703\r\n1,11,0.5,964981247\r\n"
    )
    (folder / "movies.csv").write_bytes(
        b"movieId,title,genres\r\n1,Toy Story (1995),Adventure|Comedy\r\n"
        b'11,"American President, The (1995)",Comedy|Drama\r\n'
        b'3,"Say ""Hi""",(no genres listed)\r\n'
    )
    (folder / "tags.csv").write_text("userId,movieId,tag,timestamp\n1,1,fun,964982703\n")
    return folder


def netflix(folder: Path) -> Path:
    """Two ratings without time, two movies whose names hold commas."""
    (folder / "Netflix_Dataset_Rating.csv").write_text(
        "User_ID,Rating,Movie_ID\n712664,5,3\n1331154,4,8\n"
    )
    (folder / "Netflix_Dataset_Movie.csv").write_text(
        "Movie_ID,Year,Name\n3,1997,Character\n8,2004,What the #$*! Do We Know!?, Part 2, Again\n"
    )
    return folder


def own_csv(folder: Path) -> Path:
    """Two gzip files and a plain one by semicolons, with names of their own; no movies' file."""
    header = "when;stars;customer;movie\n"
    (folder / "log-1.csv.gz").write_bytes(gzip.compress(f"{header}100;5;a;x\n".encode()))
    (folder / "log-2.csv.gz").write_bytes(gzip.compress(f"{header}200;4;b;x\n".encode()))
    (folder / "log-3.csv").write_text(f"{header}300;3;a;y\n")
    return folder
