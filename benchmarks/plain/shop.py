"""The online shop as a plain Python loop: events on a heap, one record at a time."""

from __future__ import annotations

import heapq
import itertools
import json
from bisect import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

__all__ = ["records"]

START_MS, DAY_MS, HOUR_MS, MINUTE_MS = 1_740_960_000_000, 86_400_000, 3_600_000, 60_000
HOURS = (22, 13, 8, 6, 5, 7, 14, 26, 40, 50, 56, 58, 60, 57, 54, 54, 57, 62, 70, 82, 90, 84, 62, 38)
PER_DAY, TASTES, PRODUCTS, CUSTOMERS = 2_000, 6, 200, 5_000
MARKETS, WEIGHTS = ("DE", "FR", "IT", "ES", "NL", "PL", "AT", "SE"), (30, 22, 15, 12, 8, 6, 4, 3)
OVERSEAS = ("US", "CA", "BR", "AU", "JP", "KR", "ZA", "MX")
SUPPLIERS = (("supplier-lyon", 12), ("supplier-turin", 24), ("supplier-gdansk", 36), ("supplier-porto", 48))
WAREHOUSES = ("warehouse-north", "warehouse-south", "warehouse-west")
SHOPS = ("shop-berlin", "shop-paris", "shop-milan", "shop-madrid")
CARRIERS = ("Redbird Parcels", "Swift Post", "Green Wheels")
DECLINED = ("insufficient_funds", "limit_exceeded", "card_expired", "bank_unavailable")
TEXTS = {
    "order_paid": "Thank you! Your payment has arrived, and we are packing your order.",
    "payment_declined": "Your payment was declined. Please try again or use another card.",
    "order_shipped": "Good news: your order is on its way.",
    "order_delivered": "Your order has been delivered. Enjoy!",
    "order_cancelled": "Your order has been cancelled.",
    "order_refunded": "We have sent your money back.",
}


def records(seed: int, n: int) -> Iterator[tuple[str, bytes, bytes, int]]:
    """Iterate ``n`` records: topic, key, value and time in milliseconds."""
    return itertools.islice(_Shop(Random(seed)).run(), n)


@dataclass
class _Visit:
    customer: int
    card: str
    country: str
    fixed: int | None = None
    pieces: int = 0
    test: bool = False
    cart_id: int = 0
    cart: dict[int, int] = field(default_factory=dict)


class _Shop:
    def __init__(self, rng: Random) -> None:
        self.random = rng
        self.queue: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self.numbers = itertools.count()
        self.out: list[tuple[str, bytes, bytes, int]] = []
        self.carts, self.orders = itertools.count(1), itertools.count(100_001)
        cents = [99 + 100 * int(min(max(25 * rng.lognormvariate(0, 0.8), 5), 899)) for _ in range(PRODUCTS)]
        ranked = sorted(range(PRODUCTS), key=cents.__getitem__)
        self.cheap, self.dear = ranked[: PRODUCTS // 20], ranked[-PRODUCTS // 20 :]
        for product in self.cheap:
            cents[product] = 99 + 100 * rng.randrange(1, 5)
        self.cents = cents
        self.groups = [range(group, PRODUCTS, TASTES) for group in range(TASTES)]
        self.popularity = [list(itertools.accumulate(1 / (r + 3) for r in range(len(group)))) for group in self.groups]
        self.supplier = [rng.choice(SUPPLIERS) for _ in range(PRODUCTS)]
        self.warehouse = [rng.choice(WAREHOUSES) for _ in range(PRODUCTS)]
        ranks = rng.sample(range(1, CUSTOMERS + 1), CUSTOMERS)
        self.activity = list(itertools.accumulate(1 / (rank + 50) for rank in ranks))
        self.taste = [rng.randrange(TASTES) for _ in range(CUSTOMERS)]
        self.home = rng.choices(MARKETS, WEIGHTS, k=CUSTOMERS)
        self.channel = [rng.choice(("email", "push", "sms")) for _ in range(CUSTOMERS)]
        self.stock: list[int | None] = [None] * PRODUCTS
        weights = [1 / (product // TASTES + 3) for product in range(PRODUCTS)]
        demand = [0.65 * PER_DAY * weight / sum(weights) for weight in weights]
        self.lot = [int(24 + 7 * units) for units in demand]
        waited = [units * hours / 24 for units, (_, hours) in zip(demand, self.supplier, strict=True)]
        self.reorder_at = [1 + units + units**0.5 for units in waited]
        self.awaited = [False] * PRODUCTS

    def run(self) -> Iterator[tuple[str, bytes, bytes, int]]:
        self.at(START_MS, self.arrive)
        while True:
            time, _, action, arguments = heapq.heappop(self.queue)
            action(time, *arguments)
            yield from self.out
            self.out.clear()

    def at(self, time: int, action: Callable[..., None], *arguments: Any) -> None:
        heapq.heappush(self.queue, (time, next(self.numbers), action, arguments))

    def wait(self, least: int, mean: int) -> int:
        return least + int(self.random.expovariate(1 / mean))

    def emit(self, time: int, topic: str, key: object, **value: Any) -> None:
        self.out.append((topic, str(key).encode(), json.dumps(value).encode(), time))

    def pick(self, cumulated: list[float]) -> int:
        return bisect(cumulated, self.random.random() * cumulated[-1], 0, len(cumulated) - 1)

    def arrive(self, time: int) -> None:
        """One visitor, perhaps a thief, perhaps a sale over the counter; and when the next comes."""
        rng = self.random
        rate = PER_DAY * HOURS[time % DAY_MS // HOUR_MS] / sum(HOURS) / HOUR_MS
        self.at(time + 1 + int(rng.expovariate(rate)), self.arrive)
        customer = self.pick(self.activity)
        country = rng.choice(OVERSEAS) if rng.random() < 0.003 else self.home[customer]
        self.visit(time, _Visit(customer, self.card(customer), country))
        if rng.random() < 0.1:
            self.move(time, self.pick_product(rng.randrange(TASTES)), -1, "sold", None)
        if rng.random() < 0.25 * 0.02:
            self.steal(time, rng.randrange(3))

    def card(self, customer: int) -> str:
        return f"card-{2 * customer + (self.random.random() < 0.1):06d}"

    def steal(self, time: int, pattern: int) -> None:
        rng = self.random
        customer = self.pick(self.activity)
        if pattern == 0:
            thief, product = rng.randrange(CUSTOMERS), rng.choice(self.cheap)
            for _ in range(rng.randint(8, 20)):
                test = _Visit(thief, f"card-{2 * customer:06d}", self.home[thief], product, 1, test=True)
                self.at(time + rng.randrange(10 * MINUTE_MS), self.visit, test)
        elif pattern == 1:
            dear, pieces = rng.choice(self.dear), rng.randint(10, 16)
            self.visit(time, _Visit(customer, self.card(customer), self.home[customer], dear, pieces))
        else:
            self.visit(time, _Visit(customer, self.card(customer), rng.choice(OVERSEAS), None, 1))

    def pick_product(self, taste: int) -> int:
        return self.groups[taste][self.pick(self.popularity[taste])]

    def visit(self, time: int, visit: _Visit) -> None:
        rng, cart = self.random, visit.cart
        visit.cart_id = next(self.carts)
        theme = self.taste[visit.customer] if rng.random() < 0.8 else rng.randrange(TASTES)
        wanted = visit.pieces > 0  # a thief wants the first product
        while True:
            product = self.pick_product(theme if rng.random() < 0.9 else rng.randrange(TASTES))
            product = product if visit.fixed is None else visit.fixed
            self.at(time, self.show, "viewed", visit, product, None)
            if (wanted or rng.random() < 0.3) and product not in cart:
                cart[product] = visit.pieces or rng.choices((1, 2, 3), (0.8, 0.15, 0.05))[0]
                added = time + rng.randrange(2_000, 15_000)
                self.at(added, self.show, "added", visit, product, cart[product])
                if not visit.pieces and rng.random() < 0.08:
                    removed = added + rng.randrange(2_000, 15_000)
                    self.at(removed, self.show, "removed", visit, product, cart.pop(product))
            if visit.fixed is not None or rng.random() < 0.25:
                break
            wanted = False
            time += self.wait(1_000, 40_000)
        if cart and (visit.pieces or rng.random() < 0.42):
            left = time + self.wait(35_000, 40_000)
            self.at(left, self.show, "checked_out", visit, None, None)
            self.at(left + rng.randrange(100, 500), self.place, visit)

    def show(self, time: int, event: str, visit: _Visit, product: int | None, quantity: int | None) -> None:
        who = f"C{visit.customer + 1:06d}"
        sku, price = (None, None) if product is None else (f"SKU-{product + 1:05d}", self.cents[product] / 100)
        value = {"customer_id": who, "cart_id": visit.cart_id, "sku": sku, "quantity": quantity, "unit_price": price}
        self.emit(time, "carts", who, event=event, **value)

    def move(self, time: int, product: int, change: int, event: str, order_id: int | None) -> None:
        level, (place, hours) = self.stock[product], self.supplier[product]
        if level is None:
            level = self.stock[product] = 0
            self.move(time, product, self.lot[product], "received", None)
            level = self.lot[product]
        if level + change < 0:
            return
        self.stock[product] = level = level + change
        sku = f"SKU-{product + 1:05d}"
        location = {"received": place, "sold": self.random.choice(SHOPS)}.get(event, self.warehouse[product])
        value = {"change": change, "location": location, "order_id": order_id}
        self.emit(time, "inventory_updates", sku, event=event, sku=sku, **value)
        if event == "received":
            self.awaited[product] = False
        elif level <= self.reorder_at[product] and not self.awaited[product]:
            self.awaited[product] = True
            self.at(time + hours * HOUR_MS, self.move, product, self.lot[product], "received", None)

    def place(self, time: int, visit: _Visit) -> None:
        order = _Order(self, visit)
        order.tell(time, "placed", amount=order.amount, items=order.items)
        # Before its first movement a product has its opening supply.
        levels = ((self.stock[product], self.lot[product], pieces) for product, pieces in visit.cart.items())
        if any((lot if level is None else level) < pieces for level, lot, pieces in levels):
            self.at(time + self.random.randrange(100, 400), order.cancel, "out_of_stock")
            return
        order.move(time, -1, "reserved")
        self.at(time + self.wait(1_000, 8_000), order.pay, 1)


class _Order:
    def __init__(self, shop: _Shop, visit: _Visit) -> None:
        self.shop, self.visit = shop, visit
        self.order_id, self.version, self.paid = next(shop.orders), 0, 0
        self.who = f"C{visit.customer + 1:06d}"
        self.amount = sum(pieces * shop.cents[product] for product, pieces in visit.cart.items()) / 100
        self.items = [
            {"sku": f"SKU-{product + 1:05d}", "quantity": pieces, "unit_price": shop.cents[product] / 100}
            for product, pieces in visit.cart.items()
        ]
        self.carrier = shop.random.choice(CARRIERS)

    def tell(self, time: int, event: str, **more: Any) -> None:
        self.version += 1
        value = {"order_id": self.order_id, "version": self.version, "customer_id": self.who}
        value |= {
            "cart_id": self.visit.cart_id if event == "placed" else None,
            "amount": None,
            "items": None,
            "reason": None,
        }
        self.shop.emit(time, "orders", self.order_id, event=event, **(value | more))

    def notify(self, time: int, event: str) -> None:
        value = {"customer_id": self.who, "order_id": self.order_id, "channel": self.shop.channel[self.visit.customer]}
        told = time + self.shop.random.randrange(200, 2_000)
        self.shop.at(
            told, lambda at: self.shop.emit(at, "notifications", self.who, event=event, **value, text=TEXTS[event])
        )

    def move(self, time: int, sign: int, event: str) -> None:
        for product, pieces in self.visit.cart.items():
            self.shop.move(time, product, sign * pieces, event, self.order_id)

    def payment(self, time: int, event: str, number: int, attempt: int | None, reason: str | None) -> None:
        value = {"payment_id": 10 * self.order_id + number, "order_id": self.order_id, "customer_id": self.who}
        value |= {"attempt": attempt, "amount": self.amount, "card": self.visit.card, "country": self.visit.country}
        self.shop.emit(time, "payments", self.order_id, event=event, **value, reason=reason)

    def pay(self, time: int, attempt: int) -> None:
        shop, rng = self.shop, self.shop.random
        rate = max(0.4 if self.visit.test else 0.0, 0.08 if attempt == 1 else 0.08**0.5)
        if rng.random() < rate:
            self.payment(time, "declined", attempt, attempt, rng.choice(DECLINED))
            self.notify(time, "payment_declined")
            if attempt < 3 and not self.visit.test and rng.random() < 0.8:
                shop.at(time + shop.wait(20_000, MINUTE_MS), self.pay, attempt + 1)
            else:
                shop.at(time + shop.wait(10 * MINUTE_MS, 5 * MINUTE_MS), self.cancel, "payment_failed")
            return
        self.payment(time, "captured", attempt, attempt, None)
        self.paid = attempt
        shop.at(time + rng.randrange(50, 300), self.confirm)

    def confirm(self, time: int) -> None:
        shop = self.shop
        self.tell(time, "paid")
        self.notify(time, "order_paid")
        if shop.random.random() < 0.02:
            shop.at(time + shop.random.randrange(MINUTE_MS, 30 * MINUTE_MS), self.cancel, "customer_request")
        else:
            shop.at(time + shop.wait(45 * MINUTE_MS, 4 * HOUR_MS), self.pack)

    def cancel(self, time: int, reason: str) -> None:
        self.tell(time, "cancelled", reason=reason)
        self.notify(time, "order_cancelled")
        if reason != "out_of_stock":
            self.undo(time, "released")

    def undo(self, time: int, event: str) -> None:
        self.move(time, 1, event)
        if self.paid:
            self.shop.at(time + self.shop.wait(MINUTE_MS, 10 * MINUTE_MS), self.refund)

    def refund(self, time: int) -> None:
        self.payment(time, "refunded", self.paid, None, None)
        self.notify(time, "order_refunded")

    def pack(self, time: int) -> None:
        self.tell(time, "packed")
        self.shop.at(time + self.shop.wait(30 * MINUTE_MS, 3 * HOUR_MS), self.station, "handed_over")

    def station(self, time: int, event: str) -> None:
        shop = self.shop
        value = {"order_id": self.order_id, "customer_id": self.who, "carrier": self.carrier}
        where = {"location": shop.warehouse[next(iter(self.visit.cart))], "country": shop.home[self.visit.customer]}
        shop.emit(time, "shipping", self.order_id, event=event, **value, **where)
        if event == "handed_over":
            shop.at(time + shop.random.randrange(100, 400), self.change, "shipped", None)
            shop.at(time + shop.wait(HOUR_MS, 3 * HOUR_MS), self.station, "in_transit")
        elif event == "in_transit":
            shop.at(time + shop.wait(8 * HOUR_MS, 12 * HOUR_MS), self.station, "out_for_delivery")
        elif event == "out_for_delivery":
            shop.at(time + shop.wait(20 * MINUTE_MS, 2 * HOUR_MS), self.station, "delivered")
        elif event == "delivered":
            shop.at(time + shop.random.randrange(100, 400), self.change, "delivered", None)
            if shop.random.random() < 0.08:
                shop.at(time + shop.wait(DAY_MS, 4 * DAY_MS), self.station, "returned")
        else:
            reason = shop.random.choice(("changed_mind", "damaged", "not_as_described"))
            shop.at(time + shop.random.randrange(100, 400), self.change, "returned", reason)

    def change(self, time: int, event: str, reason: str | None) -> None:
        self.tell(time, event, reason=reason)
        if event == "returned":
            self.undo(time, "returned")
        else:
            self.notify(time, f"order_{event}")
