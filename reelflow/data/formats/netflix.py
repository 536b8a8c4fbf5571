"""The Netflix Prize data as CSV: no timestamps; movie names unquoted although they hold commas."""

from __future__ import annotations

from reelflow.base import columns
from reelflow.config import Format
from reelflow.data.formats.adapter import Adapter
from reelflow.data.formats.layouts import TableLayout

TITLES = TableLayout(
    "movies",
    delimiter=",",
    columns=(columns.MOVIE_ID, columns.YEAR, columns.TITLE),
    quoted=False,
    rest=3,
)
"""`movie_titles.txt` of the original release, and `movie_titles.csv` of its copies: no header."""

ADAPTER = Adapter(
    format=Format.NETFLIX,
    ratings="Netflix_Dataset_Rating.csv",
    movies="Netflix_Dataset_Movie.csv",
    users="",
    delimiter=",",
    mapping={
        columns.USER_ID: "User_ID",
        columns.MOVIE_ID: "Movie_ID",
        columns.RATING: "Rating",
    },
    scale=(1.0, 5.0),
    movies_layout=TableLayout("movies", delimiter=",", quoted=False, rest=3),
)
