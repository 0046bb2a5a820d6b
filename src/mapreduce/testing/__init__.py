"""Helpers for testing a job without files, workers or a cluster."""

from mapreduce.testing.reference import run, run_tsv

__all__ = ["run", "run_tsv"]
