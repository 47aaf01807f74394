"""A text may only state amounts, dates, identifiers and people that the evidence names."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.canonical import Json
from interlock.core.grounding import ungrounded

EVIDENCE: list[Json] = [
    {
        "order": {"id": "A-1001", "total": "49.90", "currency": "EUR", "ordered": "2026-03-12", "lines": 2},
        "customer": {"name": "Lena Brandt", "email": "lena.brandt@example.org"},
        "parcel": {"tracking": "TN40017DE", "scans": [{"at": "2026-03-15T10:00:00Z", "place": "Bonn"}]},
        "limit": 1000,
        "balance": -20.5,
        "approved": True,
    },
    {"first": "Inês", "last": "Carvalho", "status": "active"},
    ["Paweł Nowak", "Maria de la Cruz", "Sinéad O'Brien", "Demir, Aylin", "Anna-Lena Kolb"],
    "The customer paid 12.50 EUR for express and wrote that it came on 3 April.",
]

GROUNDED = [
    "49.90 EUR", "€49,90", "€ 49.90", "EUR 49.9", "49,90 euros", "49.90 Euro", "**€49.90**",
    "EUR **49.90**", "EUR 1.000,00", "1,000.00 euros", "1'000 CHF", "1 000 EUR", "1000 €", "€1000", "$1k",
    "1 thousand dollars", "EUR1000", "-20.50 EUR", "EUR -20.5", "−€20,50", "12.5 EUR",
    "a 1000-euro voucher", "2026-03-12", "12 March 2026", "March 12, 2026", "March 12", "12 March",
    "12 Mar", "Mar. 12", "12th of March", "12.03.2026", "12. März 2026", "12/03/2026", "03/12/2026",
    "12-Mar-2026", "2026-03-15T10:00:00Z", "2026-03-15", "15 March at 10:00", "April 3", "A-1001", "a-1001",
    "#A-1001", "A1001", "A‑1001", "order A-1001's label", "TN40017DE", "tn40017de", "Dear Lena Brandt,",
    "Dear Lena,", "Hello Lena", "Ms Brandt", "Mr. Nowak", "Dr. Paweł Nowak", "my colleague Paweł",
    "your contact is Aylin Demir", "Paweł Nowak's desk", "INÊS CARVALHO", "Carvalho Inês",
    "Maria de la Cruz", "Mr de la Cruz", "Sinéad O’Brien", "Anna-Lena Kolb", "Anna Lena Kolb", "L. Brandt",
    "Ine\u0302s Carvalho", "Congratulations Paweł Nowak!", "Tracked! Evidently Lena Brandt signed for it.",
]  # fmt: skip
INVENTED = [
    ("amount", "49.91 EUR"), ("amount", "€49,09"), ("amount", "EUR 499"), ("amount", "5.000 EUR"),
    ("amount", "$5"), ("amount", "20.50 EUR"), ("amount", "-49.90 EUR"), ("amount", "€2k"),
    ("amount", "1.000,01 euros"), ("amount", "10 000 EUR"), ("amount", "40 dollars"), ("amount", "30 zł"),
    ("amount", "EUR 1001"), ("amount", "2026 EUR"), ("amount", "¥40017"), ("date", "2026-03-13"),
    ("date", "12 March 2025"), ("date", "March 13"), ("date", "13.03.2026"), ("date", "12 Apr"),
    ("date", "April 3, 2026"), ("date", "2026-03-16T10:00:00Z"), ("date", "1st of May 2026"),
    ("order id", "A-1002"), ("order id", "A-100"), ("order id", "B-1001"), ("order id", "A-10011"),
    ("order id", "AB123"), ("tracking number", "TN40018DE"), ("tracking number", "tn40017dk"),
    ("tracking number", "1Z999AA10123456784"), ("person", "Emily Carter"), ("person", "Lena Carter"),
    ("person", "Paweł Brandt"), ("person", "Łukasz Żak"), ("person", "Juan de la Cruz"),
    ("person", "Sinéad O'Neill"), ("person", "Anna-Lena Vogel"), ("person", "J. Smith"),
    ("person", "Vincent van Gogh"), ("person", "Mary Ann Evans"),
]  # fmt: skip
HARMLESS = [
    "", "30 days", "2 parcels", "order 3 of 4", "20 % off, 15% more", "at 10:30 or 10:30am",
    "a 30-day, 24-hour promise", "10am-12pm", "the 100th customer", "version 1.2.3",
    "all 12 may be returned", "March 2026", "in 3 to 5 working days", "Your Order",
    "Kind Regards,\nThe Support Team", "The Carrier", "On Monday The Carrier said so", "Thank You",
    "I'm sorry", "Dear Customer", "Hello there", "Hi Everyone", "Dear Sir or Madam",
    "Next Steps:\n- Return Label", "DHL Express",
    "Unfortunately The Parcel is late. However, We will refund it.", "Please See Our Return Policy",
    "We've Shipped", "my colleague will", "Your E-Mail Address", "the Billing Team", "mr and mrs",
]  # fmt: skip


@pytest.mark.parametrize("text", GROUNDED)
def test_what_the_evidence_says_may_be_said(text: str) -> None:
    """The way a fact is written does not matter."""
    assert ungrounded(text, EVIDENCE) == []
    assert ungrounded(f"so: {text} (as you know).", EVIDENCE) == []


@pytest.mark.parametrize(("kind", "text"), INVENTED)
def test_what_nobody_said_is_reported(kind: str, text: str) -> None:
    """Each invented fact is reported once, as it stands in the text."""
    found = ungrounded(f"As for you: {text}, and {text}.", EVIDENCE)

    assert [(item.kind, item.text) for item in found] == [(kind, text)]


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_words_and_counts_are_no_facts(text: str) -> None:
    """Counts, percentages, spans, times and capitalised ordinary words need no evidence at all."""
    assert ungrounded(text, []) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Dear Emily,\nyour order is on its way.", "Emily"),
        ("Good morning Emily", "Emily"),
        ("Mrs. Carter called", "Carter"),
        ("Mr van der Berg called", "van der Berg"),
        ("Ask my colleague Tom.", "Tom"),
        ("Our new team lead is Tom", "Tom"),
        ("My colleague from billing, Tom, helps.", "Tom"),
        ("My name is Tom and I help.", "Tom"),
        ("Kind regards,\n\nEmily", "Emily"),
        ("Many thanks\nEmily\nSupport", "Emily"),
        ("Liebe Emilia, Ihr Paket ist da.", "Emilia"),
    ],
)
def test_single_name_is_a_person_where_it_is_introduced(text: str, name: str) -> None:
    """After a salutation, a title, an introduction or a closing line one word is a name."""
    assert [(item.kind, item.text) for item in ungrounded(text, EVIDENCE)] == [("person", name)]


def test_words_of_the_house_need_no_evidence() -> None:
    """The shop's name and its sign-off are known, as are figures in known phrases."""
    text = "Kind regards,\nHanna\nNordwind Living, free delivery from 75 EUR"

    assert [item.text for item in ungrounded(text, [])] == ["Hanna", "Nordwind Living", "75 EUR"]
    assert ungrounded(text, [], ["Nordwind Living", "Hanna", "free delivery from €75"]) == []


def test_report_follows_the_text() -> None:
    """Findings come in the order of the text, whatever their kind."""
    text = "Dear Emily Carter, B-2002 cost 9 EUR on 1 May; TN99999DE follows."

    assert [item.kind for item in ungrounded(text, EVIDENCE)] == [
        "person",
        "order id",
        "amount",
        "date",
        "tracking number",
    ]


def test_keys_and_flags_are_no_evidence() -> None:
    """The names of fields and booleans say nothing, and neither do digits inside a date or an identifier."""
    evidence: list[Json] = [{"A-1001": True, "Emily Carter": None}, "2026-03-12 TN40017DE A-1002 20%"]

    found = ungrounded("Emily Carter, A-1001, $1, $12, $1002, $20", evidence)

    assert [item.text for item in found] == ["Emily Carter", "A-1001", "$1", "$12", "$1002", "$20"]


def test_names_of_two_people_are_not_mixed() -> None:
    """First and last name come from one value, not from two."""
    evidence: list[Json] = [
        ["Lena Brandt", "Paweł Nowak"],
        {"a": "Ruth", "b": "late again", "c": "Adeyemi"},
    ]

    found = ungrounded("Lena Nowak met Ruth Adeyemi and Lena Brandt", evidence)

    assert [item.text for item in found] == ["Lena Nowak", "Ruth Adeyemi"]


def german(value: Decimal) -> str:
    """1.234,50."""
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


AMOUNTS: list[Callable[[Decimal], str]] = [
    lambda v: f"{v:.2f} EUR",
    lambda v: f"€{v:,.2f}",
    lambda v: f"EUR {german(v)}",
    lambda v: f"{german(v)} euros",
    lambda v: f"{v:,.2f}".replace(",", " ") + " €",
    lambda v: f"{v:,.2f}".replace(",", "'") + " CHF",
]
DATES: list[Callable[[date], str]] = [
    lambda d: d.isoformat(),
    lambda d: f"{d:%d.%m.%Y}",
    lambda d: f"{d:%d/%m/%Y}",
    lambda d: f"{d:%m/%d/%Y}",
    lambda d: f"{d.day} {d:%B} {d.year}",
    lambda d: f"{d:%B} {d.day}, {d.year}",
    lambda d: f"{d:%B} {d.day}",
    lambda d: f"{d.day} {d:%b}",
    lambda d: f"{d.isoformat()}T09:30:00+02:00",
]
MONEY = st.decimals(min_value=Decimal("-99999.99"), max_value=Decimal("99999.99"), places=2)
DAYS = st.dates(min_value=date(1990, 1, 1), max_value=date(2090, 1, 1))
IDS = st.from_regex(r"[A-Z]{1,3}-?[0-9]{5,9}[A-Z]{0,2}", fullmatch=True)
FAST = settings(deadline=None, max_examples=60)


@FAST
@given(MONEY, st.sampled_from(AMOUNTS), st.sampled_from(AMOUNTS))
def test_amount_is_grounded_however_it_is_written(
    value: Decimal, said: Callable[[Decimal], str], written: Callable[[Decimal], str]
) -> None:
    """Text and evidence may write an amount differently; a number or a plain decimal will do."""
    for evidence in (str(value), float(value), written(value)):
        assert ungrounded(f"We owe you {said(value)}.", [{"total": evidence}]) == []


@FAST
@given(MONEY, st.sampled_from(AMOUNTS), st.integers(1, 999_999))
def test_changed_amount_is_reported(value: Decimal, said: Callable[[Decimal], str], cents: int) -> None:
    """An amount that differs by any number of cents is reported."""
    other = value + Decimal(cents) / 100

    assert [item.kind for item in ungrounded(f"We owe you {said(other)}.", [str(value)])] == ["amount"]


@FAST
@given(DAYS, st.sampled_from(DATES), st.sampled_from(DATES[:6]))
def test_date_is_grounded_however_it_is_written(
    day: date, said: Callable[[date], str], written: Callable[[date], str]
) -> None:
    """Text and evidence may write the same date differently."""
    assert ungrounded(f"It came on {said(day)}.", [{"at": written(day)}]) == []


@FAST
@given(DAYS, DAYS, st.sampled_from([d for d in DATES if "/" not in d(date(2026, 1, 2))]))
def test_changed_date_is_reported(day: date, other: date, said: Callable[[date], str]) -> None:
    """A date that differs in what it states is reported."""
    text = said(other)

    found = ungrounded(f"It came on {text}.", [day.isoformat()])

    assert [item.kind for item in found] == ([] if said(day) == text else ["date"])


@FAST
@given(IDS, st.integers(0, 30))
def test_identifier_is_grounded_until_a_digit_changes(name: str, at: int) -> None:
    """Case and dashes do not matter; one other digit does."""
    places = [i for i, c in enumerate(name) if c.isdigit()]
    place = places[at % len(places)]
    other = name[:place] + str((int(name[place]) + 1) % 10) + name[place + 1 :]

    evidence: list[Json] = [{"note": f"see {name}, please"}]

    assert ungrounded(f"It is {name.lower()} or {name.replace('-', '')}.", evidence) == []
    assert [item.text for item in ungrounded(f"It is {other}.", evidence)] == [other]


WORDS = [
    "Dear",
    "Mr",
    "EUR",
    "€",
    "-",
    "12",
    "March",
    "2026",
    "A-1",
    "Lena",
    "de",
    "’s",
    ".",
    ",",
    "\n",
    " ",
    "K",
    "%",
    "1e9",
]


@settings(deadline=None, max_examples=200)
@given(
    st.text()
    | st.lists(st.sampled_from(WORDS)).map("".join)
    | st.lists(st.sampled_from(WORDS)).map(" ".join),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    ),
)
def test_any_text_can_be_checked(text: str, evidence: Json) -> None:
    """No text and no evidence makes the check fail, and a text is always grounded in itself."""
    ungrounded(text, [evidence])

    assert ungrounded(text, [text]) == []
