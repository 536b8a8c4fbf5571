"""A map of the movies: the model's candidate embeddings in two dimensions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from reelflow.base.nouns import MOVIE, Noun
from reelflow.encoding.encoded import EncodedData, Float32
from reelflow.report.blocks import Block, Figure, Section, Text
from reelflow.report.charts.lines import Place, Point, Scatter
from reelflow.report.words import count

MOST_MOVIES: Final = 1000
"""The most rated ones: more take a second for each thousand, and hide each other."""
MOST_GENRES: Final = 7
"""Genres with a colour of their own."""
OTHER: Final = "other"
NEIGHBOURS: Final = 3
"""Titles told beside a movie's own."""
_REGIONS: Final = 12
_PERPLEXITY: Final = 15
_STEPS: Final = 400
_LEAST_LIFT: Final = 1.5
"""A region is named by a genre that is so much more frequent there than everywhere."""


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
        "title and its nearest, drag to move, scroll or pinch to zoom, and search for a title."
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
    vectors = directions[shown]
    coordinates = project(vectors)
    genres = [catalogue.genres[i] for i in shown]
    groups, of_movie = main_genres(genres, vectors)
    sizes = np.sqrt(counts[shown] / counts[shown].max())
    titles = [catalogue.title[i] or catalogue.movie_id[i] for i in shown]
    points = [
        Point(
            float(x),
            float(y),
            titles[at],
            of_movie[at],
            float(sizes[at]),
            f"{count(int(counts[shown[at]]))} ratings" + _genres(genres[at]),
            tuple(map(int, near)),
        )
        for at, ((x, y), near) in enumerate(zip(coordinates, nearest(vectors), strict=True))
    ]
    items = noun.many if len(shown) == (counts > 0).sum() else f"most rated {noun.many}"
    return [
        Figure(
            f"The {count(len(shown))} {items}, coloured by main genre",
            Scatter(points, groups, regions(coordinates, genres)),
            f"Map of {count(len(shown))} {noun.many}; each point is {noun.a}.",
            wide=True,
        ),
        Text(
            f"t-SNE of unit vectors of {directions.shape[1]} dimensions: what is near can be "
            "trusted, distances between far regions cannot. The main genre is the one of its own "
            f"whose {noun.many} lie nearest."
        ),
    ]


def _genres(genres: Sequence[str]) -> str:
    return " · " + ", ".join(genres) if genres else ""


def project(vectors: Float32) -> npt.NDArray[np.float64]:
    """Return coordinates in two dimensions by t-SNE (van der Maaten and Hinton 2008).

    It starts from the principal components, and a few dozen movies keep these: the same model gives
    the same map.

    Args:
        vectors: unit vectors, float32 [movies, size], at least two movies.

    Returns:
        Each axis from -1 to 1, float64 [movies, 2].
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    # Movies with equal vectors, as those without ratings of their own, must not lie on one point.
    jitter = np.random.default_rng(0).normal(scale=1e-4, size=vectors.shape)
    apart = vectors + jitter
    if min(vectors.shape) < 2:  # a line
        apart = np.hstack([apart, np.zeros((len(apart), 1))])
    if len(vectors) < 4 * _PERPLEXITY:  # too few to have neighbourhoods
        spread = PCA(2, random_state=0).fit_transform(apart)
    else:
        spread = TSNE(
            perplexity=_PERPLEXITY, metric="cosine", init="pca", max_iter=_STEPS, random_state=0
        ).fit_transform(apart)
    coordinates = spread - (spread.max(axis=0) + spread.min(axis=0)) / 2
    largest = np.abs(coordinates).max(axis=0)
    return np.asarray(coordinates / np.where(largest > 0, largest, 1.0), np.float64)


def nearest(vectors: Float32) -> npt.NDArray[np.int64]:
    """Return each movie's nearest others by the cosine, the nearest first.

    Args:
        vectors: unit vectors, float32 [movies, size].

    Returns:
        int64 [movies, min(NEIGHBOURS, movies - 1)].
    """
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    return np.argsort(-cosines, axis=1, kind="stable")[:, : min(NEIGHBOURS, len(vectors) - 1)]


def main_genres(genres: Sequence[Sequence[str]], vectors: Float32) -> tuple[list[str], list[int]]:
    """Return the genres with colours, `OTHER` last, and the place in them of each movie's genre.

    A movie's main genre is the one of its own, among the coloured ones, whose movies' mean is
    nearest to it: files list genres by the alphabet, so their order tells nothing.

    Args:
        genres: of each movie.
        vectors: unit vectors of the movies, float32 [movies, size].
    """
    totals = Counter(genre for of_movie in genres for genre in of_movie)
    names = [name for name, _ in totals.most_common(MOST_GENRES)]
    has = np.array([[name in of_movie for name in names] for of_movie in genres], np.float32)
    if not names:
        return [OTHER], [0] * len(genres)
    means = has.T @ vectors
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    cosines = np.where(has > 0, vectors @ means.T, -np.inf)
    main = np.where(has.any(axis=1), cosines.argmax(axis=1), len(names))
    return [*names, OTHER], main.tolist()


def regions(coordinates: npt.NDArray[np.float64], genres: Sequence[Sequence[str]]) -> list[Place]:
    """Name the parts of a map by the genres that are frequent in them and rarer elsewhere.

    Args:
        coordinates: of the movies, float64 [movies, 2].
        genres: of each movie.

    Returns:
        A name and its place for each region that has one; none twice.
    """
    from sklearn.cluster import KMeans

    if len(coordinates) < 10 * _REGIONS:
        return []
    clusters: Any = KMeans(_REGIONS, n_init=1, random_state=0).fit(coordinates)
    everywhere = Counter(genre for of_movie in genres for genre in of_movie)
    lifts: list[tuple[float, str, int]] = []
    for at in range(_REGIONS):
        own = np.flatnonzero(clusters.labels_ == at)
        here = Counter(genre for i in own for genre in genres[i])
        for genre, number in here.items():
            lift = number / len(own) * len(genres) / everywhere[genre]
            if lift >= _LEAST_LIFT and number >= len(own) / 4:
                lifts.append((lift, genre, at))
    named: dict[int, str] = {}
    for _, genre, at in sorted(lifts, reverse=True):
        if at not in named and genre not in named.values():
            named[at] = genre
    centres = clusters.cluster_centers_.tolist()
    return [Place(centres[at][0], centres[at][1], name) for at, name in named.items()]
