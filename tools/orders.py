"""The orders that the evaluation tickets are about, and which of them were paid back before."""

from typing import NamedTuple


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
    Order("A-1059", "zofia.maj@example.com", "Electric kettle Mira", "39.90", 22, "shipped"),
    Order("A-1060", "paolo.ricci@example.com", "Reading lamp", "58.50", 5, "shipped"),
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

REFUNDED: dict[str, int] = {  # order -> days since its refund
    "A-1025": 17, "A-1041": 100, "A-1042": 80, "A-1043": 60, "A-1044": 41, "A-1114": 85, "A-1115": 70,
    "A-1116": 49, "A-1118": 120, "A-1119": 88,
}  # fmt: skip
