"""Architectures, one a file, and their weight files. Start at `catalogue.create`."""
