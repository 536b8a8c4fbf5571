"""The Netflix Prize data, whose names of movies are unquoted although they hold commas.

- As published: `training_set/mv_0000001.txt` and so on, or the four `combined_data_1.txt` of the
  copies, with dates.
- As CSV, without times.
"""

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

PRIZE = Adapter(
    format=Format.NETFLIX_PRIZE,
    ratings="combined_data_*.txt|mv_*.txt",
    movies="movie_titles.csv|movie_titles.txt",
    users="",
    delimiter=",",
    scale=(1.0, 5.0),
    movies_layout=TITLES,
    movies_required=False,
)
