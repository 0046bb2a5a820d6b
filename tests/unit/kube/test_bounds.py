"""A number that the schema of the resource refuses is refused by the operator too, and no other."""

from pathlib import Path

import msgspec
import pytest
import yaml

from mapreduce_operator.kube import fields

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


@pytest.mark.parametrize(
    "field",
    ["reducers", "backoffLimitPerTask", "maxFailedTasks", "taskTimeoutSeconds", "preRunningDeadlineSeconds"],
)
def test_the_default_of_a_number_is_that_of_the_schema(field):
    told = schema_of_the_spec()["properties"][field]["default"]
    defaults = {known.encode_name: known.default for known in msgspec.structs.fields(fields.Spec)}
    assert defaults[field] == told
