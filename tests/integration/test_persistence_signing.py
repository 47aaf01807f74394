"""The signing key: made once, readable by its owner only, outside the database."""

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)

from interlock.errors import BadInput
from interlock.persistence import signing
from interlock.persistence.signing import KEY, Signer
from tests.integration.stored import Child

SIGN = """
import sys
from pathlib import Path
from interlock.persistence.signing import Signer
print("ready", flush=True)
sys.stdin.readline()
signer = Signer(Path(sys.argv[1]))
print(signer.key_id, signer.sign(b"same"), flush=True)
"""


def test_a_signature_is_valid_for_its_bytes_alone(tmp_path: Path) -> None:
    """Other bytes, another signature and what is no signature are not."""
    signer = Signer(tmp_path / "keys")
    signature = signer.sign(b"head")

    assert signer.check(signer.key_id, b"head", signature) is True
    assert signer.check(signer.key_id, b"another", signature) is False
    assert signer.check(signer.key_id, b"head", "00" * 64) is False
    assert signer.check(signer.key_id, b"head", "no hex") is False


def test_anybody_can_verify_with_the_public_key(tmp_path: Path) -> None:
    """The raw public key is enough; its digest names it."""
    signer = Signer(tmp_path)
    signature = signer.sign(b"head")
    public = load_pem_public_key((tmp_path / f"{signer.key_id}.pub").read_bytes())
    raw = public.public_bytes_raw()  # type: ignore[union-attr]

    assert signing.key_id(raw) == signer.key_id and len(signer.key_id) == 16
    assert signing.verify(raw, b"head", signature)
    assert not signing.verify(raw, b"heads", signature)
    assert not signing.verify(b"short", b"head", signature)


def test_the_private_key_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """Mode 0600 from its first moment, and no draft of it is left."""
    signer = Signer(tmp_path / "keys")
    signer.sign(b"")

    assert (tmp_path / "keys" / KEY).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0
    assert sorted(os.listdir(tmp_path / "keys")) == sorted([KEY, f"{signer.key_id}.pub"])


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    """The error says what to do."""
    Signer(tmp_path).sign(b"")
    (tmp_path / KEY).chmod(0o644)

    with pytest.raises(BadInput, match="set its mode to 0600"):
        Signer(tmp_path).sign(b"")


def test_the_key_stays_the_same(tmp_path: Path) -> None:
    """A later process signs with the key of the first."""
    assert Signer(tmp_path).key_id == Signer(tmp_path).key_id


async def test_processes_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    """Whoever makes it first wins; nobody sees half a key."""
    children = [Child(SIGN, tmp_path / "keys") for _ in range(4)]
    for child in children:
        await child.line()
    for child in children:
        child.tell()

    said = {await child.line() for child in children}

    assert [await child.end() for child in children] == [0] * 4
    assert len(said) == 1 and said != {""}
    assert len(os.listdir(tmp_path / "keys")) == 2


def test_an_older_key_still_verifies(tmp_path: Path) -> None:
    """After a change of keys, the old public key verifies what it signed; without it, nobody can say."""
    old = Signer(tmp_path)
    signature = old.sign(b"head")
    (tmp_path / KEY).unlink()
    new = Signer(tmp_path)
    new.sign(b"")

    assert new.key_id != old.key_id
    assert new.check(old.key_id, b"head", signature) is True
    (tmp_path / f"{old.key_id}.pub").unlink()
    assert new.check(old.key_id, b"head", signature) is None


def test_a_public_key_under_another_name_is_not_known(tmp_path: Path) -> None:
    """The name comes from the database: it is neither a path nor believed."""
    signer = Signer(tmp_path / "keys")
    signature = signer.sign(b"head")
    (tmp_path / "keys" / "0123456789abcdef.pub").write_bytes(
        (tmp_path / "keys" / f"{signer.key_id}.pub").read_bytes()
    )

    assert signer.check("0123456789abcdef", b"head", signature) is None
    assert signer.check(f"../keys/{signer.key_id}", b"head", signature) is None
    assert signer.check("", b"head", signature) is None


@pytest.mark.parametrize("content", [b"", b"not a key"])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    """It is not replaced: it might be somebody's only key."""
    (tmp_path / KEY).write_bytes(content)
    (tmp_path / KEY).chmod(0o600)

    with pytest.raises(BadInput, match="cannot be read or made"):
        Signer(tmp_path).sign(b"")

    assert (tmp_path / KEY).read_bytes() == content


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    """Only Ed25519 signs."""
    other = generate_private_key(SECP256R1())
    (tmp_path / KEY).write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / KEY).chmod(0o600)

    with pytest.raises(BadInput, match="is not an Ed25519 key"):
        Signer(tmp_path).sign(b"")


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    """The error names the path."""
    (tmp_path / "keys").write_text("")

    with pytest.raises(BadInput, match=r"keys/signing\.key"):
        Signer(tmp_path / "keys").sign(b"")
