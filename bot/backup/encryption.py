"""Encryption of archives: AES-256-GCM over chunks, so that any size passes through little memory.

The chunks' nonces count up and the last one is marked (STREAM: Hoang et al., "Online authenticated
encryption and its nonce-reuse misuse-resistance", CRYPTO 2015), so that a cut, swapped or repeated chunk
is refused. Each archive has a key of its own, derived from the given one and a random salt (RFC 5869).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import os
import struct
from collections.abc import Sequence
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bot.core.errors import ConfigError, Permanent

MAGIC = b"SIGNALBOX-BACKUP-1\n"
_CHUNK = 1 << 20
_TAG = 16
_SALT = 32


def new_key() -> str:
    """32 random bytes, as the setting backup.key wants them."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def parse_key(text: str) -> bytes:
    try:
        key = base64.urlsafe_b64decode(text)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise ConfigError(
            "backup.key is not a key. Expected: 32 bytes in URL-safe base64, "
            "as `signalbox backup key` prints them."
        )
    return key


class EncryptingWriter(io.RawIOBase):
    """Writes what it is given, encrypted, to `out`; `finish` seals the last chunk."""

    def __init__(self, out: BinaryIO, key: bytes) -> None:
        salt = os.urandom(_SALT)
        self._out = out
        self._cipher = _cipher(key, salt)
        self._number = 0
        self._waiting = bytearray()
        out.write(MAGIC + _mark(key) + salt)

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        given = bytes(data)  # type: ignore[call-overload]  # any buffer, as io.RawIOBase has it
        self._waiting += given
        while len(self._waiting) > _CHUNK:
            self._seal(bytes(self._waiting[:_CHUNK]), last=False)
            del self._waiting[:_CHUNK]
        return len(given)

    def finish(self) -> None:
        self._seal(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _seal(self, chunk: bytes, *, last: bool) -> None:
        self._out.write(self._cipher.encrypt(_nonce(self._number, last=last), chunk, None))
        self._number += 1


class DecryptingReader(io.RawIOBase):
    """Reads what EncryptingWriter wrote.

    Raises:
        Permanent: none of the keys fits, or the archive was changed or cut.
    """

    def __init__(self, source: BinaryIO, keys: Sequence[bytes]) -> None:
        head = source.read(len(MAGIC) + 8 + _SALT)
        mark, salt = head[len(MAGIC) : len(MAGIC) + 8], head[len(MAGIC) + 8 :]
        key = next((key for key in keys if _mark(key) == mark), None)
        if not head.startswith(MAGIC) or key is None:
            raise Permanent(
                "The archive is encrypted with another key. Set backup.key, or backup.old_keys, "
                "to the one that was set when it was made."
            )
        self._source = source
        self._cipher = _cipher(key, salt)
        self._number = 0
        self._ready = b""
        self._next = source.read(_CHUNK + _TAG)
        self._done = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]  # any buffer, as io.RawIOBase has it
        while not self._ready and not self._done:
            self._ready = self._open_next()
        size = min(len(view), len(self._ready))
        view[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _open_next(self) -> bytes:
        chunk, self._next = self._next, self._source.read(_CHUNK + _TAG)
        self._done = not self._next
        try:
            opened = self._cipher.decrypt(_nonce(self._number, last=self._done), chunk, None)
        except InvalidTag as exc:
            raise Permanent(
                f"The archive was changed or cut near byte {self._number * _CHUNK:,}; use another one."
            ) from exc
        self._number += 1
        return opened


def is_encrypted(source: BinaryIO) -> bool:
    """Whether an archive begins as ours do; the position stays where it was."""
    start = source.tell()
    found = source.read(len(MAGIC)) == MAGIC
    source.seek(start)
    return found


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    derive = HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=b"signalbox backup")
    return AESGCM(derive.derive(key))


def _mark(key: bytes) -> bytes:
    """Tells keys apart without telling anything about them."""
    return hashlib.sha256(b"signalbox backup mark" + key).digest()[:8]


def _nonce(number: int, *, last: bool) -> bytes:
    return b"\0" * 7 + struct.pack(">I?", number, last)
