"""Matters that a person has to answer: legal threats, press, injuries and safety. Pure.

A strong word is enough; of weak ones, which stand in harmless tickets too, it takes two different ones.
"""

from typing import Literal, TypeAlias

from agents.ticket import Ticket
from agents.words import Words, followed, has, near, places, sentences, tokens

Matter: TypeAlias = Literal["legal", "press", "injury", "safety"]

LAW = Words(
    "lawyer lawyers attorney solicitor barrister sue lawsuit litigation prosecute court anwalt anwaltin"
    " rechtsanwalt rechtsanwaltin gericht klage verklagen anzeige"
)
SUING = Words("suing sued")
YOU = Words("you your company shop store")
LAW_WEAK = Words(
    "legal legally action steps proceedings tribunal ombudsman police judge claims authorities counsel"
)
SPORT = Words("tennis basketball squash food badminton")
REPORTER = Words("journalist journalists reporter reporters newsroom redaktion redakteur journalistin")
PRESS_WEAK = Words(
    "article interview statement magazine newspaper newspapers publish story comment editor editorial"
    " broadcast radio television tv podcast readers viewers blog press zeitung"
)
TELL = Words("go going talk talking tell contact contacting inform call write turn")
PRESS = Words("press")
MEDIA = Words("media newspaper newspapers television tv radio presse medien zeitung")
HURT = Words(
    "injured injury injuries scalded concussion bleeding bled stitches hospital ambulance verletzt"
    " verletzung krankenhaus"
)
HARM = Words(
    "burn burnt burned cut hurt wound wounded bruised broke fractured sprained swallowed choked"
    " verbrannt geschnitten"
)
HARM_WEAK = Words(
    "doctor doctors emergency rash allergic pain wound poisoned choked swallowed bandage blood burns arzt"
)
BODY = Words(
    "hand hands finger fingers arm forearm face eye eyes leg foot toe skin head wrist thumb lip tongue"
    " herself himself myself daughter son child kid baby hand finger auge"
)
POSSESSIVE = Words("my his her our their meine mein meiner")
DANGER = Words(
    "exploded explode explosion electrocuted sparks sparking sparked hazard explodiert stromschlag"
    " brandgefahr"
)
DANGER_WEAK = Words(
    "fire flames smoke smoking smoked burning burnt burned melted melting shock electric dangerous"
    " danger unsafe overheated overheats smell smelled smelt recall choking toxic feuer rauch brand"
    " gefahrlich"
)
BEING = Words("am im as is was being become")
ARTICLE = Words("a an ein eine")


def matter(ticket: Ticket) -> Matter | None:
    """The gravest matter of a ticket, or None where it is an ordinary one."""
    said = [tokens(sentence) for sentence in sentences(ticket.words)]
    every = [token for sentence in said for token in sentence]
    if any(has(each, HURT) or _harmed(each) for each in said) or _two(every, HARM_WEAK):
        return "injury"
    if has(every, DANGER) or _two(every, DANGER_WEAK):
        return "safety"
    if any(_law(each) for each in said) or _two(every, LAW_WEAK):
        return "legal"
    if has(every, REPORTER) or any(_goes_public(each) for each in said) or _two(every, PRESS_WEAK):
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
    return followed(said, SUING, YOU, 2)


def _goes_public(said: list[str]) -> bool:
    """Threatens with the press; a French press is none."""
    return followed(said, TELL, PRESS, 3) or near(said, TELL, MEDIA, 6)


def _harmed(said: list[str]) -> bool:
    """Harm to a part of somebody: `burned my hand`, and not `the arm of the lamp broke`."""
    return any(
        followed(said[at : at + 5], HARM, POSSESSIVE, 2) and followed(said[at : at + 6], POSSESSIVE, BODY, 2)
        for at in places(said, HARM)
    )


def _two(said: list[str], words: Words) -> bool:
    """Says whether two different words of a vocabulary were said."""
    return len({said[place] for place in places(said, words)}) > 1
