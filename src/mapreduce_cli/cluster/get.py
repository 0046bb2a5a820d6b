"""`mapreduce get`: jobs in a table, as kubectl shows them."""

from __future__ import annotations

import time

import click

from mapreduce import words
from mapreduce_cli import terminal
from mapreduce_cli.cluster import jobs
from mapreduce_cli.cluster.commands import Asked, command
from mapreduce_cli.cluster.lookup import find_job
from mapreduce_cli.cluster.problems import Refused
from mapreduce_cli.cluster.refs import job


@command("get")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("-A", "--all-namespaces", is_flag=True, help="The jobs of all namespaces.")
def get(asked: Asked, names: tuple[str, ...], all_namespaces: bool) -> None:
    """List jobs, and how far they are.

    With --json one NAME gives the resource itself, anything else a list of them under "items".
    """
    if names and all_namespaces:
        raise Refused("a NAME and --all-namespaces do not go together", hint="name one namespace with -n")
    if names:
        found = [find_job(asked.api, asked.namespace, name) for name in names]
    else:
        found = asked.api.list_all(job("" if all_namespaces else asked.namespace))
        for each in found:
            each |= {"apiVersion": f"{words.GROUP}/{words.VERSION}", "kind": words.KIND}
    if asked.json:
        terminal.document(found[0] if len(names) == 1 else {"items": found})
    elif not found:
        terminal.note("No jobs found" + ("." if all_namespaces else f" in namespace {asked.namespace}."))
    elif all_namespaces:
        now = time.time()
        rows = [[str(each["metadata"]["namespace"]), *jobs.row(each, now)] for each in found]
        terminal.say(terminal.table(("NAMESPACE", *jobs.HEADER), rows))
    else:
        now = time.time()
        terminal.say(terminal.table(jobs.HEADER, [jobs.row(each, now) for each in found]))
