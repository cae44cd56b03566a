"""A second home for archives: a bucket of anything that speaks S3. Needs the extra `aws` (boto3)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bot.core.errors import ConfigError, Transient
from bot.core.settings import BackupSettings


class Bucket:
    """Credentials are found the way AWS clients find them: environment, profile, role of the machine."""

    def __init__(self, settings: BackupSettings) -> None:
        try:
            import boto3  # noqa: PLC0415  # an extra
            from boto3.exceptions import S3UploadFailedError  # noqa: PLC0415
            from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
        except ImportError as exc:
            raise ConfigError(
                "backup.s3_bucket is set but boto3 is not installed. Run: pip install signalbox[aws]."
            ) from exc
        self._faults = (BotoCoreError, ClientError, S3UploadFailedError)
        self._name = settings.s3_bucket
        self._prefix = settings.s3_prefix.strip("/")
        self._client: Any = boto3.client("s3", endpoint_url=settings.s3_endpoint_url or None)

    def put(self, file: Path) -> None:
        try:
            self._client.upload_file(str(file), self._name, self._key(file.name))
        except self._faults as exc:
            raise Transient(f"{file.name} could not be copied to s3://{self._name}: {exc}.") from exc

    def get(self, name: str, folder: Path) -> Path:
        target = folder / name
        try:
            self._client.download_file(self._name, self._key(name), str(target))
        except self._faults as exc:
            raise Transient(f"{name} could not be fetched from s3://{self._name}: {exc}.") from exc
        return target

    def names(self) -> Iterator[str]:
        try:
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._name, Prefix=self._key("")):
                yield from (item["Key"].rpartition("/")[2] for item in page.get("Contents", ()))
        except self._faults as exc:
            raise Transient(f"s3://{self._name} could not be listed: {exc}.") from exc

    def delete(self, name: str) -> None:
        try:
            self._client.delete_object(Bucket=self._name, Key=self._key(name))
        except self._faults as exc:
            raise Transient(f"{name} could not be deleted from s3://{self._name}: {exc}.") from exc

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name
