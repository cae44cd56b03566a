from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.plugin import (
    AlertGroup,
    Click,
    Command,
    Context,
    GaugeValue,
    Health,
    Message,
    Page,
    Plugin,
    Refused,
    Tick,
    Transient,
    action,
    command,
    on,
    schedule,
)
from ml.anomaly import StateError, Verdict
from ml.anomaly.groups import Anomaly, grouped
from ml.anomaly.words import reason
from plugins.anomaly_watch import figures, messages
from plugins.anomaly_watch.config import AnomalyWatchConfig, Watch
from plugins.anomaly_watch.labels import labels_of, series_name, text_of
from plugins.anomaly_watch.page import anomalies

if TYPE_CHECKING:
    from plugins.anomaly_watch.collector import Collected

EXCUSED = "not-an-anomaly"
MARK = "signalbox_anomaly"
"""The label by which the shipped rules mark alerts about anomalies."""
_TOLERANCE = 1.5
_REMEMBERED = 50
_FIRING = "firing:"


class AnomalyWatch(Plugin[AnomalyWatchConfig]):
    name = "anomaly-watch"
    page_title = "Anomalies"
    Config = AnomalyWatchConfig

    @schedule("config:cron")
    def collect(self, tick: Tick, ctx: Context) -> None:  # noqa: ARG002  # the book knows what is new
        """Score what is new. While Prometheus is away nothing is lost: the next look begins where this
        would have.
        """
        to_gateway = bool(ctx.settings.pushgateway.url)
        pushed: list[GaugeValue] = []
        for watch in self.config.watch:
            collected = self._collected(watch, ctx)
            figures.export(watch, self.config, collected)
            if to_gateway:
                pushed += figures.figures(watch, self.config, collected.latest)
            self._remember(watch, collected, ctx)
        pushed += self._together(ctx)
        if pushed and to_gateway:
            ctx.step("push", ctx.gateway.push, job="signalbox-anomalies", figures=tuple(pushed))

    def _collected(self, watch: Watch, ctx: Context) -> Collected:
        from plugins.anomaly_watch.collector import collect, remembered  # noqa: PLC0415  # workers only

        try:
            return collect(watch, self.config, ctx.metrics, _folder(ctx), ctx.now())
        except Transient as exc:
            ctx.log.warning("anomaly.metrics_away", watch=watch.name, error=str(exc))
            return remembered(watch, self.config, _folder(ctx), ctx.now())

    def _remember(self, watch: Watch, collected: Collected, ctx: Context) -> None:
        """Keep what fires, in words, for whoever asks why."""
        firing = {name: v for name, v in collected.latest.items() if v.firing}
        ranked = sorted(firing, key=lambda name: (firing[name].since, -firing[name].score))[:_REMEMBERED]
        rows = [_row(watch, name, firing[name], self.config.group_by) for name in ranked]
        ctx.documents.put(
            f"firing:{watch.name}", {"rows": rows, "series": len(collected.latest), "firing": len(firing)}
        )

    def _together(self, ctx: Context) -> list[GaugeValue]:
        """What the services' metrics say together, shown as a watch of its own."""
        from plugins.anomaly_watch import services  # noqa: PLC0415  # workers only

        pushed: list[GaugeValue] = []
        for service in self.config.services:
            try:
                found = services.judge(service, self.config, ctx.metrics, _folder(ctx), ctx.now())
            except Transient as exc:
                ctx.log.warning("anomaly.metrics_away", service=service.name, error=str(exc))
                continue
            if found is None:
                continue
            verdict, likely = found
            watch = Watch(name=f"all-of-{service.name}"[:40], query="joint")
            latest = {series_name({self.config.group_by: service.name}): verdict}
            figures.show(watch, self.config, latest)
            pushed += figures.figures(watch, self.config, latest)
            rows = (
                [_joint_row(watch, {self.config.group_by: service.name}, verdict, likely)]
                if verdict.firing
                else []
            )
            ctx.documents.put(f"firing:{watch.name}", {"rows": rows, "series": 1, "firing": len(rows)})
        return pushed

    @schedule("config:train_cron", queue="model")
    def learn(self, tick: Tick, ctx: Context) -> None:  # noqa: ARG002  # the clock says all
        from plugins.anomaly_watch import services  # noqa: PLC0415  # workers only

        for service in self.config.services:
            model = services.train(service, self.config, ctx.metrics, _folder(ctx), ctx.now())
            if model is None:
                ctx.log.warning("anomaly.too_little_history", service=service.name)
            else:
                ctx.log.info("anomaly.learnt", service=service.name, rows=model.rows)

    @on("alertmanager.group")
    def explain(self, group: AlertGroup, ctx: Context) -> None:
        """Say what lies behind an alert about an anomaly, in one message a service."""
        if group.common_labels.get(MARK) != "true":
            return
        service = group.common_labels.get("service", "")
        message = self._message(service, group, ctx)
        if message is None:
            return
        key = f"anomaly:{group.key}"
        ctx.step("explain", ctx.chat.upsert, channel=self.config.channel, key=key, message=message)

    def _message(self, service: str, group: AlertGroup, ctx: Context) -> Message | None:
        rows = self._of_service(service, ctx)
        if group.status == "resolved":
            return messages.over(service)
        return messages.explained(service, rows) if rows else None

    def _of_service(self, service: str, ctx: Context) -> list[dict[str, Any]]:
        """What fires in the service, the first group of anomalies first."""
        rows = [row for document in ctx.documents.having("firing:") for row in document.data["rows"]]
        known = {f"{row['watch']}|{row['series']}": row for row in rows if row["service"] == service}
        anomalies = [Anomaly(name, row["labels"], _verdict(row)) for name, row in known.items()]
        return [known[each.series] for part in grouped(anomalies, self.config.group_by) for each in part]

    @action("excuse", permission="anomaly.excuse")
    def excuse(self, click: Click, ctx: Context) -> None:
        """Somebody says it is not an anomaly: the series needs to be further off from now on."""
        watch = next((w for w in self.config.watch if w.name == click.args["watch"]), None)
        if watch is None:
            raise Refused(f"{click.args['watch']} is not watched any more; nothing needs to be adjusted.")
        series = str(click.args["series"])
        if not self._is_excused(series, ctx):
            self._adjust(watch, series, ctx)
            labels = {"watch": watch.name, "series": series, "by": click.user.id}
            ctx.records.append(EXCUSED, series, labels)
            ctx.audit("anomaly.excused", series, after=labels)
        ctx.reply("Noted. This series has to be half as far off again before it is told as an anomaly.")

    def _is_excused(self, series: str, ctx: Context) -> bool:
        """Whether this very press has been handled before."""
        return any(r.event_id == ctx.event.id for r in ctx.records.find(EXCUSED, subject=series))

    def _adjust(self, watch: Watch, series: str, ctx: Context) -> None:
        from ml.anomaly import book  # noqa: PLC0415  # workers only
        from plugins.anomaly_watch.collector import locked  # noqa: PLC0415

        with locked(_folder(ctx), watch) as file:
            kept = book.read(file)
            if series not in kept.names:
                raise Refused("The series is gone; nothing needs to be adjusted.")
            book.write(kept.excused(series, _TOLERANCE), file)

    @command("anomalies", help="Show what is watched for anomalies.")
    def show(self, command: Command, ctx: Context) -> None:  # noqa: ARG002  # nothing to choose
        looks = {doc.key.removeprefix(_FIRING): doc.data for doc in ctx.documents.having(_FIRING)}
        names = dict.fromkeys([*(watch.name for watch in self.config.watch), *looks])
        empty = {"series": 0, "firing": 0}
        found = [(name, looks.get(name, empty)) for name in names]
        ctx.reply(
            messages.watched([(name, int(look["series"]), int(look["firing"])) for name, look in found])
        )

    def page(self, ctx: Context) -> Page:
        return anomalies(self.config, EXCUSED, ctx, self.page_title)

    def health(self, ctx: Context) -> Health:
        from ml.anomaly import book  # noqa: PLC0415  # workers only

        for watch in self.config.watch:
            try:
                book.read(_folder(ctx) / f"{watch.name}.states")
            except StateError as exc:
                return Health(status="degraded", detail=str(exc))
            if self.config.engine == "spark" and (silent := _silence(_folder(ctx), watch)):
                return Health(status="degraded", detail=silent)
        return Health()


def _folder(ctx: Context) -> Path:
    return ctx.data_dir / "anomaly"


def _silence(folder: Path, watch: Watch) -> str:
    """What to do when the Spark engine says nothing about samples that are there."""
    from plugins.anomaly_watch import spark_engine  # noqa: PLC0415  # workers only

    if spark_engine.position(folder, watch).lag < spark_engine.SILENT_SECONDS:
        return ""
    landed, verdicts = folder / "landing" / watch.name, folder / "verdicts" / watch.name
    return (
        f"The Spark engine says nothing about new samples of {watch.name}. "
        f"Start it, or look into its log: python -m ml.anomaly.spark {landed} {verdicts}"
    )


def _row(watch: Watch, name: str, verdict: Verdict, group_by: str) -> dict[str, Any]:
    labels = labels_of(name)
    what = f"{watch.name} ({text_of(labels)})" if labels else watch.name
    return {
        "watch": watch.name,
        "series": name,
        "labels": labels,
        "service": labels.get(group_by, ""),
        "reason": reason(what, verdict, watch.unit),
        "since": verdict.since,
        "at": verdict.at,
        "score": verdict.score,
    }


def _joint_row(
    watch: Watch, labels: dict[str, str], verdict: Verdict, likely: Sequence[str]
) -> dict[str, Any]:
    [service] = labels.values()
    text = f"{service}: its metrics do not go together as usual; {likely[0]} most of all, then {likely[1]}"
    return {
        "watch": watch.name,
        "series": series_name(labels),
        "labels": labels,
        "service": service,
        "reason": text,
        "since": verdict.since,
        "at": verdict.at,
        "score": verdict.score,
    }


def _verdict(row: Mapping[str, Any]) -> Verdict:
    """As much of a verdict as grouping asks for."""
    nan = float("nan")
    return Verdict(
        row["at"], nan, True, row["score"], 0.0, nan, nan, nan, True, row["since"], "none", nan  # noqa: FBT003  # by position, as in the class
    )  # fmt: skip
