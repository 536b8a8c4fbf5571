"""A map of the movies: the model's candidate embeddings in two dimensions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from reelflow.base.nouns import MOVIE, Noun
from reelflow.encoding.encoded import EncodedData, Float32
from reelflow.report.blocks import Block, Figure, Section, Text
from reelflow.report.charts.lines import Point, Scatter
from reelflow.report.words import count, percent

MOST_MOVIES = 3000
MOST_GENRES = 7
"""Genres with a colour of their own."""
OTHER = "other"


def map_section(directions: Float32 | None, data: EncodedData, noun: Noun = MOVIE) -> Section:
    """Draw the map of the most rated movies.

    Args:
        directions: unit vectors of all movies in vocabulary order, float32 [movies, size]; None if
            the model has none.
        data: for titles, genres and numbers of ratings.
        noun: the word for an item.
    """
    lead = (
        f"{noun.labels} that the model finds alike lie near each other. Point at one for its "
        "title, drag to move, scroll or pinch to zoom, and search for a title."
    )
    return Section("map", f"The map of {noun.many}", lead, _blocks(directions, data, noun))


def _blocks(directions: Float32 | None, data: EncodedData, noun: Noun) -> list[Block]:
    catalogue = data.catalogue
    if directions is None or len(directions) != len(catalogue):
        return [Text("This model has no candidate embeddings to draw.")]
    counts = data.rating_counts
    shown = np.argsort(-counts, kind="stable")[:MOST_MOVIES]
    shown = shown[counts[shown] > 0]
    if len(shown) < 2:
        return [Text(f"Too few {noun.many} have ratings for a map.")]
    coordinates, share = project(directions[shown])
    groups, of_movie = main_genres([catalogue.genres[i] for i in shown])
    sizes = np.sqrt(counts[shown] / counts[shown].max())
    points = [
        Point(
            float(x),
            float(y),
            catalogue.title[i] or catalogue.movie_id[i],
            group,
            float(size),
            f"{count(int(counts[i]))} ratings" + _genres(catalogue.genres[i]),
        )
        for (x, y), i, group, size in zip(coordinates, shown, of_movie, sizes, strict=True)
    ]
    items = noun.many if len(shown) == (counts > 0).sum() else f"most rated {noun.many}"
    return [
        Figure(
            f"The {count(len(shown))} {items}, coloured by main genre",
            Scatter(points, groups),
            f"Map of {count(len(shown))} {noun.many}; each point is {noun.a}.",
            wide=True,
        ),
        Text(
            f"Two principal components of unit vectors of {directions.shape[1]} dimensions; they "
            f"hold {percent(share)} of the variance, so neighbours on the map are a hint, no proof."
        ),
    ]


def _genres(genres: Sequence[str]) -> str:
    return " · " + ", ".join(genres) if genres else ""


def project(vectors: Float32) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float64]], float]:
    """Return two principal components (Pearson 1901), each axis scaled to -1 to 1.

    Args:
        vectors: float32 [movies, size], at least two movies.

    Returns:
        Coordinates, float64 [movies, 2], and the share of the variance that they hold. Signs are
        such that each axis' largest weight is positive: the same model gives the same map.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    variances, axes = np.linalg.eigh(centred.T @ centred)
    first = axes[:, ::-1][:, :2]
    first = first * np.sign(first[np.abs(first).argmax(axis=0), np.arange(first.shape[1])])
    coordinates = centred @ first
    if coordinates.shape[1] == 1:
        coordinates = np.concatenate([coordinates, np.zeros_like(coordinates)], axis=1)
    coordinates = coordinates - (coordinates.max(axis=0) + coordinates.min(axis=0)) / 2
    largest = np.abs(coordinates).max(axis=0)
    total = float(variances.sum())
    share = float(variances[::-1][:2].sum() / total) if total > 0 else 1.0
    return coordinates / np.where(largest > 0, largest, 1.0), share


def main_genres(genres: Sequence[Sequence[str]]) -> tuple[list[str], list[int]]:
    """Return the genres with colours, `OTHER` last, and the place in them of each movie's genre.

    A movie's main genre is its rarest among the coloured ones: most movies are dramas or comedies
    as well, which tells least of them.
    """
    totals = Counter(genre for of_movie in genres for genre in of_movie)
    names = [name for name, _ in totals.most_common(MOST_GENRES)]
    rank = {name: i for i, name in enumerate(names)}
    return [*names, OTHER], [
        max((rank[genre] for genre in of_movie if genre in rank), default=len(names))
        for of_movie in genres
    ]
