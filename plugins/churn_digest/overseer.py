"""Looks after the pipeline: starts its jobs by the clock, and tells people what broke and what to do."""

from __future__ import annotations

from bot.plugin import Code, ConfigurationItem, Context, Message, Note, Section, md
from ml.churn import seen, trouble
from ml.churn.trouble import Trouble
from plugins.churn_digest import findings, jobs, memory, metrics, quality, scored
from plugins.churn_digest.config import ChurnDigestConfig
from plugins.churn_digest.jobs import Job, Kind


class Overseer:
    def __init__(self, config: ChurnDigestConfig, ctx: Context) -> None:
        self._config = config
        self._ctx = ctx

    def start(self, kind: Kind) -> None:
        if self._config.run_jobs:
            jobs.start(kind, self._config.job_hours, self._ctx)

    def look(self) -> None:
        """Settle jobs that ended, tell of data that failed its checks and of a model that got worse: once."""
        for known in jobs.current(self._ctx):
            now = jobs.watched(known, self._config.job_hours, self._ctx)
            if now != known:
                self._tell_of(now)
                jobs.keep(now, self._ctx)
        self._look_at_data()
        self._look_at_commands()
        self._look_at_champion()

    def _look_at_commands(self) -> None:
        """Commands that somebody else's scheduler, or somebody, ran and that ended early: told once."""
        for found in trouble.standing(scored.folder(self._ctx)):
            key = f"{found.command}:{found.since.isoformat(timespec='seconds')}"
            if self._ctx.documents.get(f"told:trouble:{key}") is not None:
                continue
            self._ctx.log.warning("churn.command_stopped", command=found.command, words=found.words)
            self._tell(f"churn-trouble:{key}", _stopped(found))
            self._ctx.service_records.event(
                "exception", f"churn.{found.command}", f"Churn {found.command} stopped", key=key
            )
            self._ctx.documents.put(f"told:trouble:{key}", {"at": self._ctx.now().isoformat()})

    def _look_at_data(self) -> None:
        report = quality.newest_failure(scored.folder(self._ctx))
        if report is not None and self._ctx.documents.get(f"told:{report.key}") is None:
            self._tell(f"churn-quality:{report.key}", quality.message(report, scored.latest(self._ctx)))
            memory.note_once(self._ctx, "quality", report.key, {"checks": len(report.failures)})
            self._ctx.service_records.event(
                "exception",
                "churn.quality",
                f"Churn data of {report.as_of} failed its checks",
                key=report.key,
            )
            self._ctx.documents.put(f"told:{report.key}", {"at": self._ctx.now().isoformat()})

    def _look_at_champion(self) -> None:
        """Degradation and calibration train anew, where this plugin may; drift alone does not."""
        look = seen.newest(scored.folder(self._ctx))
        for kind, number in (findings.count(look) if look else {}).items():
            metrics.FINDINGS.labels(kind).set(number)
        if look is None or not findings.told(look):
            return
        key = findings.key(look)
        if self._ctx.documents.get(f"told:watch:{key}") is not None:
            return
        trains = self._config.run_jobs and findings.retrains(look)
        self._tell(f"churn-watch:{key}", findings.message(look, trains=trains))
        for finding in findings.told(look):
            self._ctx.service_records.event(
                "warning",
                f"churn.{finding.kind}",
                finding.words,
                items=(ConfigurationItem(type="model", name="churn", digest=look.model),),
                key=f"{key}:{finding.kind}:{finding.words}"[:200],
            )
        if trains:
            self.start("train")
        self._ctx.documents.put(f"told:watch:{key}", {"at": self._ctx.now().isoformat()})

    def _tell_of(self, ended: Job) -> None:
        """A job that went well needs no word, unless MLflow did not take it; a failed one says what to do."""
        failed = ended.state == "failed"
        unrecorded = "" if failed else jobs.line(ended, "MLflow")
        if unrecorded:
            self._tell(f"churn-mlflow:{ended.event_id}", _unrecorded(unrecorded))
        if failed:
            self._tell(f"churn-job:{ended.event_id}", _failure(ended))
        self._ctx.service_records.event(
            "exception" if failed else "informational",
            f"churn.{ended.kind}",
            f"Churn {ended.kind} {'failed' if failed else 'is done'}",
            key=f"{ended.kind}:{ended.event_id}",
        )

    def _tell(self, key: str, message: Message) -> None:
        self._ctx.step(
            f"tell-{key}", self._ctx.chat.upsert, channel=self._config.channel, key=key, message=message
        )


def _unrecorded(said: str) -> Message:
    title = "A churn model was trained, but MLflow knows nothing of it."
    text = md(":warning: *{}*\n{}\nThe model itself goes its way through gate and shadow.", title, said[:600])
    return Message(text=title, blocks=(Section(text=text),), severity="warning")


def _stopped(found: Trouble) -> Message:
    if found.command == "mlflow":
        return _unrecorded(found.words)
    command = f"signalbox churn {found.command}"
    title = f"{command} stopped; the last good scores and model stand."
    note = f"Since {found.since:%d %b %H:%M} UTC. Afterwards, run `{command}` again."
    text = md(":warning: *{}*\n{}", title, found.words[:1500])
    return Message(text=title, blocks=(Section(text=text), Note(parts=(note,))), severity="warning")


def _failure(ended: Job) -> Message:
    noun = {"score": "Scoring", "train": "Training"}[ended.kind]
    title = f"{noun} of churn risk failed; the last good scores stand."
    first, _, output = ended.detail.partition("\n")
    blocks = (
        Section(text=md(":warning: *{}*\n{}", title, first[:300])),
        *((Code(text=output),) if output.strip() else ()),
        Note(
            parts=(f"Run `signalbox churn {ended.kind}` by hand to see it; all output is in {ended.folder}.",)
        ),
    )
    return Message(text=title, blocks=blocks, severity="warning")
