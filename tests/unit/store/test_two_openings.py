"""One file, opened twice in one process and once in another."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from rejoinder.store.database import Database
from rejoinder.store.tenants import create_tenant, list_tenants


async def test_a_second_opening_leaves_the_first_ones_locks(database: Database, url: str):
    """Closing a file drops a process's POSIX locks on it: the last of the others then removed the write-ahead log in use."""
    await (await Database.open(url)).close()
    code = (
        "import asyncio, sys\nfrom rejoinder.store.database import Database\n"
        "async def main():\n    await (await Database.open(sys.argv[1])).close()\nasyncio.run(main())\n"
    )
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code, url], check=True)

    await create_tenant(database, "later", name="Later")

    again = await Database.open(url)
    assert [tenant.id for tenant in await list_tenants(again)] == ["acme", "later"]
    await again.close()
