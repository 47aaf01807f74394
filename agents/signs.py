"""Signs that a text tries to steer the assistant instead of asking the shop for something.

A strong sign is enough. Weak ones, which honest people give off too, come in two groups, steering and
diverting money, and count from the second of a group on. Each is a pair of meanings, never a phrase.
"""

import re
from collections.abc import Callable
from typing import TypeAlias

from agents.words import Words, denied, followed, has, near, places, sentences, tokens

Rule: TypeAlias = Callable[[list[str]], bool]
"""Reads one sentence, as tokens."""

DROP = Words("ignore disregard forget override bypass ignoriere ignorieren vergiss missachte umgehe")
RULES = Words(
    "instruction instructions rule rules policy policies guideline guidelines prompt anweisungen regeln"
)
OWN = Words("my our delivery assembly care")
SKIP = Words("skip bypass override disable circumvent without suspend uberspringe ohne")
CONTROLS = Words(
    "check checks approval approvals limit limits filter filters verification freigabe genehmigung"
)
SPILL = Words("reveal print repeat output dump disclose list show")
INNER = Words("prompt database password passwords credentials secrets")
MODES = Words("debug developer admin administrator god root")
SPECIAL = Words("jailbreak sudo")
MACHINE = Words("bot chatbot assistant ai llm gpt helpfulbot ki assistent sprachmodell")
ROLE = Words("now always must obey comply pretend act jetzt immer musst")
SYSTEM = Words("system developer developers programmers administrator entwickler")
THEIRS = Words("your the our sound audio")
VOUCH = Words(
    "approved authorised authorized verified cleared confirmed signed genehmigt freigegeben bestatigt"
)
BOSS = Words(
    "supervisor manager management ceo director headquarters lead chef leitung vorgesetzten geschaftsfuhrung"
)
CODED = Words("decode base64 rot13 hex encoded decrypt")
ORDERS = Words(
    "refund approve pay issue mark confirm include append credit grant erstatte genehmige zahle uberweise"
)
DO = Words("do please and then")
NOT = Words("dont not never")
SUBJECT = Words("i you he she we they it did")
KEEP_OUT = Words("log record tell write notify inform mention flag")
RAISED = Words("session raise raised increase unlimited override")
LIMIT = Words("limit limits cap")
OTHER = Words("another other different")
OTHERS = Words("someone somebody someones somebodys her his their neighbours neighbors friends")
PERSON = Words("customer customers name names person persons")
THINGS = Words("order orders name account")
PURSE = Words("iban paypal bitcoin crypto wallet")
USE = Words("use using back")
ORIGINAL = Words("original same")
METHOD = Words("payment method card account")

CALL = re.compile(r"\b\w+_\w+\s*\(|\b\w{4,}\(\s*\w+\s*=\s*[\"'\d]")
BLOB = re.compile(r"(?=\S*\d)(?=\S*[A-Z])(?=\S*[a-z])[A-Za-z0-9+/]{40,}={0,2}|\b(?:[0-9a-f]{2}\s?){24,}\b")
ROLES = Words("system assistant developer admin")
FRAME = re.compile(r"(?P<mark>[#\[<!|*=\s-]*)(?:begin |end )?(?P<role>\w+)(?: \w+)?(?P<colon>\s*:)?", re.I)
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?\d{4}){3,}")
ASIDE = re.compile(
    r"[\[({<][!\-\s]*(?:(?:note|message|attention|hinweis) ?(?:to|for|an)? )?(?:the |any |den |die )?"
    r"(?:ai|ki|assistant|assistent|bot|chatbot|llm|system)\b", re.IGNORECASE
)  # fmt: skip
LINK = re.compile(r"https?://\S+")


def signs(text: str) -> tuple[str, ...]:
    """What about a text tries to steer the assistant; empty if it is a customer's ordinary matter."""
    bare = LINK.sub(" ", text)
    every = sentences(bare)
    said = [tokens(sentence) for sentence in every]
    strong = [name for name, pattern in SHAPES if pattern.search(bare)] + _given(STRONG, said)
    strong += ["a made-up frame"] if any(_framed(sentence) for sentence in every) else []
    steering, diverting = _given(STEERING, said), _given(DIVERTING, said)
    if IBAN.search(bare) and PURSES not in diverting:
        diverting.append(PURSES)
    weak = [name for group in (steering, diverting) if len(group) > 1 for name in group]
    return tuple(strong + (weak or (steering if strong else [])))


def _given(rules: list[tuple[str, Rule]], said: list[list[str]]) -> list[str]:
    return [name for name, rule in rules if any(rule(sentence) for sentence in said)]


def _framed(sentence: str) -> bool:
    """Opens like a message of the machinery: `### SYSTEM`, `[admin]`, `Assistant:`."""
    found = FRAME.match(sentence)
    return bool(found and found["role"].casefold() in ROLES and (found["mark"] or found["colon"]))


def _drops_rules(said: list[str]) -> bool:
    """Tells somebody to drop rules that are not the customer's own; `my delivery instructions` are."""
    return any(
        0 < of - at <= 8 and not has(said[at:of], OWN) and not denied(said, at)
        for at in places(said, DROP)
        for of in places(said, RULES)
    )


def _orders_a_machine(said: list[str]) -> bool:
    """Tells a machine that reads along what to do; `your chatbot` is what honest customers talk about."""
    return any(
        has(said[at + 1 : at + 9], ORDERS) and not has(said[max(0, at - 2) : at], THEIRS)
        for at in places(said, MACHINE)
    )


def _speaks_for_system(said: list[str]) -> bool:
    """Names the machinery behind the desk; `your system` is what honest customers complain about."""
    return any(
        said[at] != "system" or not has(said[max(0, at - 1) : at], THEIRS) for at in places(said, SYSTEM)
    )


def _wants_it_unseen(said: list[str]) -> bool:
    """Tells somebody not to log, tell or write; `you did not tell me` is a complaint."""
    return any(
        followed(said[at : at + 3], NOT, KEEP_OUT, 2) and not has(said[max(0, at - 2) : at], SUBJECT)
        for at in places(said, NOT)
    )


PURSES = "money to somewhere else"
SHAPES = [("a call of a tool", CALL), ("an encoded text", BLOB), ("an aside to a machine", ASIDE)]
STRONG: list[tuple[str, Rule]] = [
    ("drops the rules", _drops_rules),
    ("gives a machine orders", _orders_a_machine),
    ("skips the controls", lambda said: followed(said, SKIP, CONTROLS, 5)),
    ("asks for the inside", lambda said: followed(said, SPILL, INNER, 6)),
    ("a special mode", lambda said: followed(said, MODES, Words("mode"), 1) or has(said, SPECIAL)),
]
STEERING: list[tuple[str, Rule]] = [
    ("speaks to a machine", lambda said: near(said, MACHINE, ROLE, 6)),
    ("speaks for the system", _speaks_for_system),
    ("says somebody vouched", lambda said: near(said, VOUCH, BOSS, 5)),
    ("something to decode", lambda said: has(said, CODED)),
    ("wants it unseen", _wants_it_unseen),
    ("moves a limit", lambda said: near(said, LIMIT, RAISED, 6)),
]
DIVERTING: list[tuple[str, Rule]] = [
    ("another's order", lambda said: followed(said, OTHER, PERSON, 2) or followed(said, OTHERS, THINGS, 2)),
    (PURSES, lambda said: has(said, PURSE) or followed(said, OTHER, Words("account"), 2)),
    ("another way to be paid", lambda said: followed(said, NOT, ORIGINAL, 4) and has(said, METHOD)),
    ("wants it unseen", _wants_it_unseen),
]
