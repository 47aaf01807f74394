"""Matters that a person has to answer: legal threats, press, injuries and safety. Pure.

A strong word is enough; of weak ones, which stand in harmless tickets too, it takes two different ones.
"""

from typing import Literal, TypeAlias

from agents.ticket import Ticket
from agents.words import Words, followed, has, near, places, sentences, tokens

Matter: TypeAlias = Literal["legal", "press", "injury", "safety"]

LAW = Words(
    "lawyer lawyers attorney solicitor barrister sue lawsuit litigation prosecute court tribunal"
    " ombudsman anwalt anwaltin rechtsanwalt rechtsanwaltin gericht klage verklagen anzeige"
    " verbraucherzentrale"
)
BEING = Words("am im as is was being become")
ARTICLE = Words("a an ein eine")
SPORT = Words("tennis basketball squash food badminton")
SUING = Words("suing sued report")
YOU = Words("you your company shop store")
LEGAL = Words("legal legally rechtlich rechtliche")
MOVES = Words("action actions steps proceedings consequences department counsel insurance schritte")

REPORTER = Words("journalist journalists reporter reporters newsroom redaktion redakteur journalistin")
PRESS_WEAK = Words(
    "interview magazine newspaper newspapers publish story editor editorial broadcast readers viewers"
    " blog podcast zeitung"
)
TELL = Words("go going talk talking tell contact contacting inform call write turn")
PRESS = Words("press")
MEDIA = Words("media newspaper newspapers television tv presse medien zeitung")

HURT = Words("scalded concussion bleeding bled electrocuted verletzt verbruht")
HARM = Words(
    "injured burn burnt burned cut hurt wounded bruised broke fractured sprained verbrannt geschnitten"
)
POSSESSIVE = Words("my his her our their meine mein meiner")
BODY = Words(
    "hand hands finger fingers arm forearm face eye eyes leg skin head wrist thumb lip tongue daughter"
    " son child kid baby auge"
)
HARM_WEAK = Words(
    "doctor doctors hospital ambulance injury injuries stitches emergency rash wound poisoned swallowed"
    " choked bandage blood burns arzt krankenhaus verletzung"
)

DANGER = Words("exploded explode explosion sparking sparked hazard explodiert stromschlag brandgefahr")
ELECTRIC = Words("electric electrical")
SHOCK = Words("shock shocks")
CAUGHT = Words("caught catch catches on")
FIRE = Words("fire")
DANGER_WEAK = Words(
    "fire flames smoke smoking smoked burning burnt melted melting dangerous danger unsafe overheated"
    " overheats overheating hot scorched charred swollen bulging hissing glowing fumes flame ignited"
    " smell smelled smelt sparks plug choking toxic feuer rauch brand gefahrlich"
)


def matter(ticket: Ticket) -> Matter | None:
    """The gravest matter of a ticket, or None where it is an ordinary one."""
    said = [tokens(sentence) for sentence in sentences(ticket.words)]
    every = [token for sentence in said for token in sentence]
    if has(every, HURT) or any(_harmed(each) for each in said) or _two(every, HARM_WEAK):
        return "injury"
    if has(every, DANGER) or any(_dangerous(each) for each in said) or _two(every, DANGER_WEAK):
        return "safety"
    if any(_law(each) for each in said):
        return "legal"
    if has(every, REPORTER) or any(_public(each) for each in said) or _two(every, PRESS_WEAK):
        return "press"
    return None


def _law(said: list[str]) -> bool:
    """A word of the law that is neither the customer's profession nor a place for sports."""
    for place in places(said, LAW):
        profession = has(said[max(0, place - 1) : place], ARTICLE) and has(
            said[max(0, place - 2) : place], BEING
        )
        if not profession and not has(said[max(0, place - 1) : place], SPORT):
            return True
    return followed(said, SUING, YOU, 2) or near(said, LEGAL, MOVES, 3)


def _public(said: list[str]) -> bool:
    """Threatens with the press; a French press is none."""
    return followed(said, TELL, PRESS, 3) or near(said, TELL, MEDIA, 6)


def _harmed(said: list[str]) -> bool:
    """Harm to a part of somebody: `burned my hand`, and not `the arm of the lamp broke`."""
    return any(
        followed(said[at : at + 5], HARM, POSSESSIVE, 2) and followed(said[at : at + 6], POSSESSIVE, BODY, 2)
        for at in places(said, HARM)
    )


def _dangerous(said: list[str]) -> bool:
    return near(said, ELECTRIC, SHOCK, 2) or followed(said, CAUGHT, FIRE, 2)


def _two(said: list[str], words: Words) -> bool:
    """Says whether two different words of a vocabulary were said."""
    return len({said[place] for place in places(said, words)}) > 1
