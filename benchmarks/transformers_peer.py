"""Runs in Transformers' own virtual environment: `python transformers_peer.py WEIGHTS SIZE`, texts as JSON
on the standard input; prints queries a second of its text-classification pipeline as JSON.
"""

import json
import os
import sys
import time

os.environ["HF_HUB_OFFLINE"] = "1"  # noqa: TID251  # read when it is imported

from transformers import (  # type: ignore[import-not-found]  # only in its own environment
    AutoTokenizer,
    BertForSequenceClassification,
    pipeline,
)

CATEGORIES = 11


def main(weights: str, size: int) -> None:
    texts = json.load(sys.stdin)
    model = BertForSequenceClassification.from_pretrained(weights, num_labels=CATEGORIES)
    classify = pipeline(
        "text-classification", model=model, tokenizer=AutoTokenizer.from_pretrained(weights), device="cpu"
    )
    classify(texts[:size], batch_size=size)
    started = time.perf_counter()
    classify(texts, batch_size=size)
    print(json.dumps({"per_second": len(texts) / (time.perf_counter() - started)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
