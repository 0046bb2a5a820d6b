"""Single bits of every file format are flipped: none goes unnoticed. `make corruption` flips many more."""

import pytest

from mapreduce import history
from mapreduce.errors import CorruptionError
from tests.support import corruption, corruption_samples
from tests.support.corruption import Flip

FLIPS = 300
NAMES = ["map output, lz4", "map output, none", "map output, zstd", "part", "part of values", "part, staged"]
NAMES += ["part of lines", "journal", "events.ndjson", "segments on the wire", "manifest"]


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return {sample.name: sample for sample in corruption_samples.all_samples(tmp_path_factory.mktemp("samples"))}


@pytest.mark.parametrize("name", NAMES)
def test_no_flipped_bit_goes_unnoticed(samples, name):
    assert list(samples) == NAMES
    sample = samples[name]
    counts, missed = corruption.run(sample, FLIPS, seed=1)
    assert missed == []
    assert {tried for tried, _ in counts} == set(sample.classes())
    assert sum(number for (_, verdict), number in counts.items() if verdict == "detected") > FLIPS / 3


@pytest.mark.parametrize("name", NAMES)
def test_every_byte_of_a_sample_has_a_class(samples, name):
    spans = sorted(samples[name].spans, key=lambda span: span.start)
    assert spans[0].start == 0
    assert [span.end for span in spans] == [span.start for span in spans[1:]] + [len(samples[name].content)]


def test_a_reader_that_notices_nothing_is_found_out(samples):
    careless = corruption.Sample(name="x", content=b"abc", spans=(corruption.Span("all", 0, 3),), read=bytes)
    assert corruption.flip(careless, Flip("all", 1, 0), b"abc").verdict == "undetected"
    assert corruption.flip(careless, Flip("all", 1, 0), b"acc").verdict == "same"
    careful = samples["part"]
    assert corruption.flip(careful, Flip("summary", 0, 0), careful.read(careful.content)).verdict == "detected"


def test_a_history_that_ends_within_a_line_is_damaged():
    text = b"".join(history.render(corruption_samples.FRAMES))
    assert len(history.parse(text)) == 5
    with pytest.raises(CorruptionError, match="line 5"):
        history.parse(text[:-1])


def test_a_head_of_no_segment_does_not_become_an_empty_segment(samples):
    """One bit tells the two apart: a reduce would have taken a lost map output for one without rows."""
    sample = samples["segments on the wire"]
    (none,) = sample.classes()["head of none"]
    at = sample.content.index(b"\xc2", none.start)
    flipped = sample.content[:at] + b"\xc3" + sample.content[at + 1 :]
    assert sample.read(flipped) == sample.read(sample.content)
