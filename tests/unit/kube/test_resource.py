"""A resource becomes a job, or is refused with words that its author understands."""

import pytest

from mapreduce import words
from mapreduce.spec import MIB
from mapreduce_operator.kube import resource
from mapreduce_operator.kube.errors import InvalidSpec
from mapreduce_operator.kube.resource import AGENT_MEMORY, ConfigMapKey
from tests.support.kube_objects import DEFAULTS, UID, body, parsed

VOLUME = {"persistentVolumeClaim": {"claimName": "texts"}}


def refused(source=None, **spec):
    with pytest.raises(InvalidSpec) as caught:
        resource.parse(body(**spec), source, DEFAULTS)
    return str(caught.value)


def test_a_job_with_the_fewest_fields_gets_the_defaults():
    job = parsed()
    spec = job.spec
    assert (spec.uid, spec.name, spec.namespace) == (UID, "wordcount", "team")
    assert (spec.reducers, spec.workers, spec.slots, spec.split_size) == (8, 2, 1, 0)
    assert (spec.inputs, spec.output) == (("in/*.txt",), "out")
    assert spec.encoding_errors == "strict"
    assert spec.worker_image == "worker:1"
    assert spec.limits.pre_running_deadline == 300.0
    assert spec.program.file == "job.py"
    assert spec.program.source == b"import mapreduce as mr\n"


def test_every_field_reaches_the_job():
    spec = parsed(
        program={"inline": "x", "class": "Two"},
        image="mine:2",
        input={"paths": ["a", "b"], "volume": VOLUME, "encodingErrors": "Replace", "splitSize": "4Mi"},
        reducers=3,
        workers={"replicas": 5, "slots": 2},
        preRunningDeadlineSeconds=9,
    ).spec
    assert spec.program.class_name == "Two"
    assert spec.worker_image == "mine:2"
    assert (spec.inputs, spec.encoding_errors, spec.split_size) == (("a", "b"), "replace", 4 * MIB)
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
    job = resource.parse(body(program=program), b"y = 1\n", DEFAULTS)
    assert (job.spec.program.file, job.spec.program.source) == ("count.py", b"y = 1\n")


def test_the_image_that_a_job_began_with_outlasts_an_upgrade():
    begun = body(metadata={"annotations": {words.ANNOTATION_IMAGE: "worker:0"}})
    assert resource.parse(begun, None, DEFAULTS).spec.worker_image == "worker:0"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"program": {}}, "exactly one of program.inline and program.configMap"),
        ({"reducers": 0}, "reducers must be at least 1; leave it out for 8"),
        ({"workers": {"replicas": 0}}, "must be at least 1"),
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
        ({"workers": {"labels": {"x.k8s.io/a": "b"}}}, "reserved"),
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
    assert "bytes, more than" in refused(b"x" * (1 << 20) + b"x", program=program)


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
