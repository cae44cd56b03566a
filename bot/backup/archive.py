"""Archives: a tar.gz, encrypted if there is a key, every member's sha256 in a manifest at its end."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from bot.backup.encryption import DecryptingReader, EncryptingWriter, is_encrypted
from bot.backup.manifest import MANIFEST, Manifest
from bot.core.errors import Permanent

_LEVEL = 3
_CHUNK = 1 << 20
_LONGEST_NAME = 1024


class ArchiveWriter:
    """Adds members one after the other and remembers their checksums."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.files: dict[str, str] = {}

    def add(self, file: Path, member: str) -> None:
        """A file, or a link within what is archived. A file that vanishes meanwhile is left out."""
        try:
            info = self._tar.gettarinfo(file, member)
            if info.issym():
                self._tar.addfile(info)
                self.files[member] = hashlib.sha256(info.linkname.encode()).hexdigest()
                return
            with file.open("rb") as opened:
                if info.islnk():  # one file under two names: each is kept whole
                    info.type, info.linkname = tarfile.REGTYPE, ""
                    info.size = os.fstat(opened.fileno()).st_size
                reading = _Hashing(opened)
                self._tar.addfile(info, cast(IO[bytes], reading))
        except FileNotFoundError:
            return
        self.files[member] = reading.digest.hexdigest()

    def add_bytes(self, content: bytes, member: str) -> None:
        info = tarfile.TarInfo(member)
        info.size = len(content)
        info.mode = 0o600
        self._tar.addfile(info, io.BytesIO(content))
        self.files[member] = hashlib.sha256(content).hexdigest()


class _Hashing:
    """A file that is hashed as it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        part = self._file.read(size)
        self.digest.update(part)
        return part


@contextmanager
def writing(target: Path, key: bytes | None) -> Iterator[ArchiveWriter]:
    """An archive under construction; it appears under its name when the block has ended well."""
    unfinished = target.with_name(f"{target.name}.part")
    try:
        private = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(private, "wb") as out:
            sealed = EncryptingWriter(out, key) if key else None
            stream = cast(BinaryIO, sealed or out)
            with (
                gzip.GzipFile("", "wb", _LEVEL, stream, 0) as packed,
                tarfile.open(mode="w|", fileobj=packed, format=tarfile.PAX_FORMAT) as tar,
            ):
                yield ArchiveWriter(tar)
            if sealed:
                sealed.finish()
            out.flush()
            os.fsync(out.fileno())
        unfinished.rename(target)
    finally:
        unfinished.unlink(missing_ok=True)


def unpack(archive: Path, folder: Path, keys: Sequence[bytes]) -> Manifest:
    """Unpack into an empty folder and check every member against the manifest.

    Where there are keys, one that is not encrypted is refused: anybody who can write where archives lie could
    have made it.

    Raises:
        Permanent: it can't be read, a member is missing, was changed or was not announced.
    """
    try:
        with archive.open("rb") as source:
            stream = DecryptingReader(source, keys) if is_encrypted(source) else source
            if stream is source and keys:
                raise Permanent(
                    f"{archive.name} is not encrypted, and backup.key is set: nobody knows who made it. Use "
                    "another archive; for one from before the key was set, and that you trust, leave "
                    "backup.key and backup.old_keys out this once."
                )
            with (
                gzip.GzipFile(fileobj=io.BufferedReader(cast(Any, stream), _CHUNK)) as packed,
                tarfile.open(mode="r|", fileobj=packed) as tar,
            ):
                tar.extractall(folder, filter=_plain)  # noqa: S202  # see there
                # To the end, where gzip keeps its checksum: padding and headers are in no member's digest.
                while packed.read(_CHUNK):
                    pass
    except (tarfile.TarError, OSError, EOFError, zlib.error) as exc:
        raise Permanent(f"{archive.name} can't be unpacked: {exc}. Use another archive.") from exc
    return _checked(archive, folder)


def _plain(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo:
    """What an archive of ours holds: files, folders and links within it, and nothing that lies behind a link.

    Python's own filter is not enough: before 3.11.13 it is led out of the folder by links and long names
    (CVE-2025-4517 and its kin).
    """
    if not (member.isfile() or member.isdir() or member.issym()) or len(member.name) > _LONGEST_NAME:
        raise tarfile.FilterError(f"{member.name[:80]!r} is neither a file nor a folder nor a link")
    here = Path(folder)
    for part in Path(member.name).parts:
        here /= part
        if part == ".." or here.is_symlink():
            raise tarfile.OutsideDestinationError(member, str(here))
    return tarfile.data_filter(member, folder)


def _checked(archive: Path, folder: Path) -> Manifest:
    file = folder / MANIFEST
    if not file.is_file():
        raise Permanent(f"{archive.name} ends before its manifest: it was cut. Use another archive.")
    manifest = Manifest.model_validate_json(file.read_bytes())
    present = {str(p.relative_to(folder)) for p in _leaves(folder)} - {MANIFEST}
    wrong = sorted(present ^ manifest.files.keys())
    wrong += sorted(
        name for name in present & manifest.files.keys() if _digest(folder / name) != manifest.files[name]
    )
    if wrong:
        raise Permanent(
            f"{archive.name} does not hold what its manifest says ({', '.join(wrong[:5])}). Use another one."
        )
    return manifest


def _leaves(folder: Path) -> Iterable[Path]:
    return (path for path in folder.rglob("*") if path.is_symlink() or path.is_file())


def _digest(file: Path) -> str:
    if file.is_symlink():
        return hashlib.sha256(str(file.readlink()).encode()).hexdigest()
    return file_digest(file)


def file_digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
