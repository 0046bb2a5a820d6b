"""What a job says of its tasks reaches them."""

import pytest

from mapreduce.spec import JobSpec
from mapreduce_worker.engine import options
from tests.support.simulated.toy import PROGRAM


@pytest.mark.parametrize("codec", ["none", "lz4", "zstd"])
def test_a_map_output_is_compressed_as_the_job_says(codec):
    spec = JobSpec(uid="u", name="n", program=PROGRAM, inputs=("in",), output="out", shuffle_compression=codec)
    assert options.of_job(spec, 1, 1).codec == codec


@pytest.mark.parametrize("order", ["hash", "total"])
def test_a_map_knows_whether_keys_have_an_order(order):
    spec = JobSpec(uid="u", name="n", program=PROGRAM, inputs=("in",), output="out", order=order)
    assert options.of_job(spec, 1, 1).order == order


def test_a_map_output_is_compressed_by_lz4_where_the_job_says_nothing():
    spec = JobSpec(uid="u", name="n", program=PROGRAM, inputs=("in",), output="out")
    assert options.of_job(spec, 1, 1).codec == "lz4"
