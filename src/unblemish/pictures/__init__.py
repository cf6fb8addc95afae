"""Picture files: reading, writing, tiles, colour, and runs over many of them. Knows no network."""
