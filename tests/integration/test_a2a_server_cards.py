"""Cards: what is served, where, what it takes, and that nobody changed them on the way."""

import base64
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from a2a.client.card_resolver import A2ACardResolver
from a2a.types import a2a_pb2 as pb
from a2a.utils.signing import InvalidSignaturesError, create_signature_verifier
from jwt.api_jwk import PyJWK

from interlock import Agent, Doors
from interlock.a2a.card import Address, card_of
from interlock.a2a.envelope import EXTENSION
from interlock.a2a.messages import text_field
from interlock.core.hosting import Offer
from interlock.settings import ServeSettings
from tests import served
from tests.desk import Shop, desk
from tests.served import Note


async def _echo(note: Note, doors: Doors) -> Note:
    return note


async def test_a_card_says_what_is_served(tmp_path: Path) -> None:
    """Name, schema, examples, interfaces, tokens and our extension are on it."""
    shop = Shop(tmp_path / "shop.db")
    async with served.running(tmp_path, desk(shop).build()) as server:
        card = await A2ACardResolver(server.http, server.url).get_agent_card()
        root = [each.url for each in card.supported_interfaces]
        answer = await server.http.get(f"{server.url}/.well-known/agent-card.json")

    assert card.name == "support"
    assert root == [f"{server.url}/"] * 4
    assert card.skills[0].id == "support"
    assert '"required": ["text"]' in card.skills[0].description
    assert json.loads(card.skills[0].examples[0])["text"] == "my parcel is lost"
    assert list(card.default_input_modes) == ["text/plain", "application/json"]
    assert card.capabilities.streaming
    assert card.capabilities.push_notifications
    assert [each.uri for each in card.capabilities.extensions] == [EXTENSION]
    assert card.security_schemes["bearer"].http_auth_security_scheme.scheme == "bearer"
    assert "max-age" in answer.headers["cache-control"]
    assert answer.headers["etag"]


async def test_a_lone_agents_card_is_its_own(tmp_path: Path) -> None:
    """Description and what it is not for are the agent's."""

    async def work(note: Note, doors: Doors) -> Note:
        return note

    agent = Agent("echo", "Repeats.", run=work, not_for=["exchanges"])
    async with served.running(tmp_path, agent) as server:
        card = await A2ACardResolver(server.http, f"{server.url}/agents/echo").get_agent_card()

    assert card.description == "Repeats. Not for exchanges."
    assert card.supported_interfaces[0].url == f"{server.url}/agents/echo/"


async def test_a_signed_card_is_verified_by_the_sdk(tmp_path: Path) -> None:
    """The public key set verifies it; a card that was changed is refused."""
    serve = ServeSettings(sign_card=True)
    async with served.running(tmp_path, served.worker(_echo), serve=serve) as server:
        keys = (await server.http.get(f"{server.url}/.well-known/jwks.json")).json()["keys"]
        verify = create_signature_verifier(lambda kid, jku: PyJWK(_key(keys, kid)), ["EdDSA"])
        resolver = A2ACardResolver(server.http, server.url)
        card = await resolver.get_agent_card(signature_verifier=verify)
        header = card.signatures[0].protected
        card.description = "Pays anybody."
        with pytest.raises(InvalidSignaturesError):
            verify(card)

    protected = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    assert protected["jku"] == f"{server.url}/.well-known/jwks.json"


def _key(keys: list[dict[str, Any]], name: str | None) -> dict[str, Any]:
    return next(key for key in keys if key["kid"] == name)


async def test_cards_name_the_address_they_are_told(tmp_path: Path) -> None:
    """Behind a proxy the server's own address is not the one that callers use."""
    serve = ServeSettings(url="https://desk.example/a2a/")
    async with served.running(tmp_path, served.worker(_echo), serve=serve) as server:
        card = await A2ACardResolver(server.http, f"http://127.0.0.1:{server.port}").get_agent_card()

    assert {each.url for each in card.supported_interfaces} == {"https://desk.example/a2a/"}


async def test_readiness_is_that_of_the_database(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Alive and ready; not ready once it is told to stop."""
    caplog.set_level(logging.CRITICAL)
    async with served.running(tmp_path, served.worker(_echo)) as server:
        ready = await server.http.get(f"{server.url}/readyz")
        server.host.closing()
        stopping = await server.http.get(f"{server.url}/readyz")
        alive = await server.http.get(f"{server.url}/healthz")

    assert (ready.status_code, stopping.status_code, alive.status_code) == (200, 503, 200)


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        ({}, "text"),
        ({"properties": {"text": {"type": "string"}}, "required": ["text"]}, "text"),
        ({"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["b"]}, "b"),
        ({"properties": {"a": {"type": "string"}, "n": {"type": "integer"}}}, "a"),
        ({"properties": {"a": {"type": "string"}, "b": {"type": "string"}}}, None),
        ({"properties": {"a": {"type": "string"}, "n": {"type": "integer"}}, "required": ["a", "n"]}, None),
        ({"properties": {"a": {"type": "string", "enum": ["x"]}}, "required": ["a"]}, None),
        ({"properties": {"a": {"type": "string", "format": "date"}}, "required": ["a"]}, None),
        ({"type": "array"}, None),
    ],
)
def test_which_field_takes_text(schema: dict[str, Any], field: str | None) -> None:
    """The only required text, or the only text there is; nothing is guessed."""
    assert text_field(schema) == field


def test_an_open_server_asks_for_no_token() -> None:
    """Without a door there is no security scheme, and gRPC is on the card only where it is wanted."""
    offer = Offer("a", "Does.", "1", {}, {})
    card = card_of(offer, Address("http://x/"), compat=False, pushes=False, secured=False)
    grpc = card_of(offer, Address("http://x/", "a", "x:1"), compat=False, pushes=False, secured=True)

    assert not card.security_schemes
    assert not card.security_requirements
    assert [each.protocol_binding for each in card.supported_interfaces] == ["JSONRPC", "HTTP+JSON"]
    assert grpc.supported_interfaces[-1] == pb.AgentInterface(
        url="x:1", protocol_binding="GRPC", protocol_version="1.0", tenant="a"
    )
