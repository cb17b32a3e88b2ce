"""Studies and trials of a sweep; the only place that imports Optuna."""
