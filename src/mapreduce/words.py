"""Every word that people and programs outside read: labels, reasons, conditions. One meaning each."""

from __future__ import annotations

from typing import Final

INNERMOST_FIRST: Final = "(most recent call first):"
"""Ends the first line of a stack that a hanging or crashed process wrote down; a traceback goes the other way round."""

GROUP: Final = "mapreduce.dev"
VERSION: Final = "v1alpha1"
PLURAL: Final = "mapreducejobs"
KIND: Final = "MapReduceJob"
FINALIZER: Final = "mapreduce.dev/cleanup"
AUDIENCE: Final = "mapreduce.dev"
METRICS_PORT: Final = 9090
"""Where operator, workers and gateways serve /metrics; not where the probes are, which every Pod may reach."""

LABEL_JOB: Final = "mapreduce.dev/job"
"""The job's name, on everything that is made for it."""
LABEL_JOB_UID: Final = "mapreduce.dev/job-uid"
LABEL_ROLE: Final = "mapreduce.dev/role"
"""worker, or gateway."""
LABEL_INDEX: Final = "mapreduce.dev/index"
LABEL_INCARNATION: Final = "mapreduce.dev/incarnation"
LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGED_BY: Final = "mapreduce-operator"
MANAGED_BY_CLI: Final = "mapreduce-cli"
LABEL_NAME: Final = "app.kubernetes.io/name"

JOB_NAME_LIMIT: Final = 40
"""Characters of a job's name: the names of its Pods are longer, and have a limit of their own."""

ANNOTATION_START: Final = "mapreduce.dev/start"
"""On Pods: a word for this name that only an operator can make, by which it knows the Pods that operators made."""
ANNOTATION_IMAGE: Final = "mapreduce.dev/worker-image"
"""The worker image that the job began with: an upgrade of the operator must not change it."""
ANNOTATION_RERUN_OF: Final = "mapreduce.dev/rerun-of"
"""The name of the job that was run first, on one that runs it again."""

REASONS: Final[dict[str, str]] = {
    # why a job failed, or is waiting
    "InvalidSpec": "The resource asks for something that cannot be done.",
    "ProgramNotFound": "The ConfigMap that should hold the program, or its key, does not exist.",
    "ProgramInvalid": "The program cannot be loaded: syntax error, no job, or more than one job.",
    "InputNotFound": "No file matches the input's patterns.",
    "InputUnreadable": "An input file cannot be read.",
    "InputDamaged": "A compressed or parquet input file is damaged or cut short.",
    "InputChanged": "An input file changed while the job ran.",
    "OutputExists": "Something stands under the output's name already.",
    "OutputReserved": "Another job is writing to the same output.",
    "PlanTooLarge": "The plan has too many splits or segments; the message names a splitSize that fits.",
    "ClaimNotFound": "A claim that the job names does not exist.",
    "ConfigMapNotFound": "A ConfigMap that the job names as input does not exist.",
    "ImageUnavailable": "The image of a Pod cannot be pulled.",
    "Unschedulable": "No node can take a Pod of the job.",
    "QuotaExceeded": "A quota of the namespace forbids a Pod of the job.",
    "PodRefused": "The API server refused a Pod of the job.",
    "ObjectRefused": "The API server refused the job's finalizer, NetworkPolicy or a ConfigMap that is made for it.",
    "DeadlineExceeded": "The job did not begin to run, or did not end, within its deadline.",
    "UserCodeFailed": "The program raised an exception; `lastFailures` has its traceback.",
    "UnsupportedKey": "A key has a type or value that cannot be ordered.",
    "MixedKeys": "Keys of different types were emitted in one job.",
    "ValueNotEncodable": "A value cannot be carried from map to reduce.",
    "RecordUndecodable": "A record is not valid in the input's encoding.",
    "RecordMalformed": "A line of the input is not JSON, or a row is not CSV.",
    "RecordTooLong": "A record of the input is longer than maxRecordBytes.",
    "TooManyBadRecords": "More records are bad than skipBadRecords allows.",
    "CombinerChangedKey": "The combiner yielded another key than it was given.",
    "SlotExited": "The process that ran the program ended without a report.",
    "SlotKilled": "The process that ran the program was killed by a signal.",
    "SlotDamaged": "The program closed or overwrote what the process that runs it needs.",
    "SlotOverMemory": "The process that ran the program used more than its share of memory.",
    "SlotStuck": "The process that ran the program cannot be killed, so its worker is replaced.",
    "NoProgress": "The program made no progress for taskTimeoutSeconds.",
    "WorkerLost": "The worker that ran the attempt, or held its output, is gone.",
    "WorkerSilent": "The worker let its lease run out: its node or the network is gone, or it hangs.",
    "WorkerExited": "The worker's process ended by itself; the message has its exit code.",
    "WorkerKilled": "The worker's process was killed by a signal.",
    "PodOutOfMemory": "The kernel ended a whole Pod because its memory ran out; what ran in it is charged.",
    "PodEvicted": "The node ran short of memory, disk or process numbers, and evicted the Pod.",
    "PodPreempted": "A more important Pod needed the room.",
    "PodRejected": "The node to which the Pod was bound did not take it.",
    "PodDeleted": "Somebody deleted the Pod.",
    "PodDisrupted": "Kubernetes ended the Pod for a reason that the message tells.",
    "NodeDrained": "The Pod was evicted by request, as when its node is drained.",
    "NodeLost": "The Pod's node is gone, silent, shutting down, or tainted so that no Pod may stay.",
    "ContainerNotCreated": "The node cannot make the Pod's container; the message has the kubelet's words.",
    "NotStarted": "The worker never started the attempt.",
    "SegmentUnreadable": "Segments could not be read from the worker that holds them.",
    "DisruptionLimit": "One task was disrupted too often without any other finishing.",
    "NonDeterministicMap": "A map that ran again gave another output: its program is not deterministic.",
    "StorageFailed": "The gateway could not read or write the volume.",
    "Preempted": "A reduce that waited for maps made room for one of them.",
    "Early": "A reduce begins to gather what maps have made, though some maps still run.",
    "Speculative": "A task was much slower than the others of its phase, and got a second attempt on another worker.",
    "Skewed": "One partition has much more of what the maps made than the others: its reduce takes longer.",
    "Cancelled": "The master no longer needs the attempt.",
    "InternalError": "A defect of the operator or a gateway; the message has details.",
    "Stalled": "For 15 minutes no task has ended: the job waits for something, or its tasks are very large.",
    "Unready": "Not all workers have registered yet.",
    "LeftOut": "A task spent its budget, and the job goes on without it, as maxFailedTasks allows.",
    "BadRecordsSkipped": "Bad records are left out of the output, as skipBadRecords allows.",
    "NotNeeded": "The worker had nothing left to do, and was stopped.",
    # what goes well
    "Scaled": "The job has more, or fewer, workers than before.",
    "Planned": "The input is divided into splits.",
    "Running": "Tasks are running.",
    "Mapping": "The maps begin.",
    "Reducing": "Every map has succeeded, and the reduces follow.",
    "Publishing": "Every part is staged, and the output is being published.",
    "Succeeded": "The output is published.",
    "Suspended": "The user asked for a pause: no Pod of the job runs.",
    "Resumed": "The pause is over.",
    "JobEnded": "The job is over, and its workers are stopped.",
}
"""PascalCase words for conditions, Events and history, each with its sentence."""

REFUSALS: Final[dict[str, str]] = {
    # by the master
    "ProtocolVersion": "The worker speaks another version of the protocol.",
    "ProtocolError": "The request makes no sense.",
    "EngineVersion": "The worker's engine is not the one that the job was planned with.",
    "TokenRejected": "The token is not accepted.",
    "AuthenticationUnavailable": "Nobody can tell now whether the token is good.",
    "SessionUnknown": "The session is not known here, or over.",
    "JobUnknown": "The job is not run here now.",
    "JobEnded": "The job is over.",
    "NotWanted": "The worker was given up, or never was of this job.",
    "Superseded": "A newer request of the session took this one's place.",
    "EpochOld": "A newer master runs the job.",
    "Unavailable": "The job cannot answer now.",
    "InternalError": "A defect of the master; its log has details.",
    # by who holds data
    "TicketMissing": "The request shows no ticket.",
    "TicketRefused": "The ticket does not open what was asked for.",
    "NotFound": "What was asked for is not held here.",
}
"""PascalCase words for the `Refusal` of a request, each with its sentence."""

CONDITIONS: Final[dict[str, str]] = {
    "Complete": "The output is published.",
    "Failed": "The job will not produce output.",
    "WorkersReady": "All workers that the job asked for are registered.",
    "Suspended": "The user asked for a pause: no Pod of the job runs.",
}

PHASES: Final = ("Pending", "Planning", "Mapping", "Reducing", "Publishing", "Succeeded", "Failed", "Suspended")
