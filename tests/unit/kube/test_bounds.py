"""Numbers of the resource: what the schema refuses, and fills in, the operator refuses and fills in too."""

from pathlib import Path

import msgspec
import yaml

from mapreduce.spec import JobSpec
from mapreduce.words import JOB_NAME_LIMIT
from mapreduce_operator.kube import fields, quantity
from tests.support.kube_objects import parsed

CRD = Path(__file__).resolve().parents[3] / "crds/mapreducejobs.yaml"


def schema_of_the_spec():
    crd = yaml.safe_load(CRD.read_text())
    return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]


def bounds_of_schema(schema, path=()):
    """Yield the path of every integer, with the least and the most that it may be."""
    if schema.get("type") == "integer":
        yield ".".join(path), schema.get("minimum"), schema.get("maximum")
    for name, inner in schema.get("properties", {}).items():
        yield from bounds_of_schema(inner, (*path, name))
    if "items" in schema:
        yield from bounds_of_schema(schema["items"], (*path, "[]"))


def bounds_of_type(info, path=()):
    """Yield the same of a type; an amount that may be text too is no integer."""
    match info:
        case msgspec.inspect.IntType():
            yield ".".join(path), info.ge, info.le
        case msgspec.inspect.StructType():
            for field in info.fields:
                yield from bounds_of_type(field.type, (*path, field.encode_name))
        case msgspec.inspect.ListType():
            yield from bounds_of_type(info.item_type, (*path, "[]"))
        case msgspec.inspect.UnionType() if not any(isinstance(part, msgspec.inspect.StrType) for part in info.types):
            for part in info.types:
                yield from bounds_of_type(part, path)


def test_every_number_has_the_bounds_of_the_schema():
    told = sorted(bounds_of_schema(schema_of_the_spec()), key=str)
    obeyed = sorted(bounds_of_type(msgspec.inspect.type_info(fields.Spec)), key=str)
    assert obeyed == told
    assert ("taskTimeoutSeconds", 1, 604_800) in obeyed


def defaults_of_schema(schema, path=()):
    """Yield the path of every number and quantity that has a default, with it."""
    if "default" in schema and (schema.get("type") == "integer" or schema.get("x-kubernetes-int-or-string")):
        yield ".".join(path), quantity.whole(schema["default"], "default")
    for name, inner in schema.get("properties", {}).items():
        yield from defaults_of_schema(inner, (*path, name))


def defaults_of_type(kind, path=()):
    """Yield the same of a type."""
    for field in msgspec.structs.fields(kind):
        inner = (*path, field.encode_name)
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from defaults_of_type(field.type, inner)
        elif isinstance(field.default, int) and not isinstance(field.default, bool):
            yield ".".join(inner), field.default


def test_the_default_of_every_number_is_that_of_the_schema():
    told = dict(defaults_of_schema(schema_of_the_spec()))
    assert dict(defaults_of_type(fields.Spec)) == told
    assert told["reducers"] == 8


def test_a_resource_with_the_fewest_fields_is_the_job_that_the_contract_describes():
    made = parsed().spec
    plain = JobSpec(uid=made.uid, name=made.name, program=made.program, inputs=made.inputs, output=made.output)
    for name in ("reducers", "workers", "slots", "split_size", "max_record_bytes", "format", "encoding_errors"):
        assert getattr(made, name) == getattr(plain, name), name
    for name in ("output_format", "merge", "overwrite", "output_compression"):
        assert getattr(made, name) == getattr(plain, name), name
    for name in ("attempts_per_task", "task_timeout", "pre_running_deadline", "max_failed_tasks", "active_deadline"):
        assert getattr(made.limits, name) == getattr(plain.limits, name), name


def test_the_longest_name_of_a_job_is_that_of_the_schema():
    schema = yaml.safe_load(CRD.read_text())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    rules = [rule["rule"] for rule in schema["x-kubernetes-validations"]]
    assert f"size(self.metadata.name) <= {JOB_NAME_LIMIT}" in rules
