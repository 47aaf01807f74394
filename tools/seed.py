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
from typing import NamedTuple

Row = tuple[str | int | None, ...]

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

PEOPLE: list[Row] = [
    ("Miriam Vogel", "legal", "legal"),
    ("Tobias Lindqvist", "press", "press"),
    ("Aylin Demir", "safety", "injury,safety"),
    ("Ruth Adeyemi", "shift-lead", "approval"),
    ("Paweł Nowak", "billing", "billing"),
    ("Hanna Jensen", "support", "default"),
]


class Order(NamedTuple):
    """One order of the shop; `ordered` and `delivered` are days before today."""

    id: str
    email: str
    item: str
    total: str
    ordered: int
    status: str
    delivered: int | None = None
    final_sale: int = 0


class Parcel(NamedTuple):
    """What the carrier knows of an order's parcel; `last_scan` is days before today."""

    status: str
    last_scan: int
    place: str
    weather: str = "fine"


CUSTOMERS: dict[str, str] = {
    "lena.brandt@example.org": "Lena Brandt", "sam.okafor@example.com": "Sam Okafor",
    "gisela.thoma@example.org": "Gisela Thoma", "piotr.maj@example.com": "Piotr Maj",
    "joerg.weiss@example.org": "Jörg Weiß", "chloe.dawson@example.com": "Chloe Dawson",
    "marcus.hale@example.com": "Marcus Hale", "ines.carvalho@example.org": "Inês Carvalho",
    "dieter.kolb@example.org": "Dieter Kolb", "amelie.roux@example.com": "Amélie Roux",
    "nadia.haddad@example.com": "Nadia Haddad", "felix.arnold@example.org": "Felix Arnold",
    "birgit.seidel@example.org": "Birgit Seidel", "tom.ashworth@example.com": "Tom Ashworth",
    "katrin.unger@example.org": "Katrin Unger", "olga.petrova@example.com": "Olga Petrova",
    "ben.fairley@example.com": "Ben Fairley", "yusuf.kaya@example.org": "Yusuf Kaya",
    "helen.strand@example.com": "Helen Strand", "paul.winter@example.org": "Paul Winter",
    "sofia.marin@example.com": "Sofía Marín", "robert.lang@example.org": "Robert Lang",
    "greta.holm@example.com": "Greta Holm", "ahmed.saleh@example.com": "Ahmed Saleh",
    "julia.behr@example.org": "Julia Behr", "martin.okeke@example.com": "Martin Okeke",
    "ursula.franke@example.org": "Ursula Franke", "zoe.martens@example.com": "Zoë Martens",
    "emil.krause@example.org": "Emil Krause", "harald.stein@example.org": "Harald Stein",
    "petra.novak@example.com": "Petra Nováková", "kev.mills@example.com": "Kevin Mills",
    "rene.blanc@example.com": "René Blanc", "shin.tanaka@example.com": "Shin Tanaka",
    "viktor.dahl@example.com": "Viktor Dahl", "rico.stahl@example.com": "Rico Stahl",
    "claire.duval@example.com": "Claire Duval", "noah.berg@example.org": "Noah Berg",
    "marta.silva@example.com": "Marta Silva", "ivan.horvat@example.com": "Ivan Horvat",
    "elif.yildiz@example.org": "Elif Yıldız", "oscar.lund@example.com": "Oscar Lund",
    "renate.vogt@example.org": "Renate Vogt", "theo.campbell@example.com": "Theo Campbell",
    "anna.keller@example.org": "Anna Keller", "fatima.rahman@example.com": "Fatima Rahman",
    "liam.byrne@example.com": "Liam Byrne", "camille.perrin@example.com": "Camille Perrin",
    "walter.hinz@example.org": "Walter Hinz", "eva.lindholm@example.com": "Eva Lindholm",
    "george.nash@example.com": "George Nash", "lucia.romano@example.com": "Lucia Romano",
    "hans-peter.ott@example.org": "Hans-Peter Ott", "sarah.quinn@example.com": "Sarah Quinn",
    "mehmet.aksoy@example.org": "Mehmet Aksoy", "ingrid.falk@example.com": "Ingrid Falk",
    "dan.porter@example.com": "Dan Porter", "ruth.ekstrom@example.com": "Ruth Ekström",
    "nico.barth@example.org": "Nico Barth", "vera.simic@example.com": "Vera Simić",
    "pablo.ortega@example.com": "Pablo Ortega", "mia.jansen@example.com": "Mia Jansen",
    "konrad.reinhardt@example.org": "Konrad Reinhardt", "aisha.bello@example.com": "Aisha Bello",
    "stefan.huber@example.org": "Stefan Huber", "lewis.grant@example.com": "Lewis Grant",
    "tanja.moser@example.org": "Tanja Moser", "peter.novotny@example.com": "Peter Novotný",
    "hilde.sommer@example.org": "Hilde Sommer",
}  # fmt: skip

ORDERS: list[Order] = [
    Order("A-1001", "lena.brandt@example.org", "Wool blanket, grey", "59.90", 5, "shipped"),
    Order("A-1002", "lena.brandt@example.org", "Tea tin set", "18.50", 120, "delivered", 116),
    Order("A-1003", "sam.okafor@example.com", "Phone stand, oak", "24.00", 4, "shipped"),
    Order("A-1004", "gisela.thoma@example.org", "Floor lamp Arc", "89.00", 9, "shipped"),
    Order("A-1005", "piotr.maj@example.com", "Garden hose 25 m", "44.95", 6, "shipped"),
    Order("A-1006", "joerg.weiss@example.org", "Kettle Bora 1.7 l", "54.00", 4, "shipped"),
    Order("A-1007", "chloe.dawson@example.com", "Desk organiser", "31.20", 1, "processing"),
    Order("A-1008", "marcus.hale@example.com", "Bluetooth speaker Pico", "34.50", 21, "shipped"),
    Order("A-1009", "ines.carvalho@example.org", "Cast iron pot", "100.00", 15, "shipped"),
    Order("A-1010", "dieter.kolb@example.org", "Cordless drill", "92.00", 12, "shipped"),
    Order("A-1011", "amelie.roux@example.com", "Espresso machine Luna", "249.00", 18, "shipped"),
    Order("A-1012", "nadia.haddad@example.com", "Trekking rucksack 40 l", "79.90", 14, "delivered", 8),
    Order("A-1013", "felix.arnold@example.org", "Yoga mat, cork", "45.00", 12, "delivered", 8),
    Order("A-1014", "felix.arnold@example.org", "Water bottle", "19.00", 90, "delivered", 86),
    Order("A-1015", "birgit.seidel@example.org", "Table runner, linen", "36.00", 47, "delivered", 42),
    Order("A-1016", "tom.ashworth@example.com", "Bookshelf Nord", "68.40", 58, "delivered", 52),
    Order("A-1017", "katrin.unger@example.org", "Standing fan Aero", "57.00", 75, "delivered", 70),
    Order("A-1018", "olga.petrova@example.com", "Summer dress, coral", "22.90", 10, "delivered", 6, 1),
    Order("A-1019", "ben.fairley@example.com", "Glass vase, blue", "29.95", 9, "delivered", 5, 1),
    Order("A-1020", "yusuf.kaya@example.org", "Milk frother", "38.00", 8, "delivered", 3),
    Order("A-1021", "helen.strand@example.com", "Down duvet", "189.00", 20, "delivered", 13),
    Order("A-1022", "paul.winter@example.org", "Board game box", "64.00", 1, "processing"),
    Order("A-1023", "sofia.marin@example.com", "Garden bench, teak", "420.00", 2, "processing"),
    Order("A-1024", "robert.lang@example.org", "Office chair Flex", "315.00", 30, "delivered", 24),
    Order("A-1025", "greta.holm@example.com", "Picture frame set", "39.95", 20, "cancelled"),
    Order("A-1026", "ahmed.saleh@example.com", "Running shoes", "84.00", 13, "delivered", 9),
    Order("A-1027", "ahmed.saleh@example.com", "Sports bag", "41.00", 13, "delivered", 9),
    Order("A-1028", "ahmed.saleh@example.com", "Socks, 3 pairs", "12.00", 45, "delivered", 40),
    Order("A-1029", "julia.behr@example.org", "Salad bowl", "27.00", 15, "delivered", 11),
    Order("A-1030", "martin.okeke@example.com", "Reading lamp", "33.00", 3, "shipped"),
    Order("A-1031", "ursula.franke@example.org", "Sewing machine Nova", "139.00", 16, "delivered", 11),
    Order("A-1032", "zoe.martens@example.com", "Rain jacket, size M", "74.00", 11, "delivered", 7),
    Order("A-1033", "emil.krause@example.org", "Teapot, clay", "28.00", 9, "delivered", 5),
    Order("A-1034", "harald.stein@example.org", "Coffee table", "165.00", 25, "shipped"),
    Order("A-1035", "petra.novak@example.com", "Pressure cooker", "88.00", 8, "delivered", 4),
    Order("A-1036", "kev.mills@example.com", "Headphones", "129.00", 86, "delivered", 80),
    Order("A-1037", "rene.blanc@example.com", "Tablet sleeve", "26.00", 4, "shipped"),
    Order("A-1038", "shin.tanaka@example.com", "Mouse pad", "14.00", 25, "delivered", 20),
    Order("A-1039", "viktor.dahl@example.com", "Candle set", "21.00", 18, "delivered", 14),
    Order("A-1040", "rico.stahl@example.com", "Phone case", "24.90", 17, "shipped"),
    Order("A-1041", "rico.stahl@example.com", "Smart watch strap", "29.00", 110, "delivered", 106),
    Order("A-1042", "rico.stahl@example.com", "USB charger", "19.90", 90, "delivered", 86),
    Order("A-1043", "rico.stahl@example.com", "Earbuds", "59.00", 70, "delivered", 65),
    Order("A-1044", "rico.stahl@example.com", "Car mount", "17.50", 50, "delivered", 46),
    Order("A-1045", "claire.duval@example.com", "Wall clock", "49.00", 5, "shipped"),
    Order("A-1046", "claire.duval@example.com", "Cushion covers", "27.50", 15, "delivered", 10),
    Order("A-1047", "noah.berg@example.org", "Desk lamp", "79.00", 10, "delivered", 6),
    Order("A-1048", "marta.silva@example.com", "Ceramic plates", "56.00", 13, "delivered", 9),
    Order("A-1049", "ivan.horvat@example.com", "Bike light set", "48.00", 20, "shipped"),
    Order("A-1050", "elif.yildiz@example.org", "Curtain, 2 pieces", "62.00", 4, "shipped"),
    Order("A-1051", "oscar.lund@example.com", "Camping tent", "159.00", 21, "delivered", 15),
    Order("A-1052", "renate.vogt@example.org", "Hand mixer Pro", "129.00", 9, "delivered", 5),
    Order("A-1053", "theo.campbell@example.com", "French press 1 l", "32.00", 4, "shipped"),
    Order("A-1054", "anna.keller@example.org", "Bath towels", "47.00", 5, "shipped"),
    Order("A-1055", "anna.keller@example.org", "Bath mat", "23.00", 5, "shipped"),
    Order("A-1056", "fatima.rahman@example.com", "Printer paper", "35.00", 16, "delivered", 12),
    Order("A-1057", "liam.byrne@example.com", "Toy train", "51.00", 4, "shipped"),
    Order("A-1058", "liam.byrne@example.com", "Puzzle, 1000 pieces", "17.00", 6, "delivered", 1),
    Order("A-1101", "camille.perrin@example.com", "Bedside lamp", "42.00", 6, "shipped"),
    Order("A-1102", "walter.hinz@example.org", "Bird feeder", "26.40", 13, "shipped"),
    Order("A-1103", "eva.lindholm@example.com", "Robot vacuum Mini", "140.00", 13, "delivered", 6),
    Order("A-1104", "george.nash@example.com", "Tool box", "58.00", 8, "shipped"),
    Order("A-1105", "lucia.romano@example.com", "Pencil set", "18.75", 19, "shipped"),
    Order("A-1106", "hans-peter.ott@example.org", "Hammock", "52.00", 35, "delivered", 30),
    Order("A-1107", "sarah.quinn@example.com", "Merino pullover", "48.00", 36, "delivered", 31),
    Order("A-1108", "mehmet.aksoy@example.org", "Toaster Duo", "99.99", 62, "delivered", 58),
    Order("A-1109", "ingrid.falk@example.com", "Mug set", "33.30", 10, "shipped"),
    Order("A-1110", "dan.porter@example.com", "Monitor arm", "71.00", 3, "shipped"),
    Order("A-1111", "ruth.ekstrom@example.com", "Frying pan", "60.00", 20, "shipped"),
    Order("A-1112", "ruth.ekstrom@example.com", "Blender", "70.00", 11, "delivered", 7),
    Order("A-1113", "nico.barth@example.org", "T-shirt, black", "19.90", 8, "delivered", 4),
    Order("A-1114", "nico.barth@example.org", "Cap", "15.00", 95, "delivered", 91),
    Order("A-1115", "nico.barth@example.org", "Belt", "25.00", 80, "delivered", 76),
    Order("A-1116", "nico.barth@example.org", "Sunglasses", "39.00", 60, "delivered", 55),
    Order("A-1117", "vera.simic@example.com", "Silk scarf", "22.00", 13, "delivered", 9),
    Order("A-1118", "vera.simic@example.com", "Gloves", "18.00", 130, "delivered", 126),
    Order("A-1119", "vera.simic@example.com", "Beanie", "16.00", 100, "delivered", 95),
    Order("A-1120", "pablo.ortega@example.com", "Chess set", "37.00", 5, "shipped"),
    Order("A-1121", "pablo.ortega@example.com", "Card table", "85.00", 4, "shipped"),
    Order("A-1122", "mia.jansen@example.com", "Plant pot, large", "29.00", 6, "shipped"),
    Order("A-1123", "mia.jansen@example.com", "Watering can", "21.50", 14, "delivered", 10),
    Order("A-1124", "konrad.reinhardt@example.org", "Electric shaver", "94.00", 7, "shipped"),
    Order("A-1125", "aisha.bello@example.com", "Sneakers, white", "66.00", 8, "delivered", 4),
    Order("A-1126", "stefan.huber@example.org", "Power bank", "46.00", 34, "delivered", 29),
    Order("A-1127", "lewis.grant@example.com", "Umbrella", "23.50", 4, "shipped"),
    Order("A-1128", "tanja.moser@example.org", "Wrist watch", "210.00", 55, "delivered", 50),
    Order("A-1129", "peter.novotny@example.com", "School backpack", "53.00", 5, "shipped"),
    Order("A-1130", "hilde.sommer@example.org", "Door mat", "19.50", 4, "shipped"),
]

PARCELS: dict[str, Parcel] = {  # where the carrier differs from what the shop would expect
    "A-1004": Parcel("delivered", 2, "Bonn"),
    "A-1005": Parcel("in_transit", 2, "Leipzig", "down"),
    "A-1006": Parcel("in_transit", 1, "Kassel", "slow"),
    "A-1008": Parcel("lost", 12, "Hannover"),
    "A-1009": Parcel("in_transit", 10, "Venlo"),
    "A-1010": Parcel("in_transit", 9, "Kassel"),
    "A-1011": Parcel("lost", 8, "Strasbourg"),
    "A-1012": Parcel("lost", 9, "Dortmund"),
    "A-1034": Parcel("lost", 6, "Erfurt"),
    "A-1040": Parcel("lost", 11, "Berlin"),
    "A-1049": Parcel("lost", 9, "Graz"),
    "A-1055": Parcel("in_transit", 2, "Leipzig", "down"),
    "A-1057": Parcel("in_transit", 1, "Ulm", "slow"),
    "A-1102": Parcel("returning", 2, "Bremen"),
    "A-1103": Parcel("lost", 7, "Malmö"),
    "A-1104": Parcel("in_transit", 3, "Leipzig", "down"),
    "A-1105": Parcel("in_transit", 14, "Verona"),
    "A-1109": Parcel("delivered", 5, "Lübeck"),
    "A-1111": Parcel("lost", 10, "Göteborg"),
}

REFUNDED: dict[str, int] = {  # order -> days since its refund
    "A-1025": 17, "A-1041": 100, "A-1042": 80, "A-1043": 60, "A-1044": 41, "A-1114": 85, "A-1115": 70,
    "A-1116": 49, "A-1118": 120, "A-1119": 88,
}  # fmt: skip

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
