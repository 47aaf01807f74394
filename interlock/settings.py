"""Settings: `[tool.interlock]` in pyproject.toml, and `INTERLOCK_*` in the environment, which wins."""

import os
import tomllib
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, Field, ValidationError
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
    lease_s: float = 3.0
    """Seconds after which a silent worker's run may be taken over."""
    tokens: dict[str, TokenSettings] = Field(default_factory=dict[str, TokenSettings])
    """Who may call a server, by a name of your choice, as `[tool.interlock.tokens.NAME]`."""
    serve: ServeSettings = ServeSettings()
    debug: bool = False
    """Shows logs and tracebacks on standard error."""

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
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    except (SettingsError, OSError) as error:
        told = str(error)
    except ValueError as error:  # pyproject.toml is no TOML, or no text at all
        told = f"pyproject.toml: {error}"
    raise BadInput(f"the settings cannot be used ({told}): see [tool.interlock] and INTERLOCK_*.")


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
        return variable or ("pyproject.toml" if name in written else "default")

    return {name: origin(name) for name in Settings.model_fields}
