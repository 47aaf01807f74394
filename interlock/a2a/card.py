"""The card of a hosted graph: what it is, where it is, and what it takes."""

import base64
import json
from dataclasses import dataclass

from a2a.types import a2a_pb2 as pb

from interlock.a2a.envelope import EXTENSION
from interlock.a2a.messages import text_field
from interlock.core.hosting import Offer

_TEXT, _JSON = "text/plain", "application/json"
_BEARER = "bearer"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a hosted graph is reached."""

    url: str
    """Of JSON-RPC; REST is beside it."""
    tenant: str = ""
    """The name by which a shared address (gRPC) knows it; empty for the server's default."""
    grpc: str = ""
    """`host:port`; empty where gRPC is not served or not to be on the card."""


def card_of(offer: Offer, address: Address, *, compat: bool, pushes: bool, secured: bool) -> pb.AgentCard:
    """Makes a card.

    Args:
        offer: What is served.
        address: Where.
        compat: Also names the interface for callers of protocol 0.3.
        pushes: Notifications can be asked for.
        secured: Callers need a bearer token.
    """
    takes_text = text_field(offer.request) is not None
    card = pb.AgentCard(
        name=offer.name,
        description=offer.description,
        version=offer.version,
        supported_interfaces=_interfaces(address, compat),
        capabilities=pb.AgentCapabilities(
            streaming=True,
            push_notifications=pushes,
            extensions=[
                pb.AgentExtension(
                    uri=EXTENSION,
                    description="Time and spend left, key and trace in the metadata; questions as data.",
                )
            ],
        ),
        default_input_modes=[_TEXT, _JSON] if takes_text else [_JSON],
        default_output_modes=[_TEXT, _JSON],
        skills=[_skill(offer)],
    )
    if secured:
        scheme = pb.HTTPAuthSecurityScheme(scheme="bearer", description="A token of this server's operator.")
        card.security_schemes[_BEARER].http_auth_security_scheme.CopyFrom(scheme)
        requirement = pb.SecurityRequirement()
        requirement.schemes[_BEARER].SetInParent()
        card.security_requirements.append(requirement)
    return card


def signed(card: pb.AgentCard, key: bytes, key_id: str, keys_url: str) -> pb.AgentCard:
    """Signs a card (EdDSA) and returns it.

    Args:
        card: The card; it gets one signature more.
        key: The private Ed25519 key, as PEM.
        key_id: Its name in the key set.
        keys_url: Where readers find the public key.
    """
    from a2a.utils.signing import ProtectedHeader, create_agent_card_signer

    header = ProtectedHeader(kid=key_id, alg="EdDSA", jku=keys_url, typ="JOSE")
    return create_agent_card_signer(key, header)(card)


def key_set(public: bytes, key_id: str) -> dict[str, list[dict[str, str]]]:
    """The public key as a JSON Web Key Set (RFC 8037, section 2)."""
    x = base64.urlsafe_b64encode(public).rstrip(b"=").decode()
    key = {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": key_id, "alg": "EdDSA", "use": "sig"}
    return {"keys": [key]}


def _interfaces(address: Address, compat: bool) -> list[pb.AgentInterface]:
    def interface(binding: str, version: str, url: str = address.url) -> pb.AgentInterface:
        return pb.AgentInterface(url=url, protocol_binding=binding, protocol_version=version)

    found = [interface("JSONRPC", "1.0"), interface("HTTP+JSON", "1.0")]
    if address.grpc:
        found.append(
            pb.AgentInterface(
                url=address.grpc, protocol_binding="GRPC", protocol_version="1.0", tenant=address.tenant
            )
        )
    if compat:
        found += [interface("JSONRPC", "0.3"), interface("HTTP+JSON", "0.3")]
    return found


def _skill(offer: Offer) -> pb.AgentSkill:
    description = offer.description
    if offer.request:
        description += f" Takes JSON of this schema: {json.dumps(dict(offer.request), ensure_ascii=False)}"
    if offer.response:
        description += (
            f" Answers with JSON of this schema: {json.dumps(dict(offer.response), ensure_ascii=False)}"
        )
    return pb.AgentSkill(
        id=offer.name,
        name=offer.name,
        description=description,
        tags=list(offer.tags) or [offer.name],
        examples=[json.dumps(example, ensure_ascii=False) for example in offer.examples[:5]],
    )
