"""What to do about the reason of a failed or waiting job, where that can be said in general.

A job that `run` runs is changed by its options; one on a cluster by the fields of its resource, which
`submit PROGRAM` sets by the same options. Neighbours: `failures.py` and `cluster/explain.py` show them.
"""

from __future__ import annotations

from typing import Final

import msgspec


class Hint(msgspec.Struct, frozen=True):
    """One piece of advice in two spellings. run: empty for what only a cluster has.

    resource: empty where the message and `mapreduce describe` say it all.
    """

    run: str
    resource: str


def _both(text: str) -> Hint:
    return Hint(text, text)


HINTS: Final[dict[str, Hint]] = {
    "InvalidSpec": Hint("mend the options that the message names", "mend the fields that the message names"),
    "ProgramNotFound": Hint("", "create the ConfigMap, or name its key in spec.program.configMap.key"),
    "ProgramInvalid": Hint(
        "mapreduce validate PROGRAM looks at it without a job", "mapreduce validate looks at it too"
    ),
    "InputNotFound": Hint(
        "check the spelling, and quote wildcards; in folders, names that begin with . or _ are passed over",
        "check the spelling; spec.input.paths are relative to the root of the volume",
    ),
    "InputUnreadable": Hint(
        "check the permissions of the file", "check the permissions of the file: user 65532 reads it"
    ),
    "InputDamaged": _both("copy or make the file anew; gzip -t and zstd -t tell whether a compressed one is whole"),
    "InputChanged": _both("run again when nothing writes to the input"),
    "OutputExists": Hint(
        "choose another --output, or remove that one; --overwrite replaces only the output of a job",
        "choose another spec.output.path (--output), or replace it with spec.output.overwrite: Replace (--overwrite)",
    ),
    "OutputReserved": Hint(
        "wait for the other run, or choose another --output, in a folder that you may write to",
        "wait for the other job, or choose another spec.output.path (--output)",
    ),
    "PlanTooLarge": Hint("choose a larger --split-size", "choose a larger spec.input.splitSize (--split-size)"),
    "ClaimNotFound": Hint("", "create the claim: the job waits for it; kubectl get pvc lists those that exist"),
    "ConfigMapNotFound": Hint("", "create the ConfigMap: the job waits for it"),
    "ImageUnavailable": Hint("", "check spec.image, that the nodes reach its registry, and imagePullSecrets"),
    "Unschedulable": Hint("", "use fewer workers or smaller ones, or add nodes"),
    "QuotaExceeded": Hint("", "use fewer workers or smaller ones, or raise the quota: kubectl describe quota"),
    "PodRefused": Hint("", "the namespace's rules refuse the Pod: see kubectl describe on the job"),
    "ObjectRefused": Hint(
        "", "the message names the quota or rule: kubectl describe quota lists those of the namespace"
    ),
    "DeadlineExceeded": Hint(
        "", "raise spec.preRunningDeadlineSeconds or spec.activeDeadlineSeconds (--deadline), as the message says"
    ),
    "UserCodeFailed": Hint("--sequential runs it in one process, where print() and breakpoint() show what it does", ""),
    "UnsupportedKey": _both(
        "keys are str, bytes, bool, int, float or tuples of these, and in frames columns of such; "
        "docs/writing-jobs.md says what else a frame must hold"
    ),
    "MixedKeys": _both("keys of one type are wanted, for example str(key), or a column cast to pl.String"),
    "ValueNotEncodable": _both(
        "let map yield values of the types that docs/writing-jobs.md names, or bytes of your own"
    ),
    "RecordUndecodable": Hint(
        "--encoding-errors replace reads it with the bad bytes replaced; a parquet file is read with --format parquet",
        "spec.input.encodingErrors: Replace (--encoding-errors replace) reads it with the bad bytes replaced; a "
        "parquet file is read with spec.input.format: Parquet (--format parquet)",
    ),
    "RecordMalformed": Hint(
        "mend or remove that line; --skip-bad-records leaves out such lines and rows, not the line that names the "
        "columns; --format text gives lines as they are",
        "mend or remove that line; spec.skipBadRecords (--skip-bad-records) leaves out such lines and rows, not the "
        "line that names the columns; spec.input.format: Text (--format text) gives lines as they are",
    ),
    "RecordTooLong": Hint(
        "a larger --max-record allows it, if it fits into the memory of a slot",
        "a larger spec.input.maxRecordBytes (--max-record) allows it, if it fits into the memory of a slot",
    ),
    "TooManyBadRecords": Hint(
        "mend map or the input; a larger --skip-bad-records leaves more of them out",
        "mend map or the input; a larger spec.skipBadRecords (--skip-bad-records) leaves more of them out",
    ),
    "CombinerChangedKey": _both("let combine yield the key that it is given; another key belongs into map"),
    "SlotExited": _both("let the program raise an exception instead of ending its process (os._exit)"),
    "SlotKilled": _both(
        "look for a native library that crashes, as Polars may over a damaged parquet file; --sequential in a debugger "
        "shows where"
    ),
    "SlotDamaged": _both("let the program close only what it has opened (os.close, os.closerange, os.dup2)"),
    "SlotOverMemory": Hint(
        "let map or reduce keep less in memory, or use fewer --workers or --slots; map_batch gets smaller batches with "
        "a --split-size below 16MiB",
        "let map or reduce keep less in memory, or raise spec.workers.resources.limits.memory (--memory); map_batch "
        "gets smaller batches with a spec.input.splitSize (--split-size) below 16Mi",
    ),
    "NoProgress": Hint(
        "call self.progress() within long work, or raise --task-timeout",
        "call self.progress() within long work, or raise spec.taskTimeoutSeconds (--task-timeout)",
    ),
    "DisruptionLimit": Hint(
        "the history tells how the workers ended; does the program end their processes?",
        "see the Events and Pods in mapreduce describe; does the program end the processes that run it?",
    ),
    "SegmentUnreadable": Hint(
        "", "let the workers of a job reach each other; do network policies of the namespace forbid it?"
    ),
    "NonDeterministicMap": _both("let map yield the same pairs whenever it sees the same records"),
    "StorageFailed": Hint(
        "check that the disk has room and may be written to", "check that the volume has room and may be written to"
    ),
    "InternalError": Hint(
        "this is a defect of ours, not of the program", "this is a defect of ours; the operator's log has details"
    ),
}
"""By the words of `mapreduce.words.REASONS`."""

NO_END: Final = frozenset(
    {
        *("WorkerLost", "WorkerSilent", "SlotStuck", "NotStarted", "Preempted", "Cancelled"),
        *("WorkerExited", "WorkerKilled", "PodOutOfMemory", "PodEvicted", "PodPreempted", "PodRejected"),
        *("PodDeleted", "PodDisrupted", "NodeDrained", "NodeLost", "ContainerNotCreated"),
        *("Unready", "LeftOut", "BadRecordsSkipped", "NotNeeded", "Scaled", "Planned", "Running", "Succeeded"),
        *("Mapping", "Reducing", "Publishing", "Stalled"),
        *("Suspended", "Resumed", "JobEnded", "Speculative", "Early", "Skewed"),
    }
)
"""Reasons with which no job fails: of attempts that run again, of workers, and of what goes well."""


def of_run(reason: str) -> str:
    """Return what to do about a job that `mapreduce run` ran, or nothing."""
    return HINTS[reason].run if reason in HINTS else ""


def of_resource(reason: str) -> str:
    """Return what to do about a job on a cluster, or nothing."""
    return HINTS[reason].resource if reason in HINTS else ""
