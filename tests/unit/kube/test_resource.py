"""A resource becomes a job, or is refused with words that its author understands."""

import pytest

from mapreduce import words
from mapreduce.program import SideFile
from mapreduce.spec import MIB
from mapreduce_operator.core.events import SpecChanged
from mapreduce_operator.kube import resource
from mapreduce_operator.kube.errors import InvalidSpec
from mapreduce_operator.kube.fields import ConfigMapKey
from mapreduce_operator.kube.resource import AGENT_MEMORY
from tests.support.kube_objects import DEFAULTS, UID, body, parsed

VOLUME = {"persistentVolumeClaim": {"claimName": "texts"}}


def refused(files=None, **spec):
    with pytest.raises(InvalidSpec) as caught:
        resource.parse(body(**spec), files, DEFAULTS)
    return str(caught.value)


def test_a_job_with_the_fewest_fields_gets_the_defaults():
    job = parsed()
    spec = job.spec
    assert (spec.uid, spec.name, spec.namespace) == (UID, "wordcount", "team")
    assert (spec.reducers, spec.workers, spec.slots, spec.split_size) == (8, 2, 1, 0)
    assert (spec.inputs, spec.output) == (("in/*.txt",), "out")
    assert (spec.format, spec.encoding_errors, spec.max_record_bytes) == ("text", "strict", 64 * MIB)
    assert spec.skip_bad_records == 0
    assert (spec.output_format, spec.merge) == ("tsv", "sorted")
    assert (spec.overwrite, spec.output_compression, spec.shuffle_compression) == ("refuse", "none", "lz4")
    assert spec.order == "hash"
    assert (spec.limits.attempts_per_task, spec.limits.max_failed_tasks, spec.limits.active_deadline) == (4, 0, 0.0)
    assert spec.worker_image == "worker:1"
    assert spec.speculation
    assert spec.limits.pre_running_deadline == 300.0
    assert spec.program.file == "job.py"
    assert spec.program.source == b"import mapreduce as mr\n"


def test_every_field_reaches_the_job():
    spec = parsed(
        program={"inline": "x", "class": "Two"},
        image="mine:2",
        params={"min": "3"},
        input={
            "paths": ["a", "b"],
            "volume": VOLUME,
            "format": "WholeFile",
            "encodingErrors": "Bytes",
            "maxRecordBytes": "2Mi",
            "splitSize": "4Mi",
        },
        reducers=3,
        output={"path": "out", "volume": VOLUME, "format": "Jsonl", "merge": "None"}
        | {"overwrite": "Replace", "compression": "Zstd"},
        workers={"replicas": 5, "slots": 2},
        backoffLimitPerTask=0,
        maxFailedTasks=4,
        skipBadRecords=6,
        taskTimeoutSeconds=7,
        activeDeadlineSeconds=60,
        preRunningDeadlineSeconds=9,
        order="Total",
        shuffleCompression="Zstd",
        speculation={"enabled": False},
    ).spec
    assert not spec.speculation
    assert (spec.shuffle_compression, spec.order) == ("zstd", "total")
    assert spec.program.class_name == "Two"
    assert spec.worker_image == "mine:2"
    assert (spec.inputs, spec.encoding_errors, spec.split_size) == (("a", "b"), "bytes", 4 * MIB)
    assert (spec.params, spec.format, spec.max_record_bytes) == ({"min": "3"}, "wholefile", 2 * MIB)
    assert (spec.output_format, spec.merge) == ("jsonl", "none")
    assert (spec.overwrite, spec.output_compression) == ("replace", "zstd")
    assert (spec.limits.attempts_per_task, spec.limits.max_failed_tasks, spec.limits.active_deadline) == (1, 4, 60.0)
    assert spec.limits.task_timeout == 7.0
    assert spec.skip_bad_records == 6
    assert (spec.reducers, spec.workers, spec.slots) == (3, 5, 2)
    assert spec.limits.pre_running_deadline == 9.0


def test_two_claims_make_two_gateways_and_one_claim_or_a_config_map_make_one():
    output = {"path": "out", "volume": VOLUME}
    assert parsed().spec.separate_input
    assert not parsed(output=output).spec.separate_input
    assert not parsed(input={"paths": ["*"], "volume": {"configMap": {"name": "texts"}}}).spec.separate_input


def test_a_program_in_a_config_map_is_known_by_its_key():
    program = {"configMap": {"name": "code", "key": "count.py"}}
    assert resource.program_at(body(program=program)) == ConfigMapKey("code", "count.py")
    job = resource.parse(body(program=program), {"count.py": b"y = 1\n"}, DEFAULTS)
    assert (job.spec.program.file, job.spec.program.source) == ("count.py", b"y = 1\n")


def test_the_other_keys_of_a_program_s_config_map_are_its_side_files_in_the_order_of_their_names():
    program = {"configMap": {"name": "code", "key": "count.py"}}
    files = {"words.txt": b"a\n", "count.py": b"y = 1\n", "help.py": b""}
    job = resource.parse(body(program=program), files, DEFAULTS)
    assert job.spec.program.files == (SideFile("help.py", b""), SideFile("words.txt", b"a\n"))
    again = resource.parse(body(program=program), dict(reversed(files.items())), DEFAULTS)
    assert again.spec.program.digest == job.spec.program.digest


def test_a_program_may_be_a_module_of_the_image_with_its_class():
    for program in ({"module": "pkg.mod:Two"}, {"module": "pkg.mod", "class": "Two"}):
        made = parsed(program=program).spec.program
        assert (made.module, made.class_name, made.file, made.source) == ("pkg.mod", "Two", "", b"")


def test_what_may_change_of_a_job_is_read_from_the_resource_as_it_stands():
    assert resource.wanted(body()) == SpecChanged(workers=2, suspend=False, active_deadline=0.0)
    changed = body(workers={"replicas": 7}, suspend=True, activeDeadlineSeconds=30)
    assert resource.wanted(changed) == SpecChanged(workers=7, suspend=True, active_deadline=30.0)


def test_a_finished_job_expires_its_time_to_live_after_its_end():
    over = {"conditions": [{"type": "Failed", "status": "True"}], "completionTime": "2026-09-21T14:13:20Z"}
    assert resource.expires_at(body() | {"status": over}) is None
    assert resource.expires_at(body(ttlSecondsAfterFinished=60)) is None
    assert resource.expires_at(body(ttlSecondsAfterFinished=60) | {"status": over}) == 1_790_000_060.0


def test_the_image_that_a_job_began_with_outlasts_an_upgrade():
    begun = body(metadata={"annotations": {words.ANNOTATION_IMAGE: "worker:0"}})
    assert resource.parse(begun, None, DEFAULTS).spec.worker_image == "worker:0"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"program": {}}, "exactly one of program.inline, program.configMap and program.module"),
        ({"program": {"inline": "x", "module": "a"}}, "exactly one of program.inline"),
        ({"program": {"module": "a:B", "class": "C"}}, "the class must be given once"),
        ({"params": {"min": 3}}, "params"),
        ({"params": {f"p{number}": "x" * 4096 for number in range(17)}}, "at most 65536 characters together"),
        ({"input": {"paths": ["a"], "volume": VOLUME, "maxRecordBytes": "2Gi"}}, "from 1 to 1024Mi"),
        (
            {"input": {"paths": ["a"], "volume": VOLUME, "format": "Jsonl", "encodingErrors": "Bytes"}},
            "encodingErrors Bytes cannot be used with the format Jsonl",
        ),
        (
            {"input": {"paths": ["a"], "volume": VOLUME, "format": "Csv", "encodingErrors": "Bytes"}},
            "encodingErrors Bytes cannot be used with the format Csv",
        ),
        (
            {"output": {"path": "out", "volume": VOLUME, "format": "Parquet", "compression": "Zstd"}},
            "cannot be used with the format Parquet",
        ),
        ({"reducers": 0}, "reducers must be at least 1; leave it out for 8"),
        ({"workers": {"replicas": 0}}, ">= 1 - at `$.workers.replicas`"),
        ({"input": {"paths": [], "volume": VOLUME}}, "input.paths"),
        ({"input": {"paths": ["/etc"], "volume": VOLUME}}, "relative to the root of its volume"),
        ({"input": {"paths": ["a/../b"], "volume": VOLUME}}, "without '..'"),
        ({"input": {"paths": ["a"], "volume": {}}}, "input.volume: exactly one of"),
        (
            {"input": {"paths": ["a"], "volume": VOLUME, "splitSize": "many"}},
            "input.splitSize: 'many' is not a quantity",
        ),
        ({"input": {"paths": ["a"], "volume": VOLUME, "splitSize": 0}}, "at least 1"),
        ({"input": {"paths": ["a"], "volume": VOLUME, "encodingErrors": "Ignore"}}, "encodingErrors"),
        ({"output": {"path": "a", "volume": {"configMap": {"name": "a"}}}}, "output.volume.persistentVolumeClaim"),
        ({"output": None}, "output"),
        ({"input": {"paths": ["a"], "volume": VOLUME, "splitSize": "9999999999999999Gi"}}, "more than fits in 64 bits"),
        ({"workers": {"resources": {"limits": {"memory": "99999999E"}}}}, "more than fits in 64 bits"),
        ({"reducers": 10_001}, "reducers"),
        ({"workers": {"replicas": 2001}}, "replicas"),
        ({"workers": {"slots": 65}}, "slots"),
        ({"backoffLimitPerTask": 1 << 70}, "backoffLimitPerTask"),
        ({"activeDeadlineSeconds": 1 << 70}, "activeDeadlineSeconds"),
        ({"taskTimeoutSeconds": 0}, ">= 1 - at `$.taskTimeoutSeconds`"),
        ({"skipBadRecords": 1001}, "<= 1000 - at `$.skipBadRecords`"),
        ({"maxFailedTasks": -1}, ">= 0 - at `$.maxFailedTasks`"),
        ({"workers": {"labels": {"x.k8s.io/a": "b"}}}, "reserved"),
        ({"workers": {"annotations": {"io.kubernetes.cri-o.userns-mode": "auto"}}}, "reserved"),
        ({"workers": {"annotations": {"io.katacontainers.config.hypervisor.path": "x"}}}, "reserved"),
        ({"workers": {"annotations": {"units.crio.io": "x"}}}, "reserved"),
        ({"workers": {"env": [{"name": "MAPREDUCE_SLOTS", "value": "9"}]}}, "set by the operator"),
        ({"workers": {"resources": {"limits": {"memory": "100Mi"}}}}, "must be at least 320Mi for 1 slots"),
        (
            {"workers": {"resources": {"requests": {"cpu": 2}, "limits": {"cpu": 1}}}},
            "request of cpu is greater than its limit",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_field(spec, said):
    assert said in refused(**spec)


@pytest.mark.parametrize("spec", [None, 3, "text", []])
def test_an_object_of_another_shape_is_refused_and_raises_nothing_else(spec):
    broken = body() | {"spec": spec}
    with pytest.raises(InvalidSpec):
        resource.parse(broken, None, DEFAULTS)


def test_a_name_that_is_too_long_is_refused():
    with pytest.raises(InvalidSpec, match="more than 40 characters"):
        resource.parse(body("n" * 41), None, DEFAULTS)


def test_a_program_larger_than_a_config_map_is_refused():
    program = {"configMap": {"name": "code", "key": "count.py"}}
    for files in ({"count.py": b"x" * (1 << 20) + b"x"}, {"count.py": b"x", "data": b"x" * (1 << 20)}):
        assert "bytes, more than" in refused(files, program=program)


def test_slots_share_the_memory_that_the_agent_leaves():
    limits = {"limits": {"memory": "2Gi"}}
    job = parsed(workers={"slots": 4, "resources": limits})
    assert job.spec.limits.slot_memory == ((2 << 30) - AGENT_MEMORY) // 4


def test_a_default_limit_grows_with_the_slots_so_that_each_has_as_much():
    one, four = parsed(), parsed(workers={"slots": 4})
    assert four.spec.limits.slot_memory == one.spec.limits.slot_memory


def test_a_request_above_the_default_limit_lifts_it_and_a_limit_below_the_default_request_lowers_that():
    lifted = parsed(workers={"resources": {"requests": {"memory": "3Gi"}}})
    assert lifted.worker_resources.limits["memory"] == "3Gi"
    lowered = parsed(workers={"resources": {"limits": {"cpu": "10m"}}})
    assert lowered.worker_resources.requests["cpu"] == "10m"


def test_a_finished_job_is_known_by_its_condition_alone():
    running = body() | {"status": {"phase": "Failed", "conditions": [{"type": "Failed", "status": "False"}]}}
    over = body() | {"status": {"phase": "Mapping", "conditions": [{"type": "Complete", "status": "True"}]}}
    assert resource.finished(running) == ""
    assert resource.finished(over) == "Complete"


def test_a_job_that_any_operator_has_seen_may_have_been_begun():
    assert not resource.touched(body())
    assert resource.touched(body(metadata={"finalizers": ["mapreduce.dev/cleanup"]}))
    assert resource.touched(body() | {"status": {"phase": "Pending"}})
