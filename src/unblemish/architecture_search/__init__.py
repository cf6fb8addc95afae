"""CLEARER: a differentiable search for multi-scale architectures (Gou et al., NeurIPS 2020)."""
