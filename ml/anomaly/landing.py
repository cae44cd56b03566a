"""The landing zone: samples as Parquet files, which the Spark engine reads as a stream.

A file appears whole or not at all; names begin with the time, so that they are read in order.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ml.anomaly.book import Samples


def write(folder: Path, samples: Mapping[str, Samples]) -> Path | None:
    """One file of `series` (string), `at` (seconds since 1970, double), `value` (double); None for none."""
    import pyarrow as pa  # noqa: PLC0415  # in the train extra
    from pyarrow import parquet  # noqa: PLC0415

    given = {name: each for name, each in samples.items() if len(each.at)}
    if not given:
        return None
    names = [name for name, each in given.items() for _ in range(len(each.at))]
    table = pa.table(
        {
            "series": pa.array(names, pa.string()),
            "at": np.concatenate([each.at for each in given.values()]),
            "value": np.concatenate([each.values for each in given.values()]),
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time.time_ns():020d}.parquet"
    # Spark does not read names that begin with a dot.
    hidden = path.with_name(f".{path.name}")
    parquet.write_table(table, hidden)
    return hidden.replace(path)
