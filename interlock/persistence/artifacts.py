"""Files and large outputs, named by the SHA-256 of their bytes."""

import hashlib

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from interlock.errors import NotFound
from interlock.persistence import schema
from interlock.persistence.database import Database
from interlock.persistence.sqlite import insert

_PUT = insert(schema.artifacts).on_conflict_do_nothing(index_elements=["digest", "run"])


class SqlArtifacts:
    """Implements `core.ports.Artifacts`.

    Each run has its own copy, so that erasing one run's does not touch another's.
    """

    def __init__(self, database: Database) -> None:
        """Takes an open database."""
        self._database = database

    async def put(self, run: str, name: str, media_type: str, data: bytes) -> str:
        """Stores bytes and returns their SHA-256 digest; storing them twice is harmless.

        Raises:
            NotFound: if there is no such run.
        """
        digest = hashlib.sha256(data).hexdigest()
        values = {
            "digest": digest,
            "run": run,
            "name": name,
            "media_type": media_type,
            "size": len(data),
            "data": data,
        }
        try:
            await self._database.write(lambda connection: connection.execute(_PUT, values))
        except IntegrityError as error:
            raise NotFound(f"there is no run {run!r} that the artifact {name!r} could belong to.") from error
        return digest

    async def get(self, digest: str) -> bytes:
        """The bytes.

        Raises:
            NotFound: if there are none with this digest.
        """
        statement = select(schema.artifacts.c.data).where(schema.artifacts.c.digest == digest).limit(1)
        data = await self._database.read(lambda connection: connection.execute(statement).scalar())
        if data is None:
            raise NotFound(
                f"there is no artifact with digest {digest!r}: it was never stored, or was erased."
            )
        return data
