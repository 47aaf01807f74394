"""The parcels of which the carrier knows something else than the shop would expect."""

from typing import NamedTuple


class Parcel(NamedTuple):
    """What the carrier knows of an order's parcel; `last_scan` is days before today."""

    status: str
    last_scan: int
    place: str
    weather: str = "fine"


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
    "A-1059": Parcel("lost", 11, "Łódź"),
    "A-1102": Parcel("returning", 2, "Bremen"),
    "A-1103": Parcel("lost", 7, "Malmö"),
    "A-1104": Parcel("in_transit", 3, "Leipzig", "down"),
    "A-1105": Parcel("in_transit", 14, "Verona"),
    "A-1109": Parcel("delivered", 5, "Lübeck"),
    "A-1111": Parcel("lost", 10, "Göteborg"),
}
