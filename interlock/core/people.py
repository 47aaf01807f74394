"""People named in a text: where capitalised words stand as names do, and when two names are the same.

Nothing here knows names; it knows ordinary words. Words are known in English, forms of address in German too.
"""

import re
from collections.abc import Iterator
from itertools import groupby

from interlock.core.figures import Found

_GAP = r"[ \t\u00a0*_]+"
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_SMALL = "de del della di da das do dos du la le el van von vom zu zum zur der den ten ter bin ibn al y"
_PARTICLES = frozenset(_SMALL.split())
_CALLED = [
    re.compile(rf"(?<!\w){words}{_GAP}")
    for words in (
        r"(?i:dear|hello|hi|hey|hallo|liebe[rs]?|good (?:morning|afternoon|evening|day)|guten tag),?",
        r"(?:Mr|Ms|Mrs|Mx|Miss|Dr|Prof|Professor|Sir|Madam|Herrn?|Frau|Mme|Señora?)\.?",
        r"(?i:(?:my|our|your|their|his|her|the)(?: [a-z]+){0,2} (?:colleague|contact|agent|advis[eo]r|manager"
        r"|lead|driver|supervisor|specialist|assistant|representative|neighbou?r)(?: person)?"
        r"(?: (?:in|from|of|at)(?: [a-z]+){1,3},)?(?: is| was|:)?|my name is),?",
    )
]
_CLOSING = re.compile(
    r"(?i:regards|wishes|sincerely|faithfully|yours|cheers|thanks|thank you|grüßen?)[,.!]?[ \t]*\n\s*"
)
_BETWEEN = re.compile(_GAP)
_LINE_END = re.compile(r"[ \t,.*_]*(?:\n|\Z)")

_COMMON = """
a an the this that these those it its i me my we us our you your he him his she her they them their who
whom whose what which when where why how there here and or but nor so if then else as at by for from in
into of off on onto out over per since than through till to under until up upon via with within without
about above after again against all almost already also although always among another any anyone anything
are aren't be because been before being below between both can cannot could did do does done don't down
during each either every everyone everything except few finally first second third last next further
furthermore had has have having hence however just later least less let like many may maybe might moreover
more most much must neither never new no none not nothing now often old once one two three four five six
seven eight nine ten only other others otherwise ought own perhaps please previous quite rather same
several shall should some someone soon still such sure thanks thank therefore though thus today together
tomorrow tonight too unfortunately unless very was were while will would yes yesterday yet currently
additionally regarding concerning according meanwhile instead kindly sadly luckily sorry apologies welcome
hello hi hey dear good great morning afternoon evening day night kind best warm regards wishes greetings
sincerely faithfully respectfully yours cheers sir madam mr ms mrs mx miss dr prof professor customer
customers client guest friend friends team everybody valued support service services desk help helpdesk
care shop store office department company staff agent manager specialist colleague contact monday tuesday
wednesday thursday friday saturday sunday january february march april june july august september october
november december jan feb mar apr jun jul aug sep sept oct nov dec spring summer autumn winter order
orders ordered item items product products parcel parcels package packages delivery deliveries shipment
shipping shipped delivered return returns returned refund refunds refunded payment payments paid invoice
invoices receipt receipts bill bank card account accounts voucher gift label labels tracking number
numbers id carrier courier post mail email phone call address name date time amount total price cost costs
status state update updates information info details detail summary note notes notice important question
questions answer answers request requests ticket tickets case cases complaint complaints claim claims
reply message issue issues problem problems reason result results step steps policy policies rule rules
terms conditions privacy warranty guarantee right rights law legal page website online free standard
express priority special original estimated expected billing safety press money back damaged lost missing
late open closed pending approved confirmed cancelled canceled we've we're we'll i'm i've i'll you're
you've you'll it's that's there's here's let's can't won't didn't doesn't isn't wasn't haven't hasn't see
ask tell give send check find keep take make get go come use visit meet speak talk write read sign click
wait look herr herrn frau hallo liebe lieber guten tag sehr geehrte geehrter mit freundlichen grüßen grüße
vielen dank ihr ihre ihren ihrer ihrem sie wir der die das den dem ein eine und oder im am bei
"""
_ORDINARY = frozenset(_COMMON.split())


def people(text: str) -> list[Found]:
    """Where people are named; of two places that overlap the longer one."""
    places = [place for chain in _chains(text) for place in _names(chain, 2)]
    for pattern in _CALLED:
        places += [name for match in pattern.finditer(text) for name in _first(text, match.end())]
    for match in _CLOSING.finditer(text):
        places += [name for name in _first(text, match.end()) if _LINE_END.match(text, name.end)]
    kept: list[Found] = []
    for place in sorted(places, key=lambda p: p.start - p.end):
        if all(place.end <= other.start or place.start >= other.end for other in kept):
            kept.append(place)
    return kept


def _first(text: str, at: int) -> list[Found]:
    """The name that begins exactly here, if one does; a single word is enough."""
    word = _WORD.match(text, at)
    if word is None or not _may_name(word.group()):
        return []
    return [place for place in _names(next(_chains(text, at)), 1) if place.start == at]


def _chains(text: str, at: int = 0) -> Iterator[list[re.Match[str]]]:
    """Words side by side that could be parts of a name."""
    chain: list[re.Match[str]] = []
    for word in _WORD.finditer(text, at):
        fits = _may_name(word.group())
        if chain and not (fits and _side_by_side(text, chain[-1], word)):
            yield chain
            chain = []
        if fits:
            chain.append(word)
    if chain:
        yield chain


def _names(chain: list[re.Match[str]], least: int) -> Iterator[Found]:
    """The names in a chain: what ordinary words leave of it, if it has enough capitalised words."""
    for ordinary, group in groupby(chain, key=lambda word: _ordinary(word.group())):
        run = list(group)
        while run and run[-1].group() in _PARTICLES:
            run.pop()
        while run and least > 1 and run[0].group() in _PARTICLES:
            run.pop(0)
        capitals = [word.group() for word in run if word.group() not in _PARTICLES]
        if not ordinary and len(capitals) >= least and any(len(word) > 1 for word in capitals):
            start = run[0].start()
            name = re.sub("['’][sS]$", "", run[0].string[start : run[-1].end()])
            yield Found(start, start + len(name), name)


def _may_name(word: str) -> bool:
    return word[0].isupper() or word in _PARTICLES


def _ordinary(word: str) -> bool:
    """Says whether a word is an ordinary one or an abbreviation such as VAT."""
    if word in _PARTICLES:
        return False
    if len(word) in (2, 3) and word.isupper():
        return True
    word = word.casefold().replace("’", "'")
    head, *_ = word.split("'")
    parts = word.split("-")
    if word in _ORDINARY or (len(head) > 1 and head in _ORDINARY):
        return True
    return parts[-1] in _ORDINARY and all(len(part) == 1 or part in _ORDINARY for part in parts)


def _side_by_side(text: str, one: re.Match[str], two: re.Match[str]) -> bool:
    between = text[one.end() : two.start()]
    return bool(_BETWEEN.fullmatch(between)) or (len(one.group()) == 1 and between in (".", ". ", ".\u00a0"))


def is_word(text: str) -> bool:
    """Says whether a text is one word, as a first or a last name in a field of its own is."""
    return _WORD.fullmatch(text.strip()) is not None


def words_of(text: str) -> str:
    """The words of a text as names are compared, between spaces: without case, hyphens and the possessive."""
    text = re.sub(r"'s(?!\w)", "", text.replace("’", "'").casefold())
    return " " + " ".join(re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", text)) + " "


def named_in(name: list[str], words: list[str]) -> bool:
    """Says whether one of these texts (from `words_of`) holds the name, first or last name first."""
    for order in (name, name[-1:] + name[:-1]):
        # an initial stands for any name that begins with it
        parts = (re.escape(word) + (r"\S*" if len(word) == 1 else "") for word in order)
        pattern = re.compile(" " + " ".join(parts) + " ")
        if any(pattern.search(text) for text in words):
            return True
    return False


def opens_sentence(text: str, at: int) -> bool:
    """Says whether what stands here begins a sentence or a line, where any word has a capital."""
    return text[:at].rstrip(" \t\u00a0*_")[-1:] in ("", "\n", ".", "!", "?", ":")
