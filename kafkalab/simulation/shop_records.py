"""The records that an order leaves behind in the topics of all services."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kafkalab.simulation.shop_catalogue import CARRIERS, Crowd, Products
from kafkalab.simulation.shop_orders import ATTEMPTS, Fates, Orders
from kafkalab.simulation.shop_rows import DECLINED, FINAL_STATES, MINUTE_MS, REASONS, RETURNED, Timeline, pause

__all__ = ["TEXTS", "OrderRecords"]

Array = npt.NDArray[Any]

#: What customers are told, by the event of the topic ``notifications``.
TEXTS = {
    "order_paid": "Thank you! Your payment has arrived, and we are packing your order.",
    "payment_declined": "Your payment was declined. Please try again or use another card.",
    "order_shipped": "Good news: your order is on its way.",
    "order_delivered": "Your order has been delivered. Enjoy!",
    "order_cancelled": "Your order has been cancelled.",
    "order_refunded": "We have sent your money back.",
}


class OrderRecords:
    """Writes the records of one stretch's orders.

    Args:
        rng: the block's generator.
        orders: all that were placed.
        fates: what becomes of them.
        accepted: which of them the stock sufficed for; the others are cancelled at once.
        crowd: whose orders they are.
        rows: takes the rows.
    """

    def __init__(
        self, rng: np.random.Generator, orders: Orders, fates: Fates, accepted: Array, *, crowd: Crowd, rows: Timeline
    ) -> None:
        self._rng, self._orders, self._fates, self._rows = rng, orders, fates, rows
        customer = orders.columns["customer_id"]
        self._channel, self._home = crowd.channel[customer], crowd.country[customer]
        self._accepted = accepted
        self._paid = accepted & fates.paid
        self._cancelled = ~accepted | fates.cancelled
        self._shipped = ~self._cancelled
        self._returned = self._shipped & fates.returned
        columns = orders.columns
        self._who = {name: columns[name] for name in ("order_id", "customer_id", "fraud")}
        cancelled, delivered, returned = (FINAL_STATES.index(name) for name in ("cancelled", "delivered", "returned"))
        kept_or_not = np.where(self._returned, returned, delivered)
        self._who["final_state"] = np.where(self._cancelled, cancelled, kept_or_not)

    def write(self, products: Products) -> None:
        """Write the records of orders, payments, shipping and notifications."""
        self._write_orders(products)
        self._write_payments()
        self._write_shipping(products)

    def _add(self, topic: str, event: str, where: Array, time: Array, **columns: Array | int) -> None:
        filled = {name: np.broadcast_to(column, time.shape)[where] for name, column in columns.items()}
        shared = {name: column[where] for name, column in self._who.items()}
        self._rows.add(topic, event, time[where], **shared, **filled)

    def _write_orders(self, products: Products) -> None:
        columns, at = self._orders.columns, self._fates.at
        placed, everybody = columns["time"], np.ones(len(self._orders), bool)
        whole = {"amount": columns["amount"], "items": self._orders.items(products), "cart_id": columns["cart_id"]}
        self._add("orders", "placed", everybody, placed, version=1, **whole)
        self._add("orders", "paid", self._paid, at["paid"], version=2)
        self._add("orders", "packed", self._shipped, at["packed"], version=3)
        # A parcel's news reaches the order a moment after the carrier has it.
        shipped, delivered, returned = (
            at[station] + self._moment() for station in ("handed_over", "delivered", "returned")
        )
        self._add("orders", "shipped", self._shipped, shipped, version=4)
        self._add("orders", "delivered", self._shipped, delivered, version=5)
        self._add("orders", "returned", self._returned, returned, version=6, reason=self._reasons(RETURNED))
        cancelled = np.where(self._accepted, at["cancelled"], placed + self._moment())
        why = np.where(self._paid, _code("customer_request"), _code("payment_failed"))
        why = np.where(self._accepted, why, _code("out_of_stock"))
        self._add("orders", "cancelled", self._cancelled, cancelled, version=2 + self._paid, reason=why)
        for event, where, time in (
            ("order_paid", self._paid, at["paid"]),
            ("order_shipped", self._shipped, shipped),
            ("order_delivered", self._shipped, delivered),
            ("order_cancelled", self._cancelled, cancelled),
        ):
            self._tell(event, where, time)

    def _write_payments(self) -> None:
        columns, fates = self._orders.columns, self._fates
        card = {name: columns[name] for name in ("amount", "card", "country")}
        for attempt in range(1, ATTEMPTS + 1):
            last = fates.attempts == attempt
            payment: dict[str, Array | int] = {
                **card,
                "payment_id": _payment_id(columns["order_id"], attempt),
                "attempt": attempt,
            }
            declined = self._accepted & (fates.attempts >= attempt) & ~(last & fates.paid)
            time = fates.tried[:, attempt - 1]
            self._add("payments", "captured", self._paid & last, time, **payment)
            self._add("payments", "declined", declined, time, reason=self._reasons(DECLINED), **payment)
            self._tell("payment_declined", declined, time)
        undone, time = fates.undone()
        refunded = time + pause(self._rng, len(time), MINUTE_MS, 10 * MINUTE_MS)
        last_payment = _payment_id(columns["order_id"], fates.attempts)
        self._add("payments", "refunded", self._paid & undone, refunded, **card, payment_id=last_payment)
        self._tell("order_refunded", self._paid & undone, refunded)

    def _write_shipping(self, products: Products) -> None:
        orders, at = self._orders, self._fates.at
        first_line = orders.sku[np.searchsorted(orders.owner, np.arange(len(orders)))]
        parcel = {
            "carrier": self._rng.integers(0, len(CARRIERS), len(orders)),
            "location": products.warehouse[first_line],
            "country": self._home,
        }
        for station in ("handed_over", "in_transit", "out_for_delivery", "delivered"):
            self._add("shipping", station, self._shipped, at[station], **parcel)
        self._add("shipping", "returned", self._returned, at["returned"], **parcel)

    def _tell(self, event: str, where: Array, time: Array) -> None:
        """Write a notification, up to two seconds after what it is about."""
        text = list(TEXTS).index(event)
        told = time + self._rng.integers(200, 2_000, len(time))
        self._add("notifications", event, where, told, channel=self._channel, text=text)

    def _moment(self) -> Array:
        return self._rng.integers(100, 400, len(self._orders))

    def _reasons(self, names: tuple[str, ...]) -> Array:
        return self._rng.integers(_code(names[0]), _code(names[-1]) + 1, len(self._orders))


def _code(reason: str) -> int:
    return REASONS.index(reason)


def _payment_id(order_id: Array, attempt: Array | int) -> Array:
    """Return ids that are told apart by the attempt in their last digit."""
    return order_id * 10 + attempt
