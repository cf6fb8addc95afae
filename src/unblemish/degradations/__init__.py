"""Damage operators on batches of pictures, one family a file; `catalogue` lists them, `blends` joins them."""
