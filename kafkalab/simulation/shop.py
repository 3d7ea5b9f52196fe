"""An online shop: carts, orders, payments, stock, parcels, and frauds whose truth is known."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator, Mapping
from typing import ClassVar

import pandas as pd

from kafkalab.simulation.arguments import checked_number, checked_whole
from kafkalab.simulation.shop_catalogue import CARRIERS, CHANNELS, COUNTRIES, LOCATIONS, draw_crowd, draw_products
from kafkalab.simulation.shop_flow import Flow, Rates
from kafkalab.simulation.shop_records import TEXTS
from kafkalab.simulation.shop_rows import EVENTS, FINAL_STATES, FRAUDS, NUMBERS, REASONS, TOPICS
from kafkalab.simulation.shop_visits import Visitors
from kafkalab.simulation.source import Block, Kinds, Source, TopicPlan

__all__ = ["Shop"]

FIRST_BLOCK, DOUBLINGS = 50, 6  # visits expected in the first block, and how often that is doubled


class Shop(Source):
    """An online shop whose services agree with one another, from the first look at a product to the refund.

    **Visits** come as a Poisson process whose rate follows the hours of the day (UTC; lowest at four, highest at
    eight in the evening), drawn by a change of time (Cinlar 1975, *Introduction to Stochastic Processes*). Who comes
    follows Zipf-Mandelbrot's law (Mandelbrot 1953, *An informational theory of the statistical structure of
    language*): the customer of rank r with weight 1 / (r + 50). Products fall into six taste groups; within a group
    rank r has weight 1 / (r + 2). A visit is about its customer's favourite taste with probability 0.8, else about any,
    and nine views in ten stay with it, so products seen in one cart are mostly of one taste. A visit has four views on
    average, 30 % of them put something into the cart, some of which goes out again, and 42 % of filled carts are
    checked out: 0.25 orders a visit, ten times a real shop's, so that a short run has orders to follow.

    **Orders** live as a log of events (Fowler 2005, *Event Sourcing*), numbered by ``version`` without a gap::

        placed -> paid -> packed -> shipped -> delivered [-> returned]
           |        +-> cancelled (customer_request: 2 %, within half an hour)
           +-> cancelled (out_of_stock, at once; payment_failed, some 15 minutes after the last attempt)

    Packing and each station of the parcel take hours; a delivery comes about 1.5 days after the payment, a parcel sent
    back is there five days later on average.

    **Payments** are captured or declined; 80 % of the declined ones are tried again, three attempts at most, with
    ``sqrt(decline_rate)`` as the chance of another refusal. A paid order that is cancelled or returned is refunded.

    **Stock** is one number per product, reserved when an order is placed (all lines or none), put back when it is
    cancelled or returned, sold in four shops, and supplied under the policy (s, Q) with a lead time of 12 to 48 h
    (Hadley and Whitin 1963, *Analysis of Inventory Systems*). It is never negative; about 1 % of orders come too
    late. The running sum of ``change`` is the stock: a product's first record is its opening supply.

    **Frauds** are planted in three patterns (after Bolton and Hand 2002, *Statistical Fraud Detection: A Review*), at
    honest times of the day, each as likely as the others:

    - ``card_testing``: 8 to 20 orders under 5 euros within about ten minutes, all by one stolen card; 40 % declined;
    - ``unusual_amount``: 10 to 16 pieces of one of the dearest products;
    - ``unusual_country``: an ordinary order paid from overseas, as 0.3 % of the honest ones are, too.

    An honest order is at times large, paid twice or with the customer's second card, so no simple rule is perfect.

    **Records.** Keys and fields stand in :attr:`topics`; a field that an event does not have is null. Money is in
    euros, and an order's ``amount`` is the exact sum of its ``items``, which are what its cart holds when it is
    checked out. What follows from an order comes at least a millisecond after its cause. Partitions: six for each
    topic, three for ``shipping`` and ``notifications``. What no record tells stands in :meth:`truth` (columns as of
    :attr:`truth_kinds`), :attr:`products` and :attr:`customers`.

    ====================  ===========  ==================================================================
    topic                 key          events
    ====================  ===========  ==================================================================
    carts                 customer_id  viewed, added, removed, checked_out
    orders                order_id     as above; ``placed`` has amount and items, the end its reason
    payments              order_id     captured, declined, refunded; country is where the card was used
    inventory_updates     sku          received, reserved, released, returned, sold; change in pieces
    shipping              order_id     handed_over, in_transit, out_for_delivery, delivered, returned
    notifications         customer_id  order_paid, payment_declined, order_shipped, order_delivered,
                                       order_cancelled, order_refunded; channel and text
    ====================  ===========  ==================================================================

    Args:
        seed: as in :class:`Source`.
        start: as in :class:`Source`.
        customers: 2 to 100,000.
        products: 20 to 20,000.
        visits_per_day: 1 to 200,000; each gives ten records, the last of them days later. With 200, a run of 10,000
            records spans five days and sees most of its orders to their end.
        decline_rate: chance that an honest order's first payment is declined, 0 to 1.
        return_rate: share of delivered orders that are sent back, 0 to 1.
        fraud_rate: fraud incidents for each honest order, 0 to 1.

    Raises:
        InvalidArgument: a value outside these ranges.
    """

    topics: ClassVar[Mapping[str, TopicPlan]] = TOPICS

    def __init__(
        self,
        seed: int = 0,
        start: str | dt.datetime | None = None,
        *,
        customers: int = 5_000,
        products: int = 200,
        visits_per_day: float = 2_000,
        decline_rate: float = 0.08,
        return_rate: float = 0.08,
        fraud_rate: float = 0.02,
    ) -> None:
        super().__init__(seed, start)
        self._rates = Rates(
            checked_number("visits_per_day", visits_per_day, 1, 200_000),
            checked_number("decline_rate", decline_rate, 0, 1),
            checked_number("return_rate", return_rate, 0, 1),
        )
        self._products = draw_products(self._rng(0, 0), checked_whole("products", products, 20, 20_000))
        self._crowd = draw_crowd(self._rng(0, 1), checked_whole("customers", customers, 2, 100_000))
        self._visitors = Visitors(self._products, self._crowd, checked_number("fraud_rate", fraud_rate, 0, 1))

    @property
    def kinds(self) -> Kinds:
        """The columns of :meth:`frame` beside ``topic`` and ``timestamp_ms``.

        ``items`` holds, for a placed order, a list of dicts with ``sku``, ``quantity`` and ``unit_price``, else None.
        """
        return {
            "event": EVENTS,
            "customer_id": self._crowd.customer_id,
            "sku": self._products.sku,
            "card": self._crowd.card,
            "country": COUNTRIES,
            "reason": REASONS,
            "location": LOCATIONS,
            "carrier": CARRIERS,
            "channel": CHANNELS,
            "text": tuple(TEXTS.values()),
            **NUMBERS,
        }

    @property
    def truth_kinds(self) -> Kinds:
        """The columns of :meth:`truth`.

        ``fraud`` (category): the pattern, for every record of a fraudulent cart and order (not of the stock).
        ``final_state`` (category): delivered, cancelled or returned, for every record of an order, its payments, its
        parcel and its notifications: how it will end, even if that lies beyond the records asked for.
        ``stock`` (Int64): pieces left, for ``inventory_updates``.
        """
        return {"fraud": FRAUDS, "final_state": FINAL_STATES, "stock": "Int64"}

    @property
    def products(self) -> pd.DataFrame:
        """The catalogue, one row per product, sorted by sku.

        Columns: ``sku``, ``name``, ``taste`` (the group, which no record tells), ``price`` (euros), ``popularity``
        (share of the group's views), ``supplier``, ``warehouse``.
        """
        return self._products.frame()

    @property
    def customers(self) -> pd.DataFrame:
        """The customers, one row each, sorted by id.

        Columns: ``customer_id``, ``taste`` (the favourite group), ``country`` (home), ``channel`` (of notifications),
        ``card``, ``second_card``, ``activity`` (share of all honest visits).
        """
        return self._crowd.frame()

    def _blocks(self) -> Iterator[Block]:
        flow = Flow(self._visitors, self._rates, self.start_ms)
        for number in itertools.count():
            yield flow.block(self._rng(1, number), FIRST_BLOCK << min(number, DOUBLINGS))
