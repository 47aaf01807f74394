"""What a ticket asks for, read from the meaning of its words. Pure; decides nothing.

A wish is a word, or two meanings close to each other in one sentence, mostly in English or German. Sentences
stand alone, so their order does not matter, and `agents.words` forgives misspelling.
"""

import re
from collections.abc import Callable
from typing import Literal, TypeAlias

from agents.ticket import Ticket, Want, Wish, order_numbers, tracking_numbers
from agents.words import NEGATION, Words, denied, followed, has, near, places, sentences, tokens
from graphs import vocabulary as word

Meaning: TypeAlias = Want | Literal["exchange", "billing", "other"]
"""A want, or something that nobody at this desk does."""
MONEY: frozenset[Meaning] = frozenset(("refund", "return", "faulty", "cancel"))
PART = re.compile(r"[,;&]|\b(?:and|und|but|aber)\b", re.IGNORECASE)


def wishes(ticket: Ticket) -> dict[str, set[Meaning]]:
    """What is asked, by order number; one entry under the empty number where the ticket gives none.

    A sentence with numbers speaks of these; one without speaks of the orders that no sentence wants anything
    with. Where a sentence has several numbers, each part of it speaks of its own. Money for a mistake in
    the bill is nobody's job here.
    """
    numbers, every = order_numbers(ticket.words), sentences(ticket.words)
    names_order = says_my_order(ticket) or bool(numbers or tracking_numbers(ticket.words))
    found: dict[str, set[Meaning]] = {number: set() for number in numbers or [""]}
    loose: set[Meaning] = set()
    for sentence in every:
        meant, about = meanings(sentence, names_order), order_numbers(sentence)
        for number in about:
            found[number] |= _part(sentence, number) or meant if len(about) > 1 else meant
        if not about:
            loose |= meant
    for number in [number for number, meant in found.items() if not meant or len(found) == 1]:
        found[number] |= loose
    if any("billing" in meant for meant in found.values()):
        return {number: meant - {"refund"} for number, meant in found.items()}
    return found


def says_my_order(ticket: Ticket) -> bool:
    """Speaks of an order or a parcel as one's own."""
    return any(followed(tokens(each), word.MINE, word.PARCEL, 2) for each in sentences(ticket.words))


def _part(sentence: str, number: str) -> set[Meaning]:
    """What the part of a sentence that has this number says."""
    own = [part for part in PART.split(sentence) if order_numbers(part) == [number]]
    return set().union(*(meanings(part, True) for part in own))


def as_wish(number: str, meant: set[Meaning]) -> Wish:
    """What an agent is given of it."""
    wants: list[Want] = ["status", "missing", "return", "faulty", "refund", "cancel"]
    return Wish(order=number, wants=tuple(want for want in wants if want in meant))


def meanings(sentence: str, names_order: bool = False) -> set[Meaning]:
    """What one sentence asks for; `names_order` says that the ticket names an order somewhere."""
    said = tokens(sentence)
    found: set[Meaning] = {name for name, rule in RULES.items() if rule(said)}
    # An e-mail address that is merely mentioned is no wish; to change the address of a parcel is.
    readdress = near(said, word.CHANGE, word.ADDRESS, 4)
    if (has(said, word.OTHER) or readdress) and not found & MONEY:
        return {"other"}
    if _not_arrived(said) and (names_order or has(said, word.THING)):
        found.add("missing")
    if _asks_where(said, "?" in sentence, names_order):
        found.add("status")
    return found


def _wanted(said: list[str], words: Words) -> bool:
    """Says whether one of the words was said and not waved away: `no refund`, `I do not want a refund`."""
    for place in places(said, words):
        before = said[max(0, place - 5) : place]
        refused = has(before[-1:], word.NOT_THAT) or followed(before, NEGATION, word.DESIRE, 2)
        if not refused and not followed(said[max(0, place - 8) : place], word.THANKS, word.FOR, 4):
            return True
    return False


def _refund(said: list[str]) -> bool:
    back = near(said, word.MONEY, word.BACK, 4) or followed(said, word.RETURN, word.MONEY, 2)
    return _wanted(said, word.REFUND) or (back and _wanted(said, word.MONEY))


def _return(said: list[str]) -> bool:
    back = any(
        0 < to - at <= 4 and not has(said[at:to], word.MONEY)
        for at in places(said, word.HAND)
        for to in places(said, word.BACK)
    )
    unkept = followed(said, NEGATION, word.KEEP, 4)
    return (back or unkept) or (
        _wanted(said, word.RETURN) and not followed(said, word.RETURN, word.ANSWER | word.MONEY, 2)
    )


def _faulty(said: list[str]) -> bool:
    """Damaged, not working, or not what was ordered; a broken link of the shop's page is none of these."""
    broken = [at for at in places(said, word.FAULTY) if not denied(said, at)]
    if any(not has(said[max(0, at - 4) : at], word.DIGITAL) for at in broken) or _in_pieces(said):
        return True
    if has(said, word.DIGITAL):
        return False
    works = followed(said, NEGATION | word.STOPPED, word.WORK, 2)
    other = near(said, word.WRONG, word.GOODS, 2) or (
        has(said, word.GOT) and near(said, word.OTHER_ONE, word.GOODS | word.OF, 1)
    )
    return works or other or followed(said, NEGATION, word.ORDERED, 2)


def _in_pieces(said: list[str]) -> bool:
    """In pieces that are not counted, or with a part missing."""
    counted = any(said[at - 1].isdigit() for at in places(said, word.PIECES) if at)
    return (followed(said, word.IN, word.PIECES, 4) and not counted) or near(said, word.ABSENT, word.PARTS, 3)


def _not_arrived(said: list[str]) -> bool:
    """Has not come, is lost, or does not move; a parcel's content that is missing came with it."""
    absent = has(said, word.ABSENT) and not near(said, word.ABSENT, word.PARTS, 3)
    gone = has(said, word.GONE) or absent
    return gone or followed(said, NEGATION, word.ARRIVE, 4) or near(said, word.STILL, word.STANDS, 4)


def _asks_where(said: list[str], question: bool, names_order: bool) -> bool:
    """Asks for a place, a time or news; of what, the number or another word in the sentence must say."""
    place = has(said, word.ASKS) and (
        question or has(said, word.TELL) or followed(said, word.ASKS, word.BE, 1)
    )
    news = followed(said, word.WHAT, word.GOING, 2) or followed(said, word.HOW, word.LONG, 1)
    moving = question and has(said, word.MOVES)
    if place or news or moving or has(said, word.LOOK | word.ASKED):
        return names_order or has(said, word.THING)
    return has(said, word.WAIT) and (names_order or has(said, word.PARCEL))


RULES: dict[Meaning, Callable[[list[str]], bool]] = {
    "refund": _refund,
    "return": _return,
    "faulty": _faulty,
    "cancel": lambda said: _wanted(said, word.CANCEL) or followed(said, word.STOP, word.PARCEL, 3),
    "billing": lambda said: near(said, word.TWICE, word.CHARGED, 2) or has(said, word.DIFFERENCE),
    "exchange": lambda said: _wanted(said, word.EXCHANGE),
}
