"""Names that the two servers give to what is a tenant's."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from rejoinder.graph.addresses import Address
from rejoinder.graph.connection import Connection
from rejoinder.graph.dialects.arcadedb import ArcadeDialect
from rejoinder.graph.dialects.neo4j import Neo4jDialect
from rejoinder.graph.space import Space
from rejoinder.graph.tenant_keys import key_of

NOWHERE = Connection(lambda: Address("bolt://127.0.0.1:1", "neo4j", ""))
_TENANTS = st.text(alphabet="aA_-h0 4é", min_size=1, max_size=60)


@given(_TENANTS, _TENANTS)
def test_databases_of_neo4j_are_as_it_wants_them_and_each_tenants_own(one: str, other: str) -> None:
    names = [Neo4jDialect(NOWHERE, shared=False).database_of(key_of(tenant)) for tenant in (one, other)]
    assert all(re.fullmatch(r"[a-z][a-z0-9.-]{2,62}", str(name)) for name in names)
    assert (names[0] == names[1]) == (one == other)


def test_tenants_that_share_a_database_have_labels_of_their_own() -> None:
    dialect = Neo4jDialect(NOWHERE, shared=True, database="films")
    one, other = Space("acme", NOWHERE, dialect), Space("Acme", NOWHERE, dialect)
    assert dialect.database_of(one.key) == dialect.database_of(other.key) == "films"
    assert not {one.entity, one.name, one.audit, one.vector("x")} & {
        other.entity,
        other.name,
        other.audit,
        other.vector("x"),
    }


def test_tenants_with_databases_of_their_own_have_plain_labels() -> None:
    space = Space("Acme", NOWHERE, ArcadeDialect(NOWHERE))
    assert (space.entity, space.name, space.shared) == ("Entity", "Name", False)


@given(_TENANTS, _TENANTS)
def test_no_tenants_vectors_are_anothers(one: str, other: str) -> None:
    dialect = Neo4jDialect(NOWHERE, shared=True)
    label = Space(one, NOWHERE, dialect).vector("encoder")
    assert Space(other, NOWHERE, dialect)._owns(label) == (one == other)
