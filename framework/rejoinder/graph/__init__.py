"""The knowledge graph: what the bot knows, per tenant, asked in Cypher."""
