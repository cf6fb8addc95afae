"""Training: recipe, clean pictures and task become weights. Start at `run.train`; the loop is `fit.fit`."""
