"""Helpers for testing a job without files, workers or a cluster.

`run` (the output) and `outcome` (its counters too) are for users' tests; `run_tsv` is the naive reference
alone, with which every mode is compared.
"""

from mapreduce.testing.comparison import DifferentOutputError, outcome, run
from mapreduce.testing.reference import Outcome, run_tsv

__all__ = ["DifferentOutputError", "Outcome", "outcome", "run", "run_tsv"]
