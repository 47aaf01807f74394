"""When sources disagree, a declared rule decides, and the record says which."""

from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.conflicts import Conflict, prefer, resolve
from interlock.core.results import Claim

ABOUT = "parcel TN1: status"
SHOP = Claim(about=ABOUT, value="shipped", source="shop/latest_order")
CARRIER = Claim(about=ABOUT, value="delivered", source="carrier/track")


def undecided(claims: list[Claim]) -> Claim | None:
    """Cannot tell."""
    return None


def test_preferred_source_wins_and_says_why() -> None:
    """The first source that made a claim is believed; the reason is the rule's docstring."""
    (found,) = resolve([SHOP, CARRIER], [Conflict("parcel *: status", prefer("carrier/*", "shop/*"))])

    assert found.winner == CARRIER
    assert (found.rule, found.reason) == ("prefer", "Trusts carrier/*, then shop/*.")
    assert found.claims == (SHOP, CARRIER)


def test_first_rule_that_matches_decides() -> None:
    """A rule about something else is passed over; a later one is not asked."""
    rules = [
        Conflict("order *", prefer("shop/*")),
        Conflict("parcel TN1*", prefer("shop/*")),
        Conflict("*", prefer("carrier/*")),
    ]

    assert resolve([SHOP, CARRIER], rules)[0].winner == SHOP


def test_without_a_rule_nobody_wins() -> None:
    """A disagreement nobody declared a rule for is left to a person."""
    (found,) = resolve([SHOP, CARRIER], [])

    assert (found.winner, found.rule, found.reason) == (None, "none", "no rule is declared")


def test_rule_may_be_unable_to_tell() -> None:
    """A rule without an answer leaves the conflict open, under its own name."""
    for rule in (undecided, prefer("erp/*")):
        (found,) = resolve([SHOP, CARRIER], [Conflict("*", rule)])
        assert found.winner is None and found.reason


def test_agreement_is_no_conflict() -> None:
    """Sources that say the same thing, however it is written, do not disagree."""
    claims = [
        Claim(about="total", value={"eur": 1, "ct": 0}, source="a"),
        Claim(about="total", value={"ct": 0.0, "eur": 1.0}, source="b"),
        Claim(about="other", value=1, source="a"),
    ]

    assert resolve(claims, [Conflict("*", prefer("a"))]) == []


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.builds(
            Claim, about=st.sampled_from("xyz"), value=st.integers(0, 2), source=st.sampled_from("abc")
        ),
        max_size=10,
    )
)
def test_resolutions_are_exactly_the_disagreements(claims: list[Claim]) -> None:
    """One resolution per thing with two values, sorted, each with all its claims once."""
    found = resolve(claims, [Conflict("*", prefer("a", "b", "c"))])

    disputed = sorted(about for about in "xyz" if len({str(c.value) for c in claims if c.about == about}) > 1)
    assert [each.about for each in found] == disputed
    for each in found:
        assert list(each.claims) == list(dict.fromkeys(c for c in claims if c.about == each.about))
        assert each.winner == min(each.claims, key=lambda c: (c.source, each.claims.index(c)))
