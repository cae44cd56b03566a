"""A backup counts once it was restored: on both databases, encrypted or not, changed, cut, old, off site."""

from __future__ import annotations

import io
import json
import secrets
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from moto import mock_aws
from pydantic import SecretStr

from bot.backup.archive import unpack
from bot.backup.encryption import DecryptingReader, EncryptingWriter, new_key, parse_key
from bot.backup.manifest import Manifest, made_at, sidecar
from bot.backup.service import Backups
from bot.backup.source import Source
from bot.core import backup_state
from bot.core.audit import Audit
from bot.core.backup_state import BackupState
from bot.core.database import Database
from bot.core.errors import ConfigError, Permanent, Transient
from bot.core.events import NewEvent, new_id
from bot.core.inbox import Inbox, Lease
from bot.core.memory import Records
from bot.core.service_ledger import ServiceLedger
from bot.core.settings import Settings
from bot.core.tables import schedules
from bot.supervisor.data_dir import locked
from bot.testing import Clock

pytestmark = pytest.mark.integration
KEY = new_key()


def golden(data_dir: Path) -> dict[str, Any] | None:
    file = data_dir / "models" / "champion" / "scores.json"
    return {"digest": "ab", "scores": json.loads(file.read_text())} if file.exists() else None


@dataclass
class Site:
    """An installation with some data, at one place."""

    settings: Settings
    db: Database
    clock: Clock
    checks: dict[str, Any]

    def backups(self, **changed: Any) -> Backups:
        backup = self.settings.backup.model_copy(update=changed)
        source = Source(self.settings.model_copy(update={"backup": backup}), {"slack.bot_token": "set"})
        audit = Audit(self.db, self.clock)
        ledger = ServiceLedger(self.db, audit, self.clock, "production")
        return Backups(source, self.db, BackupState(self.db, ledger, self.clock), self.checks, self.clock)

    def ledger(self) -> ServiceLedger:
        return ServiceLedger(self.db, Audit(self.db, self.clock), self.clock, "production")

    def health(self) -> str:
        return BackupState(self.db, self.ledger(), self.clock).health(8).status


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Site]:
    data = tmp_path / "data"
    data.mkdir()
    if database_url.startswith("sqlite"):
        database_url = f"sqlite:///{data / 'signalbox.db'}"
    settings = Settings(data_dir=data, database_url=database_url, secret_key=SecretStr("k" * 32))
    db = Database(database_url)
    db.migrate()
    clock = Clock()
    for number in range(20):
        Audit(db, clock).record("U1", "tags.apply", f"SUP-{number}")
    Records(db, "autotag", None, clock).append("decision", "SUP-1", {"label": "billing"})
    fill(data)
    yield Site(settings, db, clock, {"tagging": golden})
    db.close()


def fill(data: Path) -> None:
    kept = data / "models" / "v1"
    kept.mkdir(parents=True)
    (kept / "scores.json").write_text("[0.25, 0.75]")
    (data / "models" / "champion").symlink_to("v1")
    (data / "secrets.json").write_text('{"secret_key": "canary"}')
    (data / "mlflow").mkdir()
    mlflow = sqlite3.connect(data / "mlflow" / "mlflow.db")
    mlflow.execute("PRAGMA journal_mode=WAL")
    mlflow.execute("CREATE TABLE runs (id TEXT)")
    mlflow.execute("INSERT INTO runs VALUES ('r1')")
    mlflow.commit()
    mlflow.close()


@pytest.fixture
def elsewhere(site: Site, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Site]]:
    """A second, empty installation of the same kind."""
    opened: list[Database] = []
    made: list[tuple[str, str]] = []

    def make() -> Site:
        data = tmp_path / f"other-{len(opened)}"
        url = f"sqlite:///{data / 'signalbox.db'}"
        if site.settings.database_url.startswith("postgresql"):
            server = request.getfixturevalue("postgres_server")
            name = f"t{secrets.token_hex(6)}"
            with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
                admin.execute(f'CREATE DATABASE "{name}"')
            made.append((server, name))
            url = f"{server}/{name}"
        settings = site.settings.model_copy(update={"data_dir": data, "database_url": url})
        opened.append(Database(url))
        return Site(settings, opened[-1], site.clock, site.checks)

    yield make
    for db in opened:
        db.close()
    for server, name in made:
        with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_what_was_backed_up_comes_back_and_secrets_do_not(site: Site, elsewhere: Callable[[], Site]) -> None:
    archive = site.backups().create()
    other = elsewhere()
    other.backups().restore(archive)
    report = Audit(other.db).verify()
    assert (report.rows >= 20, report.faults) == (True, [])
    assert Records(other.db, "autotag").find("decision")[0].data == {"label": "billing"}
    data = other.settings.data_dir
    assert golden(data) == golden(site.settings.data_dir)
    assert (data / "models" / "champion").readlink() == Path("v1")
    assert sqlite3.connect(data / "mlflow" / "mlflow.db").execute("SELECT id FROM runs").fetchone() == ("r1",)
    assert not (data / "secrets.json").exists()
    assert json.loads((data / "settings-of-backup.json").read_text()) == {"slack.bot_token": "set"}
    Audit(other.db).record("U1", "after", "restore")
    assert Audit(other.db).verify().ok


def test_a_restore_overwrites_nothing(site: Site) -> None:
    archive = site.backups().create()
    with pytest.raises(ConfigError, match="overwrites nothing"):
        site.backups().restore(archive)


def test_a_running_product_is_not_restored_into(site: Site, elsewhere: Callable[[], Site]) -> None:
    archive, other = site.backups().create(), elsewhere()
    if site.settings.database_url.startswith("postgresql"):
        with other.db.read(), pytest.raises(ConfigError, match="product is running: 1 connections"):
            other.backups().restore(archive)
    else:
        with (
            locked(other.settings.data_dir),
            pytest.raises(ConfigError, match="Another `signalbox up` is using"),
        ):
            other.backups().restore(archive)
    other.db.close()
    other.backups().restore(archive)


def test_what_was_open_then_is_set_aside_and_no_planned_time_is_made_up_for(
    site: Site, elsewhere: Callable[[], Site]
) -> None:
    inbox = Inbox(site.db, site.clock)
    new = [NewEvent("test", "k", "s", b"{}", serial="one", runs=(("toy.run", "io"),)) for _ in range(3)]
    inbox.put_many(new)
    done = inbox.lease(f"{new[0].id}-0", "w", timedelta(minutes=1))
    assert isinstance(done, Lease)
    inbox.done(done)
    assert isinstance(inbox.lease(f"{new[1].id}-0", "w", timedelta(minutes=1)), Lease)
    with site.db.write() as tx:
        tx.execute(schedules.insert().values(handler="toy.daily", last_due_at=site.clock(), paused=0))
    archive = site.backups().create()
    site.clock.advance(timedelta(hours=10))
    other = elsewhere()
    other.backups().restore(archive)
    restored = Inbox(other.db, site.clock)
    assert restored.open_counts() == {"pending": 0, "leased": 0, "dead": 2}
    assert all("may have been done since" in (run.error or "") for run in restored.runs(status="dead"))
    with other.db.read() as tx:
        assert tx.execute(schedules.select()).one().last_due_at == site.clock()
    after = replace(new[0], id=new_id())
    restored.put(after)
    assert isinstance(restored.lease(f"{after.id}-0", "w", timedelta(minutes=1)), Lease)


def test_an_emptied_database_sends_senders_away(database_url: str) -> None:
    db = Database(database_url)
    with pytest.raises(Transient, match="tried again"):
        Inbox(db).put(NewEvent("test", "k", "s", b"{}"))
    db.close()


def test_verify_restores_checks_and_records(site: Site) -> None:
    site.backups().create()
    site.clock.advance(timedelta(hours=3))
    tested = site.backups().verify()
    assert (tested.rpo, tested.models) == (3 * 3600, ("tagging",))
    signals = [r.body["signal"] for r in site.ledger().find(record_type="event")]
    assert signals == ["backup.restored", "backup.created"]
    assert site.health() == "ok"
    assert not [p for p in site.backups().folder.iterdir() if p.name.startswith(".")]


def test_writers_go_on_while_it_is_made(site: Site) -> None:
    """The dump is one moment; what is written meanwhile is in the next one."""
    seen = []

    def write(data_dir: Path) -> dict[str, Any] | None:
        Audit(site.db, site.clock).record("U2", "tags.apply", f"SUP-{len(seen)}")
        seen.append(1)
        return {"n": 1}

    site.checks["writer"] = write
    site.backups().create()
    assert site.backups().verify().audit_rows <= 22


def test_an_encrypted_archive_shows_nothing_and_opens_with_old_keys(site: Site, tmp_path: Path) -> None:
    archive = site.backups(key=SecretStr(KEY)).create()
    assert archive.name.endswith(".tar.gz.enc")
    assert b"SUP-1" not in archive.read_bytes()
    rotated = {"key": SecretStr(new_key()), "old_keys": (SecretStr(KEY),)}
    assert site.backups(**rotated).verify(archive).audit_rows >= 20
    with pytest.raises(Permanent, match="another key"):
        site.backups(key=SecretStr(new_key())).verify(archive)


@pytest.mark.parametrize("key", [None, SecretStr(KEY)])
@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_a_damaged_archive_is_refused_and_becomes_an_incident(
    site: Site, key: SecretStr | None, damage: str
) -> None:
    archive = site.backups(key=key).create()
    content = bytearray(archive.read_bytes())
    if damage == "flip":
        # Not one bit: among zeros, another back-reference of the compression may mean the same.
        middle = len(content) // 2
        content[middle : middle + 64] = bytes(byte ^ 0xFF for byte in content[middle : middle + 64])
    else:
        del content[len(content) // 2 :]
    archive.write_bytes(content)
    with pytest.raises(Permanent, match="sha256 differs"):
        site.backups(key=key).verify()
    sidecar(archive).unlink()
    with pytest.raises(Permanent, match=r"unpacked|changed or cut|not hold|ends before"):
        site.backups(key=key).verify()
    assert site.health() == "degraded"
    [incident] = site.ledger().find(record_type="incident")
    assert incident.body["category"] == "backup"


def test_a_model_that_says_something_else_after_the_restore_fails_the_test(site: Site) -> None:
    archive = site.backups().create()
    site.checks["tagging"] = lambda folder: {"digest": "ab", "scores": [0.25, 0.76]}
    with pytest.raises(Permanent, match="says something else"):
        site.backups().verify(archive)
    site.checks.clear()
    with pytest.raises(Permanent, match="not in there"):
        site.backups().verify(archive)


def test_an_audit_row_changed_in_the_archive_is_found(site: Site, tmp_path: Path) -> None:
    if not site.settings.database_url.startswith("sqlite"):
        pytest.skip("Tampering with a dump is shown on SQLite, whose dump is a database.")
    backups = site.backups()
    dumped = site.settings.data_dir / "signalbox.db"
    with sqlite3.connect(dumped) as raw:
        raw.execute("DROP TRIGGER audit_no_update")
        raw.execute("UPDATE audit SET actor = 'U9' WHERE position = 3")
    backups.create()
    with pytest.raises(Permanent, match="Row 3"):
        backups.verify()


def test_thirty_days_are_kept_and_the_newest_always(site: Site) -> None:
    for _ in range(40):
        site.backups().create() if not site.backups().archives() else copy_newest(site)
        site.clock.advance(timedelta(days=1))
    site.backups().prune()
    days = [made_at(a.name) for a in site.backups().archives()]
    assert len(days) == 30
    site.clock.advance(timedelta(days=100))
    site.backups().prune()
    assert len(site.backups().archives()) == 1


def copy_newest(site: Site) -> None:
    """Pruning looks at names only: a dump for each day would only take time."""
    newest = site.backups().newest()
    newest.with_name(f"signalbox-{site.clock():%Y%m%dT%H%M%SZ}.tar.gz").write_bytes(b"x")


def test_health_degrades_when_no_restore_went_well_for_eight_days(site: Site) -> None:
    assert site.health() == "ok"
    site.clock.advance(timedelta(days=9))
    assert site.health() == "degraded"
    site.backups().create()
    assert site.health() == "degraded"
    site.backups().verify()
    assert site.health() == "ok"


def test_two_at_a_time_are_refused(site: Site) -> None:
    backups = site.backups()
    with backups._alone(), pytest.raises(Permanent, match="under way"):
        backups.create()


@mock_aws
def test_archives_go_to_a_bucket_come_back_and_are_pruned(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    where = {"LocationConstraint": "eu-central-1"}
    boto3.client("s3").create_bucket(Bucket="off-site", CreateBucketConfiguration=where)
    backups = site.backups(s3_bucket="off-site")
    first = backups.create()
    fetched = backups.fetch(first.name, tmp_path)
    assert fetched.read_bytes() == first.read_bytes()
    assert backups.verify(fetched).audit_rows >= 20
    site.clock.advance(timedelta(days=40))
    second = backups.create()
    backups.prune()
    listed = boto3.client("s3").list_objects_v2(Bucket="off-site")["Contents"]
    assert {item["Key"] for item in listed} == {f"signalbox/{second.name}", f"signalbox/{second.name}.json"}


def test_a_bucket_that_refuses_is_an_incident(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws(), pytest.raises(Exception, match="could not be copied"):
        site.backups(s3_bucket="no-such-bucket").create()
    assert site.health() == "degraded"


def test_a_member_that_climbs_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    evil = tmp_path / "signalbox-20260101T000000Z.tar.gz"
    with tarfile.open(evil, "w:gz") as tar:
        info = tarfile.TarInfo("../../outside")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    with pytest.raises(Permanent, match="can't be unpacked"):
        unpack(evil, tmp_path / "in", [])


def packed(file: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(file, "w:gz") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file


def linked(name: str, to: str) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, to
    return info, b""


def out_of_the_folder(deep: str) -> list[tuple[tarfile.TarInfo, bytes]]:
    """CVE-2025-4517: a path so long that realpath gives up, and a link behind it that leads out."""
    members, here = [], ""
    for letter in "abcdefghijklmnop":
        folder = tarfile.TarInfo(here + deep)
        folder.type = tarfile.DIRTYPE
        members += [(folder, b""), linked(here + letter, deep)]
        here += f"{deep}/"
    behind = "/".join([*"abcdefghijklmnop", "l" * 254])
    members += [linked(behind, "../" * 16), linked("escape", f"{behind}/../..")]
    return [*members, (tarfile.TarInfo("escape/outside"), b"x")]


def test_a_member_behind_links_is_refused_whatever_python_s_filter_says(tmp_path: Path) -> None:
    name = "signalbox-20260101T000000Z.tar.gz"
    behind = [linked("data/models", "."), (tarfile.TarInfo("data/models/x"), b"x")]
    twice = [linked("x", "y"), (tarfile.TarInfo("x"), b"x")]
    for number, members in enumerate((behind, twice, out_of_the_folder("d" * 247))):
        folder = tmp_path / f"{number}" / "in"
        folder.mkdir(parents=True)
        with pytest.raises(Permanent, match="can't be unpacked"):
            unpack(packed(tmp_path / name, *members), folder, [])
        assert [path.name for path in folder.parent.iterdir()] == ["in"]
    assert not list(tmp_path.rglob("outside"))


def test_with_a_key_an_archive_that_is_not_encrypted_is_refused(site: Site) -> None:
    archive = site.backups().create()
    with pytest.raises(Permanent, match=r"not encrypted, and backup\.key is set"):
        site.backups(key=SecretStr(KEY)).verify(archive)
    assert site.backups().verify(archive).audit_rows >= 20


def test_a_file_under_two_names_is_kept_whole_under_both(site: Site, elsewhere: Callable[[], Site]) -> None:
    kept = site.settings.data_dir / "models" / "v1"
    (kept / "copy.json").hardlink_to(kept / "scores.json")
    archive, other = site.backups().create(), elsewhere()
    other.backups().restore(archive)
    restored = other.settings.data_dir / "models" / "v1"
    assert (restored / "copy.json").read_text() == (restored / "scores.json").read_text() == "[0.25, 0.75]"


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_encryption_gives_back_what_it_took(size: int) -> None:
    content, sealed = bytes(size), io.BytesIO()
    writer = EncryptingWriter(sealed, parse_key(KEY))
    writer.write(content)
    writer.finish()
    assert DecryptingReader(io.BytesIO(sealed.getvalue()), [parse_key(KEY)]).readall() == content
    cut = io.BytesIO(sealed.getvalue()[:-1])
    with pytest.raises(Permanent):
        DecryptingReader(cut, [parse_key(KEY)]).readall()


def test_chunks_in_another_order_are_refused() -> None:
    sealed = io.BytesIO()
    writer = EncryptingWriter(sealed, parse_key(KEY))
    writer.write(bytes(3 << 20))
    writer.finish()
    whole, chunk = sealed.getvalue(), (1 << 20) + 16
    start = len(whole) - 3 * chunk
    swapped = whole[:start] + whole[start + chunk : start + 2 * chunk] + whole[start : start + chunk]
    for forged in (swapped + whole[start + 2 * chunk :], whole[: start + 2 * chunk]):
        with pytest.raises(Permanent, match="changed or cut"):
            DecryptingReader(io.BytesIO(forged), [parse_key(KEY)]).readall()


@pytest.mark.parametrize("text", ["", "short", "ü", "a" * 50])
def test_what_is_no_key_is_refused_with_words(text: str) -> None:
    with pytest.raises(ConfigError, match="backup key"):
        parse_key(text)


def test_names_tell_when() -> None:
    assert made_at("signalbox-20261123T020000Z.tar.gz.enc") is not None
    for other in (
        "signalbox-yesterday.tar.gz",
        "other-20261123T020000Z.tar.gz",
        "signalbox-20261123T020000Z.tar",
    ):
        assert made_at(other) is None


def test_a_state_that_nobody_wrote_is_well() -> None:
    assert backup_state.judge({}, Clock()(), 8).status == "ok"


def test_the_manifest_beside_it_has_no_secret(site: Site) -> None:
    beside = sidecar(site.backups(key=SecretStr(KEY)).create()).read_text()
    assert KEY not in beside
    assert Manifest.model_validate_json(beside).archive_bytes > 0
