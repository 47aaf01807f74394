"""Artifacts: stored by the digest of their bytes."""

import hashlib

import pytest

from interlock.errors import NotFound
from interlock.persistence.artifacts import SqlArtifacts
from interlock.persistence.runs import SqlRuns
from tests.integration.stored import new_run


async def test_bytes_come_back_by_their_digest(artifacts: SqlArtifacts, runs: SqlRuns) -> None:
    """Storing them twice, or in another run, is harmless."""
    data = bytes(range(256)) * 100
    for run in ("r-1", "r-2"):
        await runs.create(new_run(run), [])

    digests = {
        await artifacts.put(run, "label.pdf", "application/pdf", data) for run in ("r-1", "r-1", "r-2")
    }

    assert digests == {hashlib.sha256(data).hexdigest()}
    assert await artifacts.get(digests.pop()) == data


async def test_an_unknown_digest_is_named(artifacts: SqlArtifacts) -> None:
    """It was never stored, or was erased."""
    with pytest.raises(NotFound, match="'abc'"):
        await artifacts.get("abc")


async def test_an_artifact_needs_its_run(artifacts: SqlArtifacts) -> None:
    """It is erased with it."""
    with pytest.raises(NotFound, match="no run 'r-9'"):
        await artifacts.put("r-9", "label", "text/plain", b"x")
