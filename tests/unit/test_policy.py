"""Who may call which tool: first match wins, default deny, facts are what was read."""

import functools
import subprocess
import sys
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.policy import Condition, Policy, Verdict
from interlock.core.principal import Principal
from interlock.core.tools import Tool, describe
from interlock.errors import BuildError

ADA = Principal(user="ada", scopes=("shift-lead",))
PERSON = {"user": "ada", "team": None, "org": None, "scopes": ["shift-lead"]}
ARGUMENTS = {"order": "A-1001", "amount": Decimal("49.90"), "note": "late"}
ALL = {"order": "A-1001", "amount": "49.90", "note": "late", "principal": PERSON}


async def refund(order: str, amount: Decimal, note: str = "") -> bool:
    """Pays money back."""
    return bool(order and amount and note)


async def status(order: str) -> str:
    """Where an order is."""
    return order


REFUND: Tool[..., Any] = describe(refund, server="pay", effect="once")
STATUS: Tool[..., Any] = describe(status, server="shop")


def large(args: Mapping[str, Any]) -> bool:
    """The amount is large."""
    return args["amount"] > 40


def decide(policy: Policy, agent: str = "returns", **changes: Any) -> Verdict:
    """The verdict on a refund."""
    return policy.evaluate(agent, REFUND, {**ARGUMENTS, **changes}, ADA)


def rule_id(when: Condition | None, **words: Any) -> str:
    """The id of a rule that asks."""
    return next(iter(Policy().ask("returns", REFUND, when=when, **words))).id


def test_nothing_is_allowed_without_a_rule() -> None:
    """An empty policy denies, and says that no rule lets the agent call."""
    verdict = decide(Policy())

    assert (verdict.decision, verdict.rule) == ("deny", "default")
    assert verdict.reason == "no rule lets returns call pay/refund"


@pytest.mark.parametrize(
    ("policy", "decision"),
    [
        (Policy().ask("returns", REFUND, when=large).allow("returns", REFUND), "ask"),
        (Policy().allow("returns", REFUND).ask("returns", REFUND, when=large), "allow"),
        (Policy().forbid("*", "pay/*").allow("returns", REFUND), "deny"),
        (Policy().allow("risk", REFUND).allow("*", STATUS), "deny"),
        (Policy().allow("*", "pay/ref*"), "allow"),
    ],
)
def test_first_rule_that_matches_decides(policy: Policy, decision: str) -> None:
    """Rules are read in order; agent, tool and condition must all fit."""
    assert decide(policy).decision == decision


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["allow", "ask", "forbid"]),
            st.sampled_from(["returns", "risk", "*"]),
            st.sampled_from(["pay/refund", "pay/*", "shop/*"]),
            st.sampled_from([None, True, False]),
        ),
        max_size=6,
    )
)
def test_verdict_is_that_of_the_first_match_in_any_policy(
    rules: list[tuple[str, str, str, bool | None]],
) -> None:
    """A plain scan over the rules agrees; `can_ever` is never wrong about a call that was let through."""
    policy = Policy()
    for kind, agent, tool, answer in rules:
        when: Condition | None = (
            None if answer is None else functools.partial(lambda told, args: told, answer)
        )
        getattr(policy, kind)(agent, tool, when=when)

    first = next(
        (k for k, a, t, w in rules if a in ("*", "returns") and t.startswith("pay") and w is not False),
        "forbid",
    )

    assert decide(policy).decision == {"forbid": "deny"}.get(first, first)
    assert policy.can_ever("returns", REFUND) or decide(policy).decision == "deny"


@pytest.mark.parametrize(
    ("when", "read"),
    [
        (lambda args: args["amount"] > 1, {"amount": "49.90"}),
        (lambda args: args.get("note") == "late", {"note": "late"}),
        (lambda args: args.get("coupon") is None, {"coupon": None}),
        (lambda args: "note" in args, {"note": "late"}),
        (lambda args: len(list(args.values())) > 0, ALL),
        (lambda args: True, {}),
    ],
)  # fmt: skip
def test_facts_are_exactly_the_arguments_read(when: Condition, read: dict[str, Any]) -> None:
    """Whatever way a condition reads an argument, it is a fact; an argument not read is none."""
    assert decide(Policy().allow("returns", REFUND, when=when)).facts == read


def test_person_is_a_fact_where_the_rule_looks_at_them() -> None:
    """A condition may look at the principal, who is then among the facts."""
    verdict = decide(
        Policy().allow("returns", REFUND, when=lambda args: args["principal"].holds("shift-lead"))
    )

    assert verdict.facts == {"principal": PERSON}


def over(limit: int) -> Condition:
    """A condition made for a limit."""
    return lambda args: args["amount"] > limit


def test_rule_id_changes_with_words_and_code() -> None:
    """Another role, span, constant, operator, default or closed-over value makes another rule."""
    ids = [
        rule_id(large),
        rule_id(large, whom="shift-lead"),
        rule_id(large, within="1h"),
        rule_id(None),
        rule_id(lambda args: args["amount"] > 40),
        rule_id(lambda args: args["amount"] > 41),
        rule_id(lambda args: args["amount"] >= 41),
        rule_id(lambda args: any(part > 40 for part in args["parts"])),
        rule_id(lambda args: any(part > 41 for part in args["parts"])),
        rule_id(lambda args: args["order"] in {"A-1", "A-2"}),
        rule_id(over(40)),
        rule_id(over(50)),
        rule_id(functools.partial(lambda limit, args: args["amount"] > limit, 40)),
        rule_id(functools.partial(lambda limit, args: args["amount"] > limit, 50)),
    ]

    assert len(set(ids)) == len(ids)
    assert rule_id(over(40)) == ids[10]
    assert rule_id(large) == ids[0]


def test_rule_id_is_the_same_in_every_process() -> None:
    """Nested code, sets and closures must not bring addresses or hash order into the id."""
    program = (
        "from interlock.core.policy import Policy\n"
        "def over(limit):\n    return lambda args: any(x > limit for x in args['parts'])\n"
        "class Check:\n    def __call__(self, args):\n        return args['a'] in {'ada', 'bob', 'cleo'}\n"
        "policy = Policy().allow('a', 'b/c', when=over(3)).allow('a', 'b/c', when=Check())\n"
        "policy.allow('a', 'b/c', when=Check().__call__)\n"
        "print([rule.id for rule in policy])"
    )

    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }

    assert len(found) == 1


def test_policy_version_changes_with_any_rule_and_their_order() -> None:
    """The version stands for all rules in order."""
    one, two = Policy().allow("a", "x/y").forbid("a", "x/z"), Policy().forbid("a", "x/z").allow("a", "x/y")

    assert len({one.version, two.version, Policy().version}) == 3
    assert Policy().extend(one).version == one.version


@pytest.mark.parametrize(
    ("policy", "ever"),
    [
        (Policy(), False),
        (Policy().allow("returns", REFUND), True),
        (Policy().ask("*", "pay/*"), True),
        (Policy().forbid("returns", REFUND).allow("returns", REFUND), False),
        (Policy().forbid("returns", REFUND, when=large).allow("returns", REFUND), True),
        (Policy().allow("risk", REFUND), False),
    ],
)
def test_can_ever_finds_grants_that_never_work(policy: Policy, ever: bool) -> None:
    """A tool that every call is refused for is found before anything runs."""
    assert policy.can_ever("returns", REFUND) is ever


def test_can_ever_of_a_pattern_is_about_its_tools() -> None:
    """A granted pattern can be called where a rule covers one of its tools."""
    assert Policy().allow("returns", "crm/find_person").can_ever("returns", "crm/find_*")


@pytest.mark.parametrize("span", ["", "soon", "24", "1.5h", "-1h", "h", "2 weeks", "24h!"])
def test_bad_span_is_refused(span: str) -> None:
    """A span is a whole number and a unit; the error shows how to write one."""
    with pytest.raises(BuildError, match="is not a time span: write '90s', '30m', '24h' or '7d'"):
        Policy().ask("returns", REFUND, within=span)


@pytest.mark.parametrize(
    ("span", "seconds"), [("90s", 90), ("30m", 1800), (" 24 h ", 86_400), ("7d", 604_800)]
)
def test_span_is_read_as_seconds(span: str, seconds: float) -> None:
    """Seconds, minutes, hours and days."""
    assert decide(Policy().ask("returns", REFUND, within=span)).within_s == seconds


def test_rule_needs_an_agent_and_a_tool() -> None:
    """A rule about nothing is refused when it is written."""
    with pytest.raises(BuildError, match="is about an agent"):
        Policy().allow(7, REFUND)
    with pytest.raises(BuildError, match="names no tool"):
        Policy().allow("returns")


def test_reason_reads_aloud() -> None:
    """The docstring of a condition is its reason; who answers stands beside it."""
    policy = Policy().ask("returns", REFUND, when=large, whom="shift-lead")

    assert decide(policy).reason == (
        "returns must ask before calling pay/refund (shift-lead answers) when: The amount is large"
    )


def test_reason_of_a_lambda_is_its_source() -> None:
    """Each lambda gives its own text, also with others on its line, calls inside and over two lines."""
    policy = (
        Policy()
        .allow("a", "x/y", when=lambda args: args["n"] > 1).allow("a", "x/z", when=lambda args: args["n"] > 2)
        .ask("a", "x/y", when=lambda args: args.get("ö", "é").lower() == "é", whom="lead", within="24h")
        .forbid(
            "a",
            "x/y",
            when=lambda args: (
                args["n"] > 3
                and args["m"]
            ),
        )
    )  # fmt: skip

    assert [rule.reason.partition(" when: ")[2] for rule in policy] == [
        'args["n"] > 1',
        'args["n"] > 2',
        'args.get("ö", "é").lower() == "é"',
        'args["n"] > 3 and args["m"]',
    ]


def test_reason_of_code_without_a_file_is_its_name() -> None:
    """Code that came from nowhere, and objects that can be called, still have a reason."""
    made: dict[str, Callable[..., bool]] = {}
    exec("check = lambda args: True", made)
    policy = Policy().allow("a", "x/y", when=made["check"]).allow("a", "x/y", when=functools.partial(large))

    nameless, partial = (rule.reason for rule in policy)

    assert nameless == "a may call x/y when: <lambda>"
    assert partial.startswith("a may call x/y when: ")


async def login(account: str, pin: str, note: str = "") -> bool:
    """Logs in."""
    return bool(account and pin and note)


def test_secrets_a_rule_reads_are_not_in_its_facts() -> None:
    """Facts are shown and stored: secret arguments and what looks like a secret are masked in them."""
    tool = describe(login, server="bank", effect="once", secret=("pin",))
    policy = Policy().ask("a", tool, when=lambda args: args["pin"] != args["note"])

    facts = policy.evaluate("a", tool, {"pin": "4711", "note": "password=hunter22x"}, ADA).facts

    assert facts == {"pin": "[secret]", "note": "[redacted]"}
