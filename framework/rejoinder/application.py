"""Everything of one process put together: what the server, the command line and the workers open, use and close."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from rejoinder.context import Clock, Deployment, utc_now
from rejoinder.conversation import Conversations, Limits
from rejoinder.documents.tenant_documents import DocumentIndexes
from rejoinder.graph.tenant_graph import TenantGraphs
from rejoinder.handoff.desk import HandOffDesk
from rejoinder.handoff.lobby import Lobby
from rejoinder.host import Host
from rejoinder.host.deployment import load_host
from rejoinder.items.item_mirror import ItemMirror
from rejoinder.items.tenant_items import Catalogues
from rejoinder.learning.feedback import FeedbackDesk
from rejoinder.learning.live import LiveModels
from rejoinder.learning.triggers import Triggers
from rejoinder.learning.versions import open_registry
from rejoinder.metrics import Metrics
from rejoinder.models.encoding.encoder import load_encoder
from rejoinder.models.encoding.service import EncoderService
from rejoinder.privacy.erasure import Eraser
from rejoinder.privacy.sensitive_slots import SensitiveSlots
from rejoinder.settings import DeploymentSettings, LoadedSettings
from rejoinder.store.database import Database
from rejoinder.tenants.service import Tenants


@dataclass(slots=True)
class Application:
    """The parts of one process, started.

    Attributes:
        models: every tenant's live models, loaded when first asked for.
        feedback: takes feedback, and learns from it before it is acknowledged.
        hand_offs: the help desks, where people answer for the bot.
        triggers: start adaptation runs.
        eraser: erases what is stored of users, and what models learned of it.
        metrics: what this process tells Prometheus.
        item_mirror: keeps tenants' items in their graphs.
    """

    settings: DeploymentSettings
    database: Database
    host: Host
    tenants: Tenants
    encoder: EncoderService
    models: LiveModels
    conversations: Conversations
    feedback: FeedbackDesk
    hand_offs: HandOffDesk
    triggers: Triggers
    eraser: Eraser
    metrics: Metrics
    item_mirror: ItemMirror
    clock: Clock = utc_now

    @classmethod
    @asynccontextmanager
    async def open(cls, loaded: LoadedSettings, *, clock: Clock = utc_now) -> AsyncIterator[Application]:
        """Open the store (migrating it), load the plugins and start them; close everything at the end.

        Raises:
            StoreUnavailableError: the store cannot be reached.
            PluginError: an installed plugin does not fit; `rejoinder plugins` tells more.
            SettingsError: a deployment's or tenant's setting is wrong.
        """
        settings = loaded.settings
        host = load_host(settings)
        deployment = Deployment(
            domains=host.domains,
            data_dir=str(settings.data_dir),
            tasks=host.tasks,
            clock=clock,
            api_hosts=settings.security.api_hosts,
        )
        encoder = EncoderService(
            partial(load_encoder, settings.encoder.name, threads=settings.encoder.threads, **settings.encoder.loading),
            max_batch=settings.encoder.max_batch,
            max_queue=settings.encoder.max_queue,
            cache_size=settings.encoder.cache_size,
        )
        database = await Database.open(settings.store_url, synchronous=settings.store.synchronous)
        try:
            await database.migrate()
            tenants = Tenants(database, host, loaded, clock=clock)
            graphs = TenantGraphs(settings, host, encoder)
            documents = DocumentIndexes(database, encoder)
            catalogues = Catalogues(database, encoder)
            registry = open_registry(database, settings)
            metrics = Metrics(host, encoder)
            models = LiveModels(
                database,
                host,
                encoder,
                tenants,
                registry=registry,
                gate=settings.gate,
                seed=settings.learning.seed,
                hold_back_every=settings.learning.hold_back_every,
                adapter_bytes=settings.models.adapter_mb << 20,
                graphs=graphs,
                documents=documents,
                items=catalogues,
                clock=clock,
            )
            triggers = Triggers(database, host, tenants, settings, clock=clock)
            conversations = Conversations(
                database,
                host,
                models.request_for,
                SensitiveSlots(database, host, tenants.vault, ttl_s=settings.security.slot_ttl_s, clock=clock),
                Lobby(database, host, tenants.vault, clock=clock),
                limits=Limits(
                    max_text_chars=settings.server.max_text_chars, turn_deadline_s=settings.server.turn_deadline_s
                ),
                clock=clock,
                on_turn=metrics.turn,
            )
            feedback = FeedbackDesk(
                database,
                host,
                models,
                triggers=triggers,
                settings=settings.learning,
                clock=clock,
                on_feedback=metrics.feedback,
                on_thumb=conversations.judged,
            )
            app = cls(
                settings=settings,
                database=database,
                host=host,
                tenants=tenants,
                encoder=encoder,
                models=models,
                conversations=conversations,
                feedback=feedback,
                hand_offs=HandOffDesk(
                    database, host, conversations, models, feedback, tenants, tenants.vault, clock=clock
                ),
                triggers=triggers,
                eraser=Eraser(database, host, tenants, registry, settings, models=models, clock=clock),
                metrics=metrics,
                item_mirror=ItemMirror(database),
                clock=clock,
            )
            models.on_erasure += [app.conversations.forget, catalogues.forget]
            await host.start(deployment)
            try:
                yield app
            finally:
                await triggers.close()
                await app.eraser.close()
                await app.item_mirror.close()
                await models.close()
                await host.stop(deployment)
                graphs.close()
                documents.close()
                catalogues.close()
        finally:
            await database.close()
            await asyncio.to_thread(encoder.close)
            host.close()
