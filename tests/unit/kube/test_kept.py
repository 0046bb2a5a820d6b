"""Of a resource no more is kept than somebody still needs; lists come in pages that are let go one after the other."""

import asyncio

from mapreduce import words
from mapreduce_operator.kube import handlers, kept, objects, resource
from mapreduce_operator.kube.client import Api, Ref
from tests.support.kube_objects import DEFAULTS, body

FAT = "x" * 100_000
FAILED = {"conditions": [{"type": "Failed", "status": "True"}], "phase": "Failed"}
COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}]}
OURS = {"finalizers": [words.FINALIZER]}


def fat(metadata=None, **spec):
    workers = {"env": [{"name": "A", "value": FAT}], "annotations": {"a": FAT}, "replicas": 3}
    extra = {"annotations": {"other": FAT, words.ANNOTATION_IMAGE: "worker:0"}, "managedFields": [{"f": FAT}]}
    return body(
        metadata=extra | (metadata or {}), program={"inline": FAT}, params={"a": FAT[:60_000]}, workers=workers, **spec
    )


def test_a_job_that_runs_keeps_its_spec_and_of_its_metadata_what_is_read():
    job = fat()
    slim = kept.of(job)
    assert slim["spec"] == job["spec"]
    assert slim["metadata"]["annotations"] == {words.ANNOTATION_IMAGE: "worker:0"}
    assert "managedFields" not in slim["metadata"]
    assert resource.parse(slim, None, DEFAULTS) == resource.parse(job, None, DEFAULTS)


def test_a_job_that_is_complete_keeps_no_spec_but_its_time_to_live():
    over = COMPLETE | {"completionTime": "2026-09-21T14:13:20Z"}
    job = fat(OURS, ttlSecondsAfterFinished=60) | {"status": over}
    slim = kept.of(job)
    assert slim["spec"] == {"ttlSecondsAfterFinished": 60}
    assert resource.expires_at(slim) == resource.expires_at(job)
    assert objects.has_finalizer(slim)


def test_a_job_that_failed_keeps_what_its_cleaning_needs():
    slim = kept.of(fat(OURS) | {"status": FAILED})
    assert len(str(slim)) < 3000
    spec = resource.parse(slim, None, DEFAULTS).spec
    assert (spec.output, spec.workers, spec.worker_image) == ("out", 3, "worker:0")


def test_a_job_that_failed_and_has_nothing_to_clean_keeps_no_spec():
    assert kept.of(fat() | {"status": FAILED})["spec"] == {}


def test_what_is_malformed_stays_so():
    assert kept.of({"metadata": {"name": "a"}, "spec": "none"}) == {"metadata": {"name": "a"}, "spec": "none"}


def test_a_list_asks_for_the_next_page_when_the_last_one_is_used_up():
    asked = []

    class Paged(Api):
        def __init__(self):
            pass

        async def _request(self, method, ref, *, query=None, body=None, content_type=""):
            asked.append(dict(query))
            number = len(asked)
            return {"items": [{"n": number}, {"n": number}], "metadata": {"continue": "more" if number < 3 else ""}}

    async def go():
        return [(item["n"], len(asked)) async for item in Paged().each(Ref("pods"), page=2)]

    assert asyncio.run(go()) == [(1, 1), (1, 1), (2, 2), (2, 2), (3, 3), (3, 3)]
    assert [query["limit"] for query in asked] == ["2", "2", "2"]
    assert [query.get("continue") for query in asked] == [None, "more", "more"]


def test_what_is_kept_of_a_job_is_kept_of_it_again_and_the_watches_list_in_pages():
    for status in ({}, COMPLETE, FAILED):
        slim = kept.of(fat(OURS) | {"status": status})
        assert kept.of(slim) == slim
    assert handlers.settings().watching.chunk_size == handlers.CHUNK


def test_all_parameters_together_are_bounded():
    most = {f"p{number}": "x" * 4096 for number in range(16)}
    assert resource.parse(body(params=most), None, DEFAULTS).spec.params == most
