"""LIRA: experts, generative replay, and strategies for learning new damage without forgetting the old."""
