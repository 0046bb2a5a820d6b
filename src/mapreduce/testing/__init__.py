"""Helpers for testing a job without files, workers or a cluster.

`run` is for users' tests; `run_tsv` is the naive reference alone, with which every mode is compared.
"""

from mapreduce.testing.comparison import DifferentOutputError, run
from mapreduce.testing.reference import run_tsv

__all__ = ["DifferentOutputError", "run", "run_tsv"]
