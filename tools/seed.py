"""Builds the four databases of the example shop: shop, payments, helpdesk, carrier.

The rows are fixed: hand-written ones that the evaluation tickets refer to, and a few hundred drawn from a
seeded generator. Every date counts back from `today`, so return windows hold whenever the data is built.
"""

import argparse
import random
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

from tools.orders import ORDERS, REFUNDED, Order
from tools.parcels import PARCELS, Parcel
from tools.people import CUSTOMERS, PEOPLE, Row

SCHEMAS: dict[str, dict[str, str]] = {
    "shop.db": {
        "customers": "email TEXT PRIMARY KEY, name TEXT NOT NULL, since DATE NOT NULL, region TEXT NOT NULL",
        "orders": "id TEXT PRIMARY KEY, email TEXT NOT NULL, item TEXT NOT NULL, total TEXT NOT NULL,"
        " currency TEXT NOT NULL, ordered DATE NOT NULL, status TEXT NOT NULL, tracking TEXT,"
        " delivered DATE, final_sale INT NOT NULL",
        "returns": "order_id TEXT NOT NULL, label TEXT NOT NULL, made TEXT NOT NULL",
    },
    "payments.db": {
        "payments": "id INTEGER PRIMARY KEY, order_id TEXT NOT NULL, amount TEXT NOT NULL,"
        " currency TEXT NOT NULL, kind TEXT NOT NULL, key TEXT UNIQUE, at TEXT NOT NULL",
    },
    "helpdesk.db": {
        "tickets": "id TEXT PRIMARY KEY, email TEXT NOT NULL, subject TEXT NOT NULL, text TEXT NOT NULL,"
        " opened TEXT NOT NULL",
        "assignments": "ticket_id TEXT NOT NULL, person TEXT NOT NULL, reason TEXT NOT NULL,"
        " key TEXT UNIQUE, at TEXT NOT NULL",
        "replies": "ticket_id TEXT NOT NULL, text TEXT NOT NULL, key TEXT UNIQUE, at TEXT NOT NULL",
        "people": "name TEXT PRIMARY KEY, role TEXT NOT NULL, topics TEXT NOT NULL",
    },
    "carrier.db": {
        "parcels": "tracking TEXT PRIMARY KEY, status TEXT NOT NULL, last_scan DATE NOT NULL,"
        " place TEXT NOT NULL, weather TEXT NOT NULL",
    },
}

FIRST = ("Alba", "Bruno", "Celia", "Dario", "Edda", "Frank", "Gwen", "Hugo", "Ida", "Jan", "Kira", "Leo")
LAST = ("Abel", "Bauer", "Costa", "Dietz", "Engel", "Fuchs", "Graf", "Hahn", "Ivers", "Jung", "Kern", "Lutz")
ITEMS = ("Notebook, A5", "Cutting board", "Pillow", "Wall hook set", "Thermos flask", "Bike pump", "Bowl")
PLACES = ("Kassel", "Leipzig", "Hamburg", "Ulm", "Bremen", "Venlo", "Graz", "Hannover")


def fill(rng: random.Random) -> tuple[dict[str, str], list[Order], dict[str, Parcel], dict[str, int]]:
    """Draw customers, orders, parcels and refunds to stand around the hand-written ones."""
    customers: dict[str, str] = {}
    for number in range(1, 101):
        first, last = rng.choice(FIRST), rng.choice(LAST)
        customers[f"{first}.{last}{number}@example.net".lower()] = f"{first} {last}"
    orders: list[Order] = []
    parcels: dict[str, Parcel] = {}
    refunds: dict[str, int] = {}
    for number in range(2001, 2221):
        name, age, luck = f"A-{number}", rng.randint(0, 150), rng.random()
        email, item = rng.choice(sorted(customers)), rng.choice(ITEMS)
        total = f"{rng.randint(8, 180)}.{rng.choice(('00', '50', '90', '95'))}"
        status = "processing" if age < 3 else "shipped" if age < 7 else "delivered"
        if status != "shipped" and luck < 0.06:
            status = "cancelled"
            refunds[name] = age - 1 if age else 0
        arrived = age - rng.randint(3, 6) if status == "delivered" else None
        orders.append(Order(name, email, item, total, age, status, arrived, int(rng.random() < 0.1)))
        if arrived is not None and luck > 0.95:
            refunds[name] = arrived // 2
        place, weather = rng.choice(PLACES), rng.choices(("fine", "slow", "down"), (85, 10, 5))[0]
        if status == "delivered" and 0.93 < luck <= 0.95:
            parcels[name] = Parcel("lost", min(age - 1, (arrived or 0) + 1), place, weather)
        elif status == "shipped":
            seen = "delivered" if luck > 0.8 else "in_transit"
            parcels[name] = Parcel(seen, 1, place, weather)
        elif arrived is not None:
            parcels[name] = Parcel("delivered", arrived, place, weather)
    return customers, orders, parcels, refunds


def tracking(order: Order) -> str | None:
    """Return the tracking number of an order; None before it is shipped."""
    return f"TN{int(order.id[2:]) + 39016}DE" if order.status in ("shipped", "delivered") else None


def rows(today: date) -> dict[str, list[Row]]:
    """Return all rows by table name; tables that start empty are left out."""
    rng = random.Random(7)
    more_customers, more_orders, more_parcels, more_refunds = fill(rng)
    names, orders = CUSTOMERS | more_customers, ORDERS + more_orders
    parcels, refunds = PARCELS | more_parcels, REFUNDED | more_refunds

    def day(ago: int) -> str:
        """Return the ISO date that many days before `today`."""
        return (today - timedelta(days=ago)).isoformat()

    books: list[tuple[int, Order, str, str | None]] = [(o.ordered, o, "charge", None) for o in orders]
    books += [(refunds[o.id], o, "refund", f"seed-{o.id}") for o in orders if o.id in refunds]
    books.sort(key=lambda entry: (-entry[0], entry[1].id, entry[2]))
    tables: dict[str, list[Row]] = {name: [] for name in ("customers", "orders", "payments", "parcels")}
    tables["people"] = PEOPLE
    for email, name in names.items():
        tables["customers"].append((email, name, day(rng.randint(200, 2000)), rng.choice(("north", "south"))))
    for order in orders:
        arrived = None if order.delivered is None else day(order.delivered)
        start: Row = (order.id, order.email, order.item, order.total, "EUR", day(order.ordered))
        code = tracking(order)
        tables["orders"].append((*start, order.status, code, arrived, order.final_sale))
        if order.delivered is None:
            parcel = parcels.get(order.id, Parcel("in_transit", 1, "Kassel"))
        else:
            parcel = parcels.get(order.id, Parcel("delivered", order.delivered, "Hamburg"))
        if code is not None:
            scanned = day(parcel.last_scan)
            tables["parcels"].append((code, parcel.status, scanned, parcel.place, parcel.weather))
    for number, (ago, order, kind, key) in enumerate(books, 1):
        at = f"{day(ago)}T12:00:00Z"
        tables["payments"].append((number, order.id, order.total, "EUR", kind, key, at))
    return tables


def seed(folder: Path, today: date) -> None:
    """Create the four databases in `folder`, replacing what was there; all dates count from `today`."""
    folder.mkdir(parents=True, exist_ok=True)
    content = rows(today)
    for name, tables in SCHEMAS.items():
        with closing(sqlite3.connect(folder / name, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")  # a reader sees the old shop or the new one, never half of it
            for table, columns in tables.items():
                database.execute(f"DROP TABLE IF EXISTS {table}")
                database.execute(f"CREATE TABLE {table} ({columns})")
                for row in content.get(table, []):
                    database.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(row))})", row)
            database.execute("COMMIT")


def main() -> None:
    """Run `python -m tools.seed FOLDER`."""
    parser = argparse.ArgumentParser(prog="python -m tools.seed", description="Builds the shop's data.")
    parser.add_argument("folder", type=Path, help="where the four databases go; made if it is missing")
    folder: Path = parser.parse_args().folder
    seed(folder, date.today())
    print(f"{', '.join(SCHEMAS)} written to {folder}")


if __name__ == "__main__":
    main()
