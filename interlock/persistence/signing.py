"""The signing key: Ed25519, in a folder outside the database, made at first use.

Whoever can write the database and not read this folder cannot sign a changed record.
"""

import hashlib
import os
import secrets
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from interlock.errors import BadInput

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY = "signing.key"
"""The private key (PEM, PKCS 8), readable by its owner only. Public keys stand beside it as `KEY_ID.pub`."""


def verify(public: bytes, data: bytes, signature: str) -> bool:
    """Says whether a hexadecimal signature over `data` was made with the key of this raw public key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(bytes.fromhex(signature), data)
    except (InvalidSignature, ValueError):
        return False
    return True


def key_id(public: bytes) -> str:
    """The name of a public key: the first 16 hexadecimal characters of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


class Signer:
    """Signs with the key of one folder, and verifies with every public key in it."""

    def __init__(self, folder: Path) -> None:
        """Takes the folder; neither it nor the key needs to exist before something is signed."""
        self._folder = folder

    @property
    def key_id(self) -> str:
        """The name of the key that signs."""
        return key_id(_raw(self._key))

    @property
    def public(self) -> bytes:
        """The public key, as its 32 bytes."""
        return _raw(self._key)

    @property
    def private(self) -> bytes:
        """The private key (PEM, PKCS 8), for libraries that sign by themselves; keep it in this process."""
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, data: bytes) -> str:
        """The signature, in hexadecimal.

        Raises:
            BadInput: if the key cannot be read or made, or others may read it.
        """
        return self._key.sign(data).hex()

    def check(self, name: str, data: bytes, signature: str) -> bool | None:
        """Says whether a signature is valid; None if this folder has no public key of that name."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        if not name.isalnum():  # it comes from the database and becomes a file name
            return None
        try:
            public = load_pem_public_key((self._folder / f"{name}.pub").read_bytes())
        except (OSError, ValueError):
            return None
        if not isinstance(public, Ed25519PublicKey) or key_id(public.public_bytes_raw()) != name:
            return None
        return verify(public.public_bytes_raw(), data, signature)

    @cached_property
    def _key(self) -> "Ed25519PrivateKey":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        path = self._folder / KEY
        try:
            if not path.exists():
                self._make(path)
            if os.name == "posix" and path.stat().st_mode & 0o077:
                raise BadInput(f"others can read the signing key {str(path)!r}: set its mode to 0600.")
            key = load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise BadInput(f"the signing key {str(path)!r} cannot be read or made: {error}.") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise BadInput(f"the signing key {str(path)!r} is not an Ed25519 key.")
        self._publish(key)
        return key

    def _make(self, path: Path) -> None:
        """Makes the key in a file of its own and links it into place: whoever links first wins."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._place(path, pem, 0o600)

    def _publish(self, key: "Ed25519PrivateKey") -> None:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        path = self._folder / f"{key_id(_raw(key))}.pub"
        if not path.exists():
            pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            self._place(path, pem, 0o644)

    def _place(self, path: Path, data: bytes, mode: int) -> None:
        """Puts a whole file at `path` unless there is one already; never half of one."""
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first, and its file is as good
        finally:
            draft.unlink()


def _raw(key: "Ed25519PrivateKey") -> bytes:
    return key.public_key().public_bytes_raw()
