"""Secrets that have to be stored: sealed, so that a copy of the database opens nothing.

AES-256-GCM with a key that is derived from the given one for this purpose alone (RFC 5869). The owner's name
is authenticated with the secret, so that a sealed secret that is moved to another row does not open.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_FORMAT = b"\x01"
_NONCE = 12


class Unreadable(Exception):
    """Sealed with another key or for another owner, or changed since."""


class Sealer:
    """Args:
    purpose: what the secrets are for; the same key opens nothing that was sealed for another purpose.
    """

    def __init__(self, key: bytes, purpose: str) -> None:
        derive = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=f"signalbox {purpose}".encode())
        self._cipher = AESGCM(derive.derive(key))

    def seal(self, secret: str, owner: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, secret.encode(), owner.encode())

    def open(self, sealed: bytes, owner: str) -> str:
        """Raises:
        Unreadable: it can't be opened with this key for this owner.
        """
        head, nonce, text = sealed[:1], sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
        try:
            if head != _FORMAT:
                raise Unreadable("sealed in a format that this version does not know")
            return self._cipher.decrypt(nonce, text, owner.encode()).decode()
        except (InvalidTag, ValueError) as exc:
            raise Unreadable("the key does not fit, or what was sealed has been changed") from exc
