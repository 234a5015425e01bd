"""Registers ``hydra/sweeper=optuna`` with Hydra, which imports this package at every start; see gan.search."""
