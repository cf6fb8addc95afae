"""How well a method restores: protocols, metrics, what is scored, tables, contact sheets, provenance."""
