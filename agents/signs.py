"""Signs that a text tries to steer the assistant instead of asking the shop for something.

A strong sign is enough; weak ones, which honest people give off too, count from the second on. Each sign
is a pair of meanings close to each other, never a phrase: whoever rewords an attack meets it again.
"""

import re
from collections.abc import Callable
from typing import TypeAlias

from agents.words import NEGATION, Words, denied, followed, has, near, places, sentences, tokens

Rule: TypeAlias = Callable[[list[str]], bool]
"""Reads one sentence, as tokens."""

DROP = Words("ignore disregard forget override bypass ignoriere vergiss")
RULES = Words("instruction instructions rule rules policy policies guideline guidelines prompt restrictions")
SKIP = Words("skip bypass override disable circumvent without suspend")
CONTROLS = Words("check checks approval approvals limit limits filter filters verification safeguards")
OWN = Words("my our delivery")
SPILL = Words("reveal print repeat output dump disclose list show")
INNER = Words("prompt database password passwords credentials secrets")
MODES = Words("test debug developer admin administrator maintenance god training root")
SPECIAL = Words("jailbreak sudo")
MACHINE = Words("bot chatbot assistant ai llm gpt helpfulbot")
ROLE = Words("now always must obey comply pretend act")
SYSTEM = Words("system developer developers programmers administrator session")
VOUCH = Words("approved authorised authorized verified cleared confirmed signed")
BOSS = Words("supervisor manager management ceo director headquarters lead")
CODED = Words("decode base64 rot13 hex encoded decrypt")
ELSEWHERE = Words("account iban wallet")
PURSE = Words("iban paypal bitcoin crypto wallet")
STRANGER = Words("another other different someone somebody her his their")
OWNER = Words("customer customers name names order account")
ORIGINAL = Words("original same")
METHOD = Words("payment method card account")
KEEP_OUT = Words("log record tell write notify inform mention flag")
RAISED = Words("session raise raised increase unlimited override")
LIMIT = Words("limit limits cap")

CALL = re.compile(r"\b\w{3,}\s*\([^()]*\w\s*=\s*[^()]*\)")
BLOB = re.compile(r"(?=\S*\d)(?=\S*[A-Z])(?=\S*[a-z])[A-Za-z0-9+/]{40,}={0,2}|\b(?:[0-9a-f]{2}\s?){24,}\b")
FRAME = re.compile(
    r"^\W*(?:begin |end )?(?:system|assistant|developer|admin)\b[\w ]{0,20}(?:[:>\]]|\W*#+|\W*$)", re.I | re.M
)
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?\d{4}){3,}")
LINK = re.compile(r"https?://\S+")


def signs(text: str) -> tuple[str, ...]:
    """What about a text tries to steer the assistant; empty if it is a customer's ordinary matter."""
    bare = LINK.sub(" ", text)
    strong = [name for name, pattern in STRONG_SHAPES if pattern.search(bare)]
    weak = [name for name, pattern in WEAK_SHAPES if pattern.search(bare)]
    for sentence in sentences(bare):
        said = tokens(sentence)
        strong += [name for name, rule in STRONG if rule(said)]
        weak += [name for name, rule in WEAK if rule(said)]
    weak = list(dict.fromkeys(weak))
    return tuple(dict.fromkeys(strong)) + (tuple(weak) if strong or len(weak) > 1 else ())


def _drops_rules(said: list[str]) -> bool:
    """Tells somebody to drop rules that are not the customer's own; `my delivery instructions` are."""
    for at in places(said, DROP):
        for of in places(said, RULES):
            if 0 < of - at <= 8 and not has(said[at:of], OWN) and not denied(said, at):
                return True
    return False


def _in_a_mode(said: list[str]) -> bool:
    return followed(said, MODES, Words("mode"), 1) or has(said, SPECIAL)


STRONG_SHAPES = [("a call of a tool", CALL), ("an encoded text", BLOB), ("a made-up frame", FRAME)]
WEAK_SHAPES = [("a strange account", IBAN)]
STRONG: list[tuple[str, Rule]] = [
    ("drops the rules", _drops_rules),
    ("skips the controls", lambda said: followed(said, SKIP, CONTROLS, 5)),
    ("asks for the inside", lambda said: followed(said, SPILL, INNER, 6)),
    ("a special mode", _in_a_mode),
]
WEAK: list[tuple[str, Rule]] = [
    ("speaks to a machine", lambda said: near(said, MACHINE, ROLE, 6)),
    ("speaks for the system", lambda said: has(said, SYSTEM)),
    ("says somebody vouched", lambda said: near(said, VOUCH, BOSS, 5)),
    ("something to decode", lambda said: has(said, CODED)),
    ("a strange account", lambda said: has(said, PURSE) or followed(said, STRANGER, ELSEWHERE, 2)),
    ("somebody else's order", lambda said: followed(said, STRANGER, OWNER, 2)),
    ("another way to be paid", lambda said: followed(said, NEGATION, ORIGINAL, 4) and has(said, METHOD)),
    ("wants it unseen", lambda said: followed(said, NEGATION, KEEP_OUT, 2)),
    ("moves a limit", lambda said: near(said, LIMIT, RAISED, 6)),
]
