"""A process that upserts the same entities and relations as others at the same time: `URL|-  FOLDER  TENANT  THREADS  KEYS`."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rejoinder.graph.batches import RelationBatches
from rejoinder.graph.graphs import Graphs
from rejoinder.graph.space import Space
from rejoinder.graph.values import Relation
from rejoinder.settings import DeploymentSettings, GraphSettings, SecretUrl

BATCH = 20


def merge(space: Space, writer: str, keys: int) -> None:
    """Upsert entities, in batches whose order differs by writer, count each write, and connect each entity with the next."""
    beside = RelationBatches(space, "beside")
    numbers = list(range(keys))
    if sum(writer.encode()) % 2:
        numbers.reverse()
    for start in range(0, keys, BATCH):
        rows = [{"id": f"e{number}", "next": f"e{(number + 1) % keys}"} for number in numbers[start : start + BATCH]]
        space.write(
            f"UNWIND $rows AS row MERGE (a:{space.entity} {{id: row.id}}) "
            "SET a.writes = coalesce(a.writes, 0) + 1, a.name = row.id RETURN count(*) AS n",
            rows=rows,
        )
        space.write(
            f"UNWIND $rows AS row MERGE (b:{space.entity} {{id: row.next}}) RETURN count(*) AS n",
            rows=rows,
        )
        pairs = [(row["id"], row["next"]) for row in rows]
        beside.settle({pair: Relation(subject=pair[0], name="beside", object=pair[1]) for pair in pairs})


def merge_in_threads(space: Space, process: str, threads: int, keys: int) -> None:
    """Have several threads do the same; raises what any of them raises."""
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(merge, space, f"{process}{number}", keys) for number in range(threads)]:
            done.result()


def main() -> None:
    """Do so as this process is told."""
    url, folder, tenant, threads, keys = sys.argv[1:]
    graph = GraphSettings() if url == "-" else GraphSettings(url=SecretUrl(url))
    graphs = Graphs.from_settings(DeploymentSettings(data_dir=Path(folder), graph=graph))
    merge_in_threads(graphs.space(tenant), "child", int(threads), int(keys))
    graphs.close()


if __name__ == "__main__":
    main()
