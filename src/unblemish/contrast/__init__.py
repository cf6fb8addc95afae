"""Contrastive losses for any restorer: SPN of "Learning from History" (MCIR), and those it is compared with.

Start at `task.ContrastTask`, which wraps another Task; `catalogue.create` makes the loss that a recipe asks for.
"""
