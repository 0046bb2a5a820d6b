"""Where an object of the API is. Neighbours: `api.py`; every command names objects so."""

from __future__ import annotations

from mapreduce import words
from mapreduce_operator.kube.refs import Ref

__all__ = ["Ref", "job"]


def job(namespace: str, name: str = "") -> Ref:
    """Return where a job, or the list of a namespace's jobs, is."""
    return Ref(words.PLURAL, namespace, name)
