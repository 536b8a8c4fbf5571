"""Invented movie titles for the synthetic sample, with the oddities that real catalogues have."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

ADJECTIVES: Final = (
    "Silent Crimson Borrowed Hollow Golden Forgotten Electric Paper Winter Midnight Second "
    "Broken Distant Hidden Velvet Burning Quiet Reckless Endless Invisible Frozen Wandering Amber "
    "Perfect Crooked Lonely Painted Restless Savage Tender Northern Stolen Patient Glass Iron "
    "Blind Scarlet Sunken Radiant Bitter Gentle Empty Wild Sacred Faithful Secret Copper Drowned "
    "Clever Last"
).split()
NOUNS: Final = (
    "Harbour Orchard Detective Lantern Kingdom Clockmaker Horizon Garden Verdict Traveller "
    "Machine Island Letter Sister Circus Captain Mountain Promise Shadow Piano Stranger Bridge "
    "Engine River Witness Comet Gardener Summer Lighthouse Reckoning Cartographer Window Highway "
    "Falcon Dream Empire Magician Winter Telephone Carnival Frontier Passenger Violin Labyrinth "
    "Storm Colony Widow Astronaut Tower Parade"
).split()
PLACES: Final = (
    "Lisbon Trieste Mars Montana Vienna Havana Kyoto Dublin Tangier Oslo Naples Prague Cairo "
    "Quebec Bergen Samarkand Valparaíso Málaga Kraków Zürich"
).split()
TEMPLATES: Final = (
    "The {a} {n}",
    "{a} {n}",
    "{a} {n}, The",  # as MovieLens files its articles: a title that holds a comma
    "The {n} of {p}",
    "{a} {n} in {p}",
    "Return to the {a} {n}",
    "{n} of the {a} {m}",
    "My {a} {n}",
)

SPECIAL: Final = (
    'The So-Called "Captain" of Oslo',
    "Café Noir, Décembre",
    "Señorita Relámpago",
    "Der Süße Schatten",
    "Łódź, My Love",
    "七つの静かな港",
    "Тихая гавань",
    'Who Said "Never Again", Anyway?',
)
"""Titles with commas, quotes and letters beyond ASCII; every sample of that size has them all."""


def invent_titles(count: int, years: npt.NDArray[np.int64], rng: np.random.Generator) -> list[str]:
    """Titles with their years, as `The Silent Harbour (1987)`; all but one pair differ.

    Args:
        count: how many titles, at least 20.
        years: release years, int64 [count].
        rng: source of randomness; the same state gives the same titles.

    Returns:
        `count` titles. The last repeats the first, year included: two movies, one title. One in
        five hundred has no year.
    """
    grams = len(ADJECTIVES) * len(NOUNS)
    names: list[str] = []
    order = rng.permutation(grams * len(TEMPLATES))
    for position in range(count):
        sequel, slot = divmod(position, len(order))
        template, pair = divmod(int(order[slot]), grams)
        adjective, noun = divmod(pair, len(NOUNS))
        name = TEMPLATES[template].format(
            a=ADJECTIVES[adjective],
            n=NOUNS[noun],
            m=NOUNS[(noun * 7 + adjective) % len(NOUNS)],
            p=PLACES[(noun + adjective) % len(PLACES)],
        )
        names.append(name if sequel == 0 else f"{name} {sequel + 1}")
    places = rng.choice(np.arange(1, count - 1), len(SPECIAL), replace=False)
    for special, at in zip(SPECIAL, places.tolist(), strict=True):
        names[at] = special
    titles = [f"{name} ({year})" for name, year in zip(names, years.tolist(), strict=True)]
    for at in rng.choice(np.arange(1, count - 1), count // 500, replace=False).tolist():
        titles[at] = names[at]
    titles[-1] = titles[0]
    return titles
