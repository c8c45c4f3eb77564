"""The model engine beside its raw parts: latency, batches, many tenants' adapters, memory, swaps.

    REJOINDER_DATA=<folder of data sets> python benchmarks/models.py [--quick] [--only SECTION ...] [--json OUT]

Every figure is a ratio within one run: raw calls and the service take turns text by text or batch by batch, so that a machine that changes
its speed changes both. Sections: `single` (one text: the raw call and through the service), `batched` (texts a second at one batch
size: the raw backend and through the service, which always has two batches' worth of requests), `mixed` (batches of 32 texts, each text
with one of 1, 10, 100 or 1,000 rank-8 LoRA adapters on all linear layers; peft's own mixed batches beside it), `memory` (1,000 tenants'
heads and 100 adapters in a fresh process, adapters drawn through the cache), `swaps` (200 times another head and adapter, in a fresh
process). With a GPU, `batched` and `mixed` run there too. Texts are banking77's test split, or made up where the data are missing.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import gc
import gzip
import json
import multiprocessing
import os
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import uvloop
from rejoinder.models.adapters.adapter import Adapter, base_hash, load_adapter, make_adapter, save_adapter
from rejoinder.models.adapters.cache import AdapterCache
from rejoinder.models.encoding.encoder import Encoder, load_encoder
from rejoinder.models.encoding.service import EncoderService
from rejoinder.models.tasks.text_classification import TextClassifier
from rejoinder.payloads import Example

SINGLE_RATIO, SINGLE_MORE_MS = 1.25, 0.5
BATCHED_SHARE = 0.85
MIXED_SHARE = 0.7
MEMORY_MB = 1500.0
SWAP_GROWTH = 0.03

BACKENDS = ("torch", "onnx", "onnx-int8")
BATCH = 32
RANK = 8


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    singles: int = 300
    batch_sizes: tuple[int, ...] = (1, 4, 16, 32)
    batched_texts: int = 192
    rounds: int = 5
    adapters: tuple[int, ...] = (1, 10, 100, 1000)
    mixed_batches: int = 3
    tenants: int = 1000
    memory_adapters: int = 100
    swaps: int = 200


QUICK = Size(
    singles=10,
    batch_sizes=(4,),
    batched_texts=8,
    rounds=1,
    adapters=(1, 4),
    mixed_batches=1,
    tenants=5,
    memory_adapters=3,
    swaps=6,
)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        section, name: what was measured.
        figures: by name; seconds and bytes have their unit in the name.
        wanted: what `got` should be, such as "<= 1.25"; "" where nothing is asked.
    """

    section: str
    name: str
    figures: dict[str, float]
    got: float | None = None
    wanted: str = ""

    @property
    def good(self) -> bool | None:
        """Whether it is as wanted; None where nothing is asked."""
        if self.got is None or not self.wanted:
            return None
        sign, _, limit = self.wanted.partition(" ")
        return self.got <= float(limit) if sign == "<=" else self.got >= float(limit)


def all_texts() -> list[str]:
    """Return banking77's test texts, or made-up ones of about their lengths; all different."""
    folder = os.environ.get("REJOINDER_DATA")
    if folder:
        with gzip.open(Path(folder) / "banking77" / "test.csv.gz", "rt", encoding="utf-8", newline="") as file:
            found = list(dict.fromkeys(row["text"] for row in csv.DictReader(file)))
    else:
        words = ("card", "money", "account", "transfer", "lost", "where", "when", "not", "my", "why", "fee", "balance")
        rng = random.Random(0)
        found = [f"{number} {' '.join(rng.choices(words, k=rng.randint(3, 30)))}" for number in range(3000)]
    random.Random(1).shuffle(found)
    return found


def made_adapter(encoder: Encoder, seed: int) -> Adapter:
    """Return a LoRA adapter of chance, of all linear layers."""
    rng = np.random.default_rng(seed)
    config = json.loads((encoder.folder / "config.json").read_text())
    dim, wide = config["hidden_size"], config["intermediate_size"]
    shapes = {f"attention.self.{one}": (dim, dim) for one in ("query", "key", "value")}
    shapes |= {"attention.output.dense": (dim, dim), "intermediate.dense": (dim, wide), "output.dense": (wide, dim)}
    arrays: dict[str, Any] = {}
    scaling: dict[str, float] = {}
    for layer in range(config["num_hidden_layers"]):
        for module, (inside, outside) in shapes.items():
            name = f"encoder.layer.{layer}.{module}"
            scaling[name] = 2.0
            arrays[f"base_model.model.{name}.lora_A.weight"] = rng.normal(0, 0.02, (RANK, inside)).astype(np.float32)
            arrays[f"base_model.model.{name}.lora_B.weight"] = rng.normal(0, 0.02, (outside, RANK)).astype(np.float32)
    settings = {
        "r": RANK,
        "lora_alpha": 2 * RANK,
        "use_rslora": False,
        "target_modules": sorted(scaling),
        "rank_pattern": {},
        "alpha_pattern": {},
        "scaling": scaling,
    }
    return make_adapter(method="lora", base_hash=base_hash(encoder.weights_sha256), arrays=arrays, settings=settings)


def made_head(encoder: Encoder, folder: Path) -> Path:
    """Fit a small tenant's classifier, of 10 labels with 10 examples each, and save it."""
    texts = all_texts()[:100]
    examples = [
        Example(id=str(number), task="intent", text=text, label=str(number % 10)) for number, text in enumerate(texts)
    ]
    head = TextClassifier()
    head.fit(examples, encoder.encode(texts), seed=0)
    head.save(folder)
    return folder


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds of a call by the clock, and of the process's CPU time."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def resident_mb() -> float:
    """Return the process's resident memory."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize() / 2**20


async def measure_single(encoder: Encoder, backend: str, texts: Sequence[str]) -> Row:
    """One text at a time, raw and through the service in turn."""
    service = EncoderService(encoder, cache_size=len(texts))
    await service.ready()
    raw, served = [], []
    for number, text in enumerate(texts):
        # The first to come finds the caches of the processor cold: each is first every other time.
        for kind in ("raw", "served") if number % 2 else ("served", "raw"):
            started = time.perf_counter()
            if kind == "raw":
                encoder.encode([text])
                raw.append((time.perf_counter() - started) * 1e3)
            else:
                await service.encode(text)
                served.append((time.perf_counter() - started) * 1e3)
    service.close()
    raw_ms, served_ms = statistics.median(raw), statistics.median(served)
    figures = {
        "raw_ms": raw_ms,
        "served_ms": served_ms,
        "more_us": statistics.median(b - a for a, b in zip(raw, served, strict=True)) * 1e3,
    }
    return Row("single", backend, figures, served_ms / (SINGLE_RATIO * raw_ms + SINGLE_MORE_MS), "<= 1")


async def measure_batched(encoder: Encoder, backend: str, texts: Sequence[str], size: int, rounds: int) -> Row:
    """Batches of one size, raw and through the service in turn."""
    raw_s, served_s, raw_cpu_s, served_cpu_s = [], [], [], []
    for _ in range(rounds):
        wall, cpu = timed(lambda: [encoder.encode(texts[start : start + size]) for start in range(0, len(texts), size)])
        raw_s.append(wall)
        raw_cpu_s.append(cpu)
        service = EncoderService(encoder, max_batch=size, cache_size=len(texts))
        await service.ready()
        started, cpu = time.perf_counter(), time.process_time()
        coming = iter(texts)
        await asyncio.gather(*(_ask_all(service, coming) for _ in range(2 * size)))
        served_s.append(time.perf_counter() - started)
        served_cpu_s.append(time.process_time() - cpu)
        service.close()
    share = statistics.median(raw / served for raw, served in zip(raw_s, served_s, strict=True))
    figures = {
        "raw_per_s": len(texts) / statistics.median(raw_s),
        "served_per_s": len(texts) / statistics.median(served_s),
        "raw_cpu_ms": statistics.median(raw_cpu_s) / len(texts) * 1e3,
        "served_cpu_ms": statistics.median(served_cpu_s) / len(texts) * 1e3,
    }
    return Row("batched", f"{backend}, {size}", figures, share, f">= {BATCHED_SHARE}")


async def _ask_all(service: EncoderService, coming: Iterator[str]) -> None:
    for text in coming:
        await service.encode(text)


def measure_mixed(encoder: Encoder, place: str, texts: Sequence[str], counts: Sequence[int], size: Size) -> list[Row]:
    """Batches of texts, each text with one of so many adapters; and without any."""
    adapters = [made_adapter(encoder, seed) for seed in range(max(counts))]
    rng = random.Random(0)
    batches = [texts[start : start + BATCH] for start in range(0, size.mixed_batches * BATCH, BATCH)]
    drawn: dict[str, list[list[Adapter | None]]] = {"none": [[None] * BATCH for _ in batches]}
    for count in counts:
        drawn[str(count)] = [[adapters[rng.randrange(count)] for _ in batch] for batch in batches]
    seconds: dict[str, list[float]] = {kind: [] for kind in drawn}
    cpu_seconds: dict[str, list[float]] = {kind: [] for kind in drawn}
    for turn in range(size.rounds + 1):
        for kind, rows in drawn.items():
            wall, cpu = timed(
                lambda rows=rows: [  # type: ignore[misc]
                    encoder.encode(batch, adapters=ones) for batch, ones in zip(batches, rows, strict=True)
                ]
            )
            if turn:  # the first warms up
                seconds[kind].append(wall)
                cpu_seconds[kind].append(cpu)
    one = str(counts[0])
    found = []
    for kind in drawn:
        share = statistics.median(a / b for a, b in zip(seconds[one], seconds[kind], strict=True))
        figures = {
            "per_s": len(batches) * BATCH / statistics.median(seconds[kind]),
            "cpu_ms": statistics.median(cpu_seconds[kind]) / len(batches) / BATCH * 1e3,
        }
        asked = f">= {MIXED_SHARE}" if kind not in ("none", one) else ""
        found.append(Row("mixed", f"{place}, adapters: {kind}", figures, share, asked))
    return found


def measure_peft(encoder: Encoder, texts: Sequence[str], count: int, size: Size) -> Row:
    """Peft's mixed batches (`adapter_names`), beside ours with the same adapters."""
    import torch
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
    from rejoinder.models.adapters.method import quiet_peft
    from rejoinder.models.encoding.source import find_source
    from rejoinder.models.encoding.tokens import Tokeniser
    from rejoinder.models.encoding.transformers_model import load_transformers_model

    adapters = [made_adapter(encoder, seed) for seed in range(count)]
    source = find_source(str(encoder.folder))
    config = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=adapters[0].settings["target_modules"])
    with quiet_peft():
        model: Any = get_peft_model(load_transformers_model(source), config, adapter_name="0")
    for number, adapter in enumerate(adapters):
        if number:
            model.add_adapter(str(number), config)
        given = {name: torch.from_numpy(array.copy()) for name, array in adapter.arrays.items()}
        set_peft_model_state_dict(model, given, adapter_name=str(number))
    model.eval()
    batch = sorted(texts[:BATCH], key=len)
    drawn = [random.Random(0).randrange(count) for _ in batch]
    tokeniser = Tokeniser(source)

    def peft() -> Any:
        tokens = tokeniser.batch(tokeniser.encodings(batch))
        with torch.inference_mode():
            return model(
                input_ids=torch.from_numpy(tokens.ids),
                attention_mask=torch.from_numpy(tokens.mask),
                adapter_names=[str(number) for number in drawn],
            ).last_hidden_state

    def ours() -> Any:
        return encoder.encode(batch, adapters=[adapters[number] for number in drawn])

    peft_s, ours_s = [], []
    for turn in range(size.rounds + 1):
        of_peft, of_ours = timed(peft)[0], timed(ours)[0]
        if turn:
            peft_s.append(of_peft)
            ours_s.append(of_ours)
    figures = {"per_s": BATCH / statistics.median(ours_s), "peft_per_s": BATCH / statistics.median(peft_s)}
    ratio = statistics.median(a / b for a, b in zip(peft_s, ours_s, strict=True))
    return Row("mixed", f"against peft, adapters: {count}", figures, ratio, ">= 1")


def measure_memory(size: Size) -> list[Row]:
    """Many tenants' heads and adapters in this process."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure_memory(Path(folder), size))


async def _measure_memory(folder: Path, size: Size) -> list[Row]:
    before_mb = resident_mb()
    encoder = load_encoder(backend="onnx-int8")
    head_folder = made_head(encoder, folder / "head")
    for number in range(size.memory_adapters):
        save_adapter(folder / str(number), made_adapter(encoder, number))
    texts = all_texts()[: size.memory_adapters]
    encoder.encode(texts[:1], adapters=[load_adapter(folder / "0")])
    encoder_mb = resident_mb()
    heads = [TextClassifier.load(head_folder) for _ in range(size.tenants)]
    heads_mb = resident_mb() - encoder_mb
    cache = AdapterCache(lambda key: load_adapter(folder / key), budget_bytes=1 << 30)
    service = EncoderService(encoder)
    keys = [str(number) for number in range(size.memory_adapters)]
    cache.prefetch(keys)

    async def ask(key: str, text: str, head: TextClassifier) -> None:
        async with cache.use(key) as adapter:
            vector = await service.encode(text, scope=key, adapter=adapter)
        head.predict_batch([text], vector[None])

    for _ in range(2):
        await asyncio.gather(*(ask(key, text, head) for key, text, head in zip(keys, texts, heads, strict=False)))
    whole_mb = resident_mb()
    adapters_mb = whole_mb - encoder_mb - heads_mb
    service.close()
    cache.close()
    figures = {
        "whole_mb": whole_mb,
        "libraries_mb": before_mb,
        "encoders_mb": encoder_mb - before_mb,
        "head_kb": heads_mb * 1024 / size.tenants,
        "adapter_kb": adapters_mb * 1024 / size.memory_adapters,
    }
    name = f"{size.tenants} heads, {size.memory_adapters} adapters"
    return [Row("memory", name, figures, whole_mb, f"<= {MEMORY_MB:.0f}")]


def measure_swaps(size: Size) -> list[Row]:
    """One tenant's head and adapter changed again and again in this process."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure_swaps(Path(folder), size))


async def _measure_swaps(folder: Path, size: Size) -> list[Row]:
    encoder = load_encoder(backend="onnx-int8")
    head_folder = made_head(encoder, folder / "head")
    versions = 8
    for number in range(versions):
        save_adapter(folder / str(number), made_adapter(encoder, number))
    cache = AdapterCache(lambda key: load_adapter(folder / key), budget_bytes=64 << 20)
    service = EncoderService(encoder, cache_size=64)
    texts = all_texts()
    first = load_adapter(folder / "0")
    for text in texts[
        : size.swaps
    ]:  # as in a server that has been serving: libraries keep memory for each length of text
        await service.encode(text, adapter=first)
    milliseconds, resident = [], []
    warm_up = max(2, size.swaps // 10)
    for number in range(warm_up + size.swaps):
        started = time.perf_counter()
        cache.forget(str((number - 1) % versions))
        head = await asyncio.to_thread(TextClassifier.load, head_folder)
        async with cache.use(str(number % versions)) as adapter:
            loaded = time.perf_counter()
            text = texts[number % len(texts)]
            head.predict_batch([text], (await service.encode(text, adapter=adapter))[None])
        if number >= warm_up:
            milliseconds.append((loaded - started) * 1e3)
            gc.collect()
            resident.append(resident_mb())
    service.close()
    cache.close()
    tenth = max(1, len(resident) // 10)
    first_mb, last_mb = statistics.median(resident[:tenth]), statistics.median(resident[-tenth:])
    return [
        Row(
            "swaps",
            f"{size.swaps} swaps of head and adapter",
            {
                "swap_ms_p50": statistics.median(milliseconds),
                "swap_ms_max": max(milliseconds),
                "first_mb": first_mb,
                "last_mb": last_mb,
            },
            last_mb / first_mb - 1,
            f"<= {SWAP_GROWTH}",
        )
    ]


def in_fresh_process(measure: Callable[[Size], list[Row]], size: Size) -> list[Row]:
    """Run a measurement where nothing else has touched the memory."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, size).result()


def measure_all(size: Size, only: Sequence[str], report: Callable[[Row], None]) -> None:
    """Measure section by section."""
    import torch

    texts = all_texts()
    places = [(backend, backend, "cpu") for backend in BACKENDS]
    if torch.cuda.is_available():
        places.append(("cuda", "torch", "cuda"))
    for name, backend, device in places if {"single", "batched", "mixed"} & set(only) else ():
        encoder = load_encoder(backend=backend, device=device)
        encoder.encode(texts[:BATCH])
        if "single" in only:
            report(uvloop.run(measure_single(encoder, name, texts[: size.singles])))
        if "batched" in only:
            for batch_size in size.batch_sizes:
                some = list(islice(texts, size.batched_texts * (1 if name != "cuda" else 4)))
                report(uvloop.run(measure_batched(encoder, name, some, batch_size, size.rounds)))
        if "mixed" in only and backend == "torch":
            for row in measure_mixed(encoder, name, texts, size.adapters, size):
                report(row)
            if name == "torch":
                report(measure_peft(encoder, texts, min(10, size.adapters[-1]), size))
    if "memory" in only:
        for row in in_fresh_process(measure_memory, size):
            report(row)
    if "swaps" in only:
        for row in in_fresh_process(measure_swaps, size):
            report(row)


def print_row(row: Row) -> None:
    """Print one line of the table."""
    figures = "  ".join(f"{name} {value:.4g}" for name, value in row.figures.items())
    got = "" if row.got is None else f"{row.got:.3f}"
    verdict = {True: "yes", False: "NO", None: ""}[row.good]
    print(f"{row.section:<9}{row.name:<32}{got:>9}  {row.wanted:<9}{verdict:<5}{figures}", flush=True)


SECTIONS = ("single", "batched", "mixed", "memory", "swaps")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--quick", action="store_true", help="a few seconds, to see that it runs; the figures mean nothing"
    )
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, help="sections to measure")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args(arguments)
    rows: list[Row] = []

    def report(row: Row) -> None:
        rows.append(row)
        print_row(row)

    print(f"{'section':<9}{'what':<32}{'got':>9}  {'wanted':<9}{'':<5}figures")
    measure_all(QUICK if options.quick else Size(), options.only, report)
    if options.json:
        found = [{**vars(row), "good": row.good} for row in rows]
        options.json.write_text(json.dumps({"quick": options.quick, "rows": found}, indent=2))


if __name__ == "__main__":
    main()
