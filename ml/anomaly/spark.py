"""The Spark engine: the same detectors in Structured Streaming, with arbitrary state, checkpointed.

Series are spread over buckets; a bucket's state is the book of its series, so that they are scored side by
side.

The landing zone's Parquet files are the stream. A driver or executor that dies resumes from the checkpoint;
the file sink commits a batch's verdicts with its states, so that no sample is scored twice and none is
skipped.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ml.anomaly.book import Book, Samples, from_bytes, scored, to_bytes
from ml.anomaly.ensemble import WARM_UP
from ml.spark import session

SAMPLE = "series string, at double, value double"
VERDICT = (
    "series string, at double, value double, score double, news double, expected double, lower double, "
    "upper double, firing boolean, since double, reason string, exhausted double"
)
_COLUMNS = tuple(column.split()[0] for column in VERDICT.split(", "))
_STATE = "book binary"
BUCKETS = 32
"""Parts that are scored independently; more let more cores work, fewer score more series at once."""


@dataclass(frozen=True)
class Scorer:
    """What an executor does with the new samples of a bucket of series."""

    counter: bool = False
    limit: float = float("nan")
    warm_up: int = WARM_UP

    def __call__(self, key: tuple[int], batches: Iterator[Any], group: Any) -> Iterator[Any]:  # noqa: ARG002  # as Spark calls it
        """`batches`: data frames of `SAMPLE`, in any order; yields data frames of `VERDICT`."""
        import pandas as pd  # noqa: PLC0415  # executors have it

        frame = pd.concat(list(batches)).sort_values("at", kind="stable")
        kept = from_bytes(bytes(group.get[0])) if group.exists else Book()
        book = replace(kept, counter=self.counter, limit=self.limit, warm_up=self.warm_up)
        samples = {
            name: Samples(part["at"].to_numpy(), part["value"].to_numpy())
            for name, part in frame.groupby("series", sort=True)
        }
        new, heard = scored(book, samples)
        group.update((to_bytes(new),))
        said = [pair for each in heard for pair in each.each(new.names) if pair[1].counted]
        rows = [[name, *(getattr(verdict, column) for column in _COLUMNS[1:])] for name, verdict in said]
        yield pd.DataFrame(rows, columns=_COLUMNS)


def verdicts(spark: Any, landing: Path, scorer: Scorer) -> Any:
    """The landing zone as a stream of verdicts."""
    from pyspark.sql import functions  # noqa: PLC0415
    from pyspark.sql.streaming.state import GroupStateTimeout  # noqa: PLC0415

    samples = spark.readStream.schema(SAMPLE).option("maxFilesPerTrigger", 200).parquet(str(landing))
    bucket = functions.pmod(functions.hash("series"), functions.lit(BUCKETS))
    return (
        samples.withColumn("bucket", bucket)
        .groupBy("bucket")
        .applyInPandasWithState(scorer, VERDICT, _STATE, "append", GroupStateTimeout.NoTimeout)
    )


def stream(spark: Any, landing: Path, out: Path, scorer: Scorer, *, once: bool = False) -> Any:
    """Start writing verdicts as Parquet into `out`; `once` ends when all that has landed is scored."""
    landing.mkdir(parents=True, exist_ok=True)
    writer = verdicts(spark, landing, scorer).writeStream.format("parquet").outputMode("append")
    writer = writer.option("checkpointLocation", str(out / "_checkpoint"))
    writer = writer.trigger(availableNow=True) if once else writer.trigger(processingTime="1 second")
    return writer.start(str(out))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m ml.anomaly.spark", description=__doc__)
    parser.add_argument("landing", type=Path, help="folder of Parquet files that the collector writes")
    parser.add_argument("out", type=Path, help="folder for the verdicts")
    parser.add_argument("--master", default="local[*]", help="spark.master")
    parser.add_argument("--counter", action="store_true", help="the values only grow: their rate is watched")
    parser.add_argument("--limit", type=float, default=math.nan, help="a value that must not be reached")
    parser.add_argument("--warm-up", type=int, default=WARM_UP, help="samples before anything is an anomaly")
    parser.add_argument("--once", action="store_true", help="score what has landed, and end")
    given = parser.parse_args()
    spark = session(given.master, "signalbox-anomalies", {"spark.sql.shuffle.partitions": "2"})
    scorer = Scorer(given.counter, given.limit, given.warm_up)
    stream(spark, given.landing, given.out, scorer, once=given.once).awaitTermination()


if __name__ == "__main__":
    main()
