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
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ml.anomaly.book import Book, Samples, Scored, from_bytes, scored, to_bytes
from ml.anomaly.ensemble import WARM_UP
from ml.anomaly.state import Array
from ml.anomaly.verdict import REASONS
from ml.spark import session

SAMPLE = "series string, at double, value double"
VERDICT = (
    "series string, at double, value double, score double, news double, expected double, lower double, "
    "upper double, firing boolean, since double, reason string, exhausted double"
)
_COLUMNS = tuple(column.split()[0] for column in VERDICT.split(", "))
_STATE = "book binary"
FILES = 200
"""Files of the landing zone that are scored at once, at most."""
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
        yield pd.DataFrame(_columns(heard, new.names), columns=_COLUMNS)


def _columns(heard: Sequence[Scored], names: Sequence[str]) -> dict[str, Array]:
    """What was said about the samples that counted, by `_COLUMNS`."""
    counted = [each.verdicts.counted for each in heard]
    made = {
        name: np.concatenate(
            [getattr(each.verdicts, name)[kept] for each, kept in zip(heard, counted, strict=True)]
        )
        for name in _COLUMNS[1:]
    }
    rows = np.concatenate([each.rows[kept] for each, kept in zip(heard, counted, strict=True)])
    return {**made, "series": np.array(names, object)[rows], "reason": np.array(REASONS)[made["reason"]]}


def verdicts(spark: Any, landing: Path, scorer: Scorer, *, files: int = FILES) -> Any:
    """The landing zone as a stream of verdicts."""
    from pyspark.sql import functions  # noqa: PLC0415
    from pyspark.sql.streaming.state import GroupStateTimeout  # noqa: PLC0415

    samples = spark.readStream.schema(SAMPLE).option("maxFilesPerTrigger", files).parquet(str(landing))
    bucket = functions.pmod(functions.hash("series"), functions.lit(BUCKETS))
    return (
        samples.withColumn("bucket", bucket)
        .groupBy("bucket")
        .applyInPandasWithState(scorer, VERDICT, _STATE, "append", GroupStateTimeout.NoTimeout)
    )


def stream(
    spark: Any, landing: Path, out: Path, scorer: Scorer, *, once: bool = False, files: int = FILES
) -> Any:
    """Start writing verdicts as Parquet into `out`; `once` ends when all that has landed is scored."""
    landing.mkdir(parents=True, exist_ok=True)
    writer = verdicts(spark, landing, scorer, files=files).writeStream.format("parquet").outputMode("append")
    writer = writer.option("checkpointLocation", str(out / "_checkpoint"))
    writer = writer.trigger(availableNow=True) if once else writer.trigger(processingTime="1 second")
    return writer.start(str(out))


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Those of the command line."""
    parser = argparse.ArgumentParser(prog="python -m ml.anomaly.spark", description=__doc__)
    parser.add_argument("landing", type=Path, help="folder of Parquet files that the collector writes")
    parser.add_argument("out", type=Path, help="folder for the verdicts")
    master = os.environ.get("SPARK_MASTER", "local[*]")  # noqa: TID251  # the same name as in the settings
    parser.add_argument("--master", default=master, help="spark.master; default: SPARK_MASTER, or local[*]")
    parser.add_argument("--counter", action="store_true", help="the values only grow: their rate is watched")
    parser.add_argument("--limit", type=float, default=math.nan, help="a value that must not be reached")
    parser.add_argument("--warm-up", type=int, default=WARM_UP, help="samples before anything is an anomaly")
    parser.add_argument("--once", action="store_true", help="score what has landed, and end")
    return parser.parse_args(argv)


def main() -> None:
    given = arguments()
    spark = session(given.master, "signalbox-anomalies", {"spark.sql.shuffle.partitions": "2"})
    scorer = Scorer(given.counter, given.limit, given.warm_up)
    stream(spark, given.landing, given.out, scorer, once=given.once).awaitTermination()


if __name__ == "__main__":
    main()
