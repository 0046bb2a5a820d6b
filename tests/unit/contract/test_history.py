"""Journal frames and history lines: what was written is read, and damage is noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce import history, partition_sizes
from mapreduce.errors import CorruptionError
from mapreduce.history import Frame, HistoryEvent, PlanPage
from mapreduce.ids import AttemptId, TaskId
from mapreduce.partition_sizes import HeavyKey
from mapreduce.plan import FileRange, ListedFile, Split

ATTEMPT = AttemptId(TaskId(0, "map", 17), 2, 1)
FRAMES = [
    Frame(1, 1, HistoryEvent(event="EpochOpened", wall=1.5)),
    Frame(1, 2, PlanPage(0, (Split(0, (FileRange(ListedFile("a", "a", 3, "mtime:1"), 0, 3),)),))),
    Frame(2, 1, HistoryEvent(event="Finished", wall=2.5, task=ATTEMPT.task, attempt=ATTEMPT, checksum="c", rows=3)),
]
DATA = b"".join(history.pack(frame) for frame in FRAMES)
ENDS = [sum(len(history.pack(frame)) for frame in FRAMES[:count]) for count in range(len(FRAMES) + 1)]


@given(st.integers(0, len(DATA)))
def test_a_torn_tail_is_cut_at_the_last_whole_frame(length):
    frames, end = history.unpack(DATA[:length])
    assert end == max(position for position in ENDS if position <= length)
    assert frames == FRAMES[: ENDS.index(end)]


@given(st.integers(0, (ENDS[-2]) * 8 - 1))
def test_a_flipped_bit_before_the_last_frame_is_never_read_as_truth(bit):
    damaged = bytearray(DATA)
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(CorruptionError, match="damaged"):
        history.unpack(bytes(damaged))


def test_history_lines_come_back_numbered_with_the_names_people_read():
    events = history.parse(b"".join(history.render(FRAMES)))
    assert [(event["sequence"], event["epoch"], event["event"], event.get("attempt")) for event in events] == [
        (1, 1, "EpochOpened", None),
        (2, 2, "Finished", "map-17.e2.1"),
    ]


@given(st.data())
def test_a_changed_character_of_a_history_line_is_noticed(data):
    text = bytearray(b"".join(history.render(FRAMES)))
    at = data.draw(st.integers(0, len(text) - 2))
    text[at] ^= data.draw(st.sampled_from([1, 2, 4]))
    with pytest.raises(CorruptionError):
        history.parse(bytes(text))


@pytest.mark.parametrize("body", [b"x}", b"[1}", b'{"a":1}x}', b'{"a":' + b"[" * 100_000 + b"}", b'{"a":"\xff"}'])
def test_a_line_whose_sum_is_right_and_that_is_no_object_is_damaged(body):
    with pytest.raises(CorruptionError, match="line 1 of the history is damaged"):
        history.parse(history.checked(body))


def test_sizes_of_partitions_are_written_out():
    packed = partition_sizes.pack([7, 5000])
    event = HistoryEvent(event="Sizes", wall=1.0, sizes=packed, heavy=(HeavyKey(1, "'a'", 9, 4000),))
    frames = [Frame(1, 1, event)]
    assert history.unpack(b"".join(map(history.pack, frames)))[0] == frames
    (line,) = history.parse(b"".join(history.render(frames)))
    assert line["sizes"] == [7, 5000]
    assert line["heavy"] == [{"partition": 1, "key": "'a'", "rows": 9, "size": 4000}]
