"""A shop of two orders. Replace it by your own systems; nothing else has to change."""

from decimal import Decimal

from pydantic import BaseModel

from interlock import ToolServer


class Order(BaseModel):
    id: str
    total: Decimal


shop = ToolServer("shop")
ORDERS = {"ann@example.com": ("A-1001", "49.90"), "ben@example.com": ("A-1002", "180.00")}
PAID: dict[str, Order] = {}


@shop.tool()
async def latest_order(email: str) -> Order:
    """The newest order of a customer."""
    number, total = ORDERS[email]
    return Order(id=number, total=Decimal(total))


@shop.tool(effect="once", key="key")
async def pay_back(order: str, amount: Decimal, key: str = "") -> Order:
    """Pays an order back."""
    return PAID.setdefault(key, Order(id=order, total=amount))  # the same key pays once
