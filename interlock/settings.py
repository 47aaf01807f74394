"""Settings: `[tool.interlock]` in pyproject.toml, and `INTERLOCK_*` in the environment, which wins."""

import os
import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    BaseModel,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    PyprojectTomlConfigSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from interlock.errors import BadInput


class ToolServerSettings(BaseModel, frozen=True, extra="forbid"):
    """A tool server from configuration: a command on stdio, or a URL."""

    command: tuple[str, ...] = ()
    env: dict[str, str] = {}
    url: str = ""


class PriceSettings(BaseModel, frozen=True, extra="forbid"):
    """What a model costs, in USD per million tokens."""

    input: Decimal = Field(ge=0)
    output: Decimal = Field(ge=0)


class ModelSettings(BaseModel, frozen=True, extra="forbid"):
    """One model behind a route; its name alone may stand for the whole table."""

    model: str = Field(min_length=1)
    """`provider:model`, as LangChain's `init_chat_model` takes it; with `url`, the name its server knows."""
    url: str = Field(default="", pattern="^(https?://.+)?$")
    """Base URL of an OpenAI-compatible server."""
    key_env: str = ""
    """The environment variable that holds the key; empty: the provider's own, and none for a `url`."""
    timeout_s: float = Field(default=60.0, gt=0)
    """Seconds that one request may take."""
    window: int | None = Field(default=None, gt=0)
    """Tokens of context that it takes, where LangChain does not know it."""
    max_tokens: int | None = Field(default=None, gt=0)
    """Tokens that it may answer with."""
    price: PriceSettings | None = None
    """In place of the kept price table."""
    reasoning: bool | None = None
    """Whether it can be told how hard to think, where that is not plain from the provider."""
    options: dict[str, Any] = {}
    """More for the provider's LangChain client, such as `temperature`."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:  # noqa: ANN401
        return {"model": given} if isinstance(given, str) else given


class TokenSettings(BaseModel, frozen=True, extra="forbid"):
    """Somebody whom a bearer token stands for; the token itself is kept by them alone."""

    sha256: str = Field(pattern="^[0-9a-fA-F]{64}$")
    """SHA-256 of the token, in hexadecimal."""
    user: str = Field(min_length=1)
    team: str | None = None
    roles: tuple[str, ...] = ()


class ServeSettings(BaseModel, frozen=True, extra="forbid"):
    """How `interlock serve` offers graphs, as `[tool.interlock.serve]`."""

    url: str = ""
    """The address that cards name, where it is not the one the server listens on (behind a proxy)."""
    protocol_0_3: bool = True
    """Also speaks A2A 0.3, and names it in the card."""
    sign_card: bool = False
    """Signs cards with the server's key, whose public part is at `/.well-known/jwks.json`."""
    grpc_on_card: bool = False
    """Names the gRPC address in the card; some readers refuse a card that has one."""
    at_once: int = Field(default=16, ge=1)
    """Runs of one graph that the server advances at the same time."""
    push_hosts: tuple[str, ...] = ()
    """Hosts that notifications may go to though their addresses are private."""
    push_http: bool = False
    """Lets notifications go to plain http as well."""


def _of_langfuse(name: str, default: Any) -> Any:  # noqa: ANN401
    """A setting that may also be given by the variable that Langfuse's own packages read."""
    names = AliasChoices(f"INTERLOCK_LANGFUSE_{name.upper()}", f"langfuse_{name}")
    return Field(default, validation_alias=names)


class RemoteSettings(BaseModel, frozen=True, extra="forbid"):
    """Where an agent works, whatever its code says; a plain URL will do."""

    url: str = ""
    """Of its A2A card or endpoint; empty for a `RemoteAgent` that stays where its code says."""
    token_env: str = ""
    """The variable that holds the bearer token; the token itself stands nowhere."""
    hosts: tuple[str, ...] = ()
    """Other hosts (`name` or `name:port`) that its card may point to."""


class Settings(BaseSettings):
    """What an operator sets; nothing else reads the environment."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix="INTERLOCK_",
        pyproject_toml_table_header=("tool", "interlock"),
        extra="forbid",
        frozen=True,
    )

    database_url: str = "sqlite:///.interlock/interlock.db"
    key_folder: Path = Path(".interlock/keys")
    """Where the signing key is; outside the database, so that whoever can write that one cannot sign."""
    user: str = ""
    """Who the command line acts for; empty means the operating system's user."""
    tools: dict[str, ToolServerSettings] = Field(default_factory=dict[str, ToolServerSettings])
    """Tool servers by name, as `[tool.interlock.tools.NAME]`."""
    model: str = ""
    """The model behind every route that has no list of its own, such as `openai:gpt-5`."""
    model_url: str = Field(default="", pattern="^(https?://.+)?$")
    """The OpenAI-compatible server that knows `model`; its key is taken from INTERLOCK_MODEL_KEY."""
    model_script: str = ""
    """What answers while no model is configured: `path/to/file.py:name`, a list of replies or a function."""
    models: dict[str, tuple[ModelSettings, ...]] = Field(default_factory=dict[str, tuple[ModelSettings, ...]])
    """Models by route, in the order in which they are asked, as `[[tool.interlock.models.ROUTE]]`."""
    remotes: dict[str, RemoteSettings] = Field(default_factory=dict[str, RemoteSettings])
    """Agents that work elsewhere, by name: a URL, or `[tool.interlock.remotes.NAME]`."""
    strict: bool = False
    """Fails a run in which a body asks a LangChain model past its doors, and does not send the call."""
    lease_s: float = 3.0
    """Seconds after which a silent worker's run may be taken over."""
    tokens: dict[str, TokenSettings] = Field(default_factory=dict[str, TokenSettings])
    """Who may call a server, by a name of your choice, as `[tool.interlock.tokens.NAME]`."""
    serve: ServeSettings = ServeSettings()
    debug: bool = False
    """Shows logs and tracebacks on standard error."""
    langfuse_base_url: str = _of_langfuse("base_url", "https://cloud.langfuse.com")
    """Where Langfuse is; spans and scores go there once both keys are given."""
    langfuse_public_key: str = _of_langfuse("public_key", "")
    langfuse_secret_key: SecretStr = _of_langfuse("secret_key", SecretStr(""))
    otlp_endpoint: str = ""
    """Any other receiver of traces (OTLP over HTTP); `/v1/traces` is added where it is missing."""
    otlp_headers: dict[str, SecretStr] = Field(default_factory=dict[str, SecretStr])
    """Headers for it, such as its key."""
    trace_content: Literal["none", "redacted", "full"] = "redacted"
    """How much of inputs, outputs and prompts spans carry: nothing, cut to 2,000 characters, or whole."""
    trace_environment: str = ""
    """Such as `production`: a label on every span and score."""
    trace_release: str = ""
    """A label on every span; empty means the version of the graph."""
    trace_tags: tuple[str, ...] = ()
    prompts_from: Literal["files", "langfuse"] = "files"
    """Where prompts come from; what Langfuse does not answer in time comes from the file."""
    prompt_label: str = "production"
    """Which version of a prompt Langfuse is asked for."""

    @model_validator(mode="after")
    def _model_has_a_name(self) -> Self:
        if self.model_url and not self.model:
            raise ValueError("model_url says where a model is: name it with `model` (INTERLOCK_MODEL)")
        return self

    @field_validator("langfuse_base_url", "otlp_endpoint")
    @classmethod
    def _is_url(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("give a URL that begins with http:// or https://")
        try:
            parts = urlsplit(url)
            reachable = not url or (parts.hostname and " " not in parts.netloc and parts.port != 0)
        except ValueError:  # a port that is none, or half an IPv6 address
            raise ValueError("give a URL with a host, and with a port that is a number") from None
        if not reachable:
            raise ValueError("give a URL with a host, and with a port that is a number")
        if parts.query or parts.fragment:
            raise ValueError("give a URL without a query: what proves who you are belongs into headers")
        return url.rstrip("/")

    @field_validator("remotes", mode="before")
    @classmethod
    def _at(cls, remotes: Any) -> Any:  # noqa: ANN401
        """A plain URL is the short form."""
        if not isinstance(remotes, dict):
            return remotes
        named: dict[str, Any] = {**remotes}
        return {name: {"url": at} if isinstance(at, str) else at for name, at in named.items()}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Explicit values, then the environment, then pyproject.toml."""
        return init_settings, env_settings, PyprojectTomlConfigSettingsSource(settings_cls)


def load(**given: Any) -> Settings:  # noqa: ANN401
    """Reads the settings.

    Raises:
        BadInput: naming the setting that cannot be used.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'all'}: {e['msg']}" for e in error.errors())
    except SettingsError as error:  # such as a list that is not given as JSON
        field = re.search(r'field "(\w+)"', str(error))
        told = f"{field[1]}: it is not JSON" if field else "one of them is not JSON"
    except OSError as error:
        told = f"pyproject.toml: {error.strerror}"
    except ValueError as error:  # pyproject.toml is no TOML, or no text at all
        told = f"pyproject.toml: {error}"
    raise BadInput(f"the settings cannot be used ({told}): see [tool.interlock] and INTERLOCK_*.")


def secret(name: str) -> str:
    """The secret in an environment variable that a setting names; empty where there is none."""
    return os.environ.get(name, "") if name else ""


def strict_checkpoints() -> bool:
    """Says whether LangGraph reads checkpoints strictly, so that a forged one names no callable."""
    return os.environ.get("LANGGRAPH_STRICT_MSGPACK", "").lower() in ("1", "true", "yes")


def origins() -> dict[str, str]:
    """Where each setting comes from: setting -> the variable, `pyproject.toml` or `default`.

    Raises:
        BadInput: if pyproject.toml cannot be read.
    """
    try:
        text = Path("pyproject.toml").read_text(encoding="utf-8")
        written = tomllib.loads(text).get("tool", {}).get("interlock", {})
    except FileNotFoundError:
        written = {}
    except (OSError, ValueError, AttributeError) as error:
        raise BadInput(f"pyproject.toml cannot be read ({error}): correct it.") from error
    given = {name.upper(): name for name in os.environ}

    def origin(name: str) -> str:
        variable = given.get(f"INTERLOCK_{name.upper()}")
        if variable is None and name.startswith("langfuse_"):
            variable = given.get(name.upper())
        return variable or ("pyproject.toml" if name in written else "default")

    return {name: origin(name) for name in Settings.model_fields}
