"""Which degradations should share a network: the grouping search of GRIDS. Start at `search.search`."""
