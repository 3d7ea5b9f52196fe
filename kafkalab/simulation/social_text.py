"""What people write in the source ``social``: a finite set of texts whose sentiment is known.

A text is a core, which says something about a brand, in a frame, which says nothing but tells posts, comments and
mentions apart. Each sentiment has 16 cores, and each core a figure of speech: what makes a text hard to classify by
its words. The set is small enough to be built once, so that a record's text is a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["FIGURES", "SENTIMENTS", "Brand", "Texts", "handles"]

SENTIMENTS = ("negative", "neutral", "positive")
#: plain says what it means; negated turns a word round; ironic says the opposite; loaded uses strong words, neutrally.
FIGURES = ("plain", "negated", "ironic", "loaded")

# One line each; every core names the brand or its product, or brands would share a text.
_CORES = {
    ("negative", "plain"): """
        The {product} from {brand} is terrible.
        My {product} broke after two weeks, what a bad purchase.
        Slow delivery, rude support, awful {product}.
        Really disappointed with the {product}, it fails every day.
        {brand} ignored my complaint for a month. Horrible service.
        The new version of the {product} is even worse.
        The {product} goes back to the shop tomorrow.
        Avoid the {product}, it is a waste of money.
        {brand} charged me twice for one {product}. I am angry.""",
    ("negative", "negated"): """
        Not happy with my {product}.
        The {product} is not good, and the support is no help.
        I would not recommend {brand} to anyone.
        The {product} never worked, what a waste.""",
    ("negative", "ironic"): """
        Great, my {product} broke one day after the warranty. What an awful coincidence.
        Best support ever: two hours of music, then the line was cut. Bravo, {brand}.
        What a nice surprise: the {product} needs a subscription now. Brilliant idea.""",
    ("neutral", "plain"): """
        Just ordered the {product}, it should arrive on Friday.
        Does the {product} from {brand} come in blue?
        {brand} opens a shop in our street next month.
        Where do I find the manual for the {product}?
        Switched from an older {product} to this one yesterday.
        Is the {product} sold in Portugal, too?
        The {product} weighs a little more than the last one.
        {brand} shows the new {product} on Tuesday at ten.
        Which size of {product} do you have?
        Comparing the {product} with two others this week.
        What do you do when the {product} breaks, is it sent in?
        Today in the news: {brand} has a new head of design.""",
    ("neutral", "loaded"): """
        Is the {product} any good? Asking for my sister.
        Which is the best {product} under 200, and who has had it for a year?
        My review of the {product}, with the good and the bad, is online tonight.
        Good morning from the queue at the {brand} shop.""",
    ("positive", "plain"): """
        The {product} from {brand} is great.
        I love my new {product}, best purchase this year.
        Fast delivery, friendly support, good {product}.
        Really happy with the {product}, it works perfectly.
        {brand} answered within an hour. Excellent service.
        The new version of the {product} is even better, nice work.
        Three years now, and the {product} runs as on the first day.
        I recommend the {product} to everybody, it is a joy to use.
        My daughter has the {product}, too, and we both love it.""",
    ("positive", "negated"): """
        Not bad at all, this {product}.
        I have no complaint about the {product}.
        The {product} has never let me down, excellent.
        Can't say anything bad about {brand}.
        I was not disappointed by the {product}.""",
    ("positive", "ironic"): """
        I hate you, {brand}: now I want a second {product}.
        Terrible news for my wallet: the {product} is everything they said.""",
}
# In the order of the kinds that carry a text; a frame belongs to one kind, so that kinds share no text.
_FRAMES = (
    ("{core}", "{core} #{tag}", "Quick note: {core}", "{core} (photo)"),
    ("For me: {core}", "Well. {core}", "{core} Anyone else?", "{core} Just saying."),
    ("@{tag} {core}", "{core} @{tag}", "Hello @{tag}. {core}", "{core} What do you say, @{tag}?"),
)
_GIVEN = "ada ben cleo dario elif finn gwen hana igor jana kofi lena milo nora omar pia quinn rosa sami tara"
_FAMILY = "abel berg costa diaz evans falk garcia haas ito jansen kaya lopez moss novak okoye park silva"
_VIRAL = "My {product} from {brand} caught fire on the kitchen table. Their support told me to restart it. #{tag}"


@dataclass(frozen=True)
class Brand:
    """A brand, invented.

    Attributes:
        name: as people write it; in lower case it is the brand's tag and handle.
        product: what it sells, one word or two in the singular; each brand another.
        sentiment: percent of texts about it that are negative, neutral, positive.
    """

    name: str
    product: str
    sentiment: tuple[int, int, int]

    @property
    def tag(self) -> str:
        """The name as a hashtag or handle."""
        return self.name.lower()


class Texts:
    """All texts about some brands, by code.

    Args:
        brands: whom they are about.
        viral: the number of the brand that the viral post is about.

    Attributes:
        all: the texts, different from each other; the last one is the viral post's.
        sentiment: for each text, the code of its sentiment in SENTIMENTS; and one more for the code -1, no text: -1.
        figure: the same for its figure in FIGURES.
        viral: the code of the viral post's text.
    """

    def __init__(self, brands: tuple[Brand, ...], viral: int) -> None:
        cores = [_cores(sentiment) for sentiment in SENTIMENTS]
        self._shape = (len(_FRAMES), len(brands), len(SENTIMENTS))
        self._variants = len(cores[0]) * len(_FRAMES[0])
        texts = [
            _filled(frame, brand, core)
            for frames, brand, some in product(_FRAMES, brands, cores)
            for (_, core), frame in product(some, frames)
        ]
        self.all = (*texts, _filled(_VIRAL, brands[viral]))
        self.viral = len(texts)
        figures = [figure for some in cores for (figure, _), _ in product(some, _FRAMES[0])]
        repeats = len(texts) // len(figures)
        sentiments = np.repeat(range(len(SENTIMENTS)), self._variants)
        self.sentiment = np.array([*np.tile(sentiments, repeats), SENTIMENTS.index("negative"), -1], np.int8)
        self.figure = np.array([*np.tile(figures, repeats), FIGURES.index("plain"), -1], np.int8)

    def draw(
        self,
        rng: np.random.Generator,
        kind: npt.NDArray[np.integer[Any]],
        brand: npt.NDArray[np.integer[Any]],
        sentiment: npt.NDArray[np.integer[Any]],
    ) -> npt.NDArray[np.int16]:
        """Return a text's code for each record: kind 0 is a post, 1 a comment, 2 a mention; every variant is as likely.

        Brand and sentiment are codes, too; all three arrays have one length, and so has the result.
        """
        group = np.ravel_multi_index((kind, brand, sentiment), self._shape)
        return (group * self._variants + rng.integers(0, self._variants, len(group))).astype(np.int16)


def _cores(sentiment: str) -> list[tuple[int, str]]:
    """Return each core of a sentiment with the code of its figure."""
    return [
        (FIGURES.index(figure), line.strip())
        for (of, figure), lines in _CORES.items()
        if of == sentiment
        for line in lines.strip().splitlines()
    ]


def _filled(frame: str, brand: Brand, core: str = "") -> str:
    return frame.replace("{core}", core).format(brand=brand.name, product=brand.product, tag=brand.tag)


def handles(count: int) -> tuple[str, ...]:
    """Return the names of ``count`` users, different from each other; the first ones are the same for any count."""
    given, family = _GIVEN.split(), _FAMILY.split()
    # A family moves on with the given name, or the first twenty would be one family.
    pairs = [
        f"{name}_{family[(turn + 7 * place) % len(family)]}"
        for turn in range(len(family))
        for place, name in enumerate(given)
    ]
    return tuple(f"{pairs[number % len(pairs)]}{number // len(pairs) or ''}" for number in range(count))
