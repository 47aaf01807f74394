"""What answers the one agent while no model is configured: a clerk with a few rules.

It is there so that `interlock eval compare support` runs anywhere; its figures say nothing about real models.
"""

import json
import re
from typing import Any

from interlock.testing.model_server import Asked, Says

NUMBER = re.compile(r"\ba-?(\d{4})\b", re.IGNORECASE)
MONEY = re.compile(
    r"refund|money back|return|cancel|broken|damaged|wrong item|never (?:came|arrived)", re.IGNORECASE
)


def script(asked: Asked) -> Says:
    """The clerk's next step."""
    ticket, known = _ticket(asked), _answers(asked)
    if "shop__orders_of" not in known:
        return _call("shop__orders_of", email=ticket["customer_email"])
    mine = {each["id"]: each for each in known["shop__orders_of"] or []}
    words = f"{ticket['subject']} {ticket['text']}"
    named = [f"A-{digits}" for digits in NUMBER.findall(words)]
    order = mine.get(named[0]) if named else next(iter(mine.values()), None) if len(mine) == 1 else None
    if order is None:
        return _reply("which order do you mean? Please send us its number.")
    if order["tracking"] and "carrier__track" not in known:
        return _call("carrier__track", number=order["tracking"])
    if MONEY.search(words):
        step = _pay(order, list(mine), known)
        if step is not None:
            return step
    return _reply(_told(order, known))


def _pay(order: dict[str, Any], mine: list[str], known: dict[str, Any]) -> Says | None:
    """Pays an order back, without looking at dates: what a clerk does who has not understood the rules."""
    if "payments__refunds_of" not in known:
        return _call("payments__refunds_of", order_ids=mine)
    before = known["payments__refunds_of"] or []
    if "payments__refund" in known or any(each["order_id"] == order["id"] for each in before):
        return None
    return _call("payments__refund", order_id=order["id"], amount=order["total"], history=len(before))


def _told(order: dict[str, Any], known: dict[str, Any]) -> str:
    parcel, paid = known.get("carrier__track"), known.get("payments__refund")
    status = parcel["status"] if isinstance(parcel, dict) else order["status"]
    text = f"your order {order['id']} is {str(status).replace('_', ' ')}"
    text += f", tracking number {order['tracking']}." if order["tracking"] else "."
    return f"{text} We have paid {paid['amount']} back to you." if isinstance(paid, dict) else text


def _reply(words: str) -> Says:
    return _call("answer", text=f"Hello,\n\n{words}\n\nKind regards\nLantern Shop")


def _call(name: str, **arguments: Any) -> Says:  # noqa: ANN401
    return Says(calls=[(name, arguments)])


def _ticket(asked: Asked) -> dict[str, Any]:
    first = next(each["content"] for each in asked.messages if each["role"] == "user")
    return json.loads(first[first.index("{") : first.rindex("}") + 1])


def _answers(asked: Asked) -> dict[str, Any]:
    """Function -> what it answered last: its JSON, or the words of a refusal."""
    names = {
        call["id"]: call["function"]["name"]
        for message in asked.messages
        for call in message.get("tool_calls") or []
    }
    found: dict[str, Any] = {}
    for message in asked.messages:
        if message["role"] == "tool":
            said = message["content"]
            try:
                found[names[message["tool_call_id"]]] = json.loads(said)
            except ValueError:
                found[names[message["tool_call_id"]]] = said
    return found
