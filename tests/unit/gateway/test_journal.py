"""The journal: whole frames stay, a torn tail goes, damage before the end is told."""

import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce import history
from mapreduce.errors import CorruptionError, ProtocolError
from mapreduce.history import Frame, HistoryEvent
from mapreduce_worker.gateway.journal import Journal
from mapreduce_worker.gateway.store import StoreError
from tests.support import budget
from tests.support.crash_store import Crashed, CrashStore, Disk


def frame(sequence: int, epoch: int = 1, message: str = "") -> Frame:
    return Frame(epoch, sequence, HistoryEvent(event="Assigned", wall=1.0, message=message))


def open_journal(disk: Disk, page: int = 100) -> tuple[Journal, list[Frame]]:
    journal = Journal(CrashStore(disk), "journal", page)
    return journal, [frame for page in journal.recover() for frame in page]


def disk_with(data: bytes) -> Disk:
    disk = Disk()
    CrashStore(disk).append("journal", data)
    return disk


FRAMES = [frame(number, message="x" * (number * 13 % 70)) for number in range(1, 20)]
DATA = b"".join(map(history.pack, FRAMES))


@budget.examples(60)
@given(st.integers(0, len(DATA)), st.integers(1, 400))
def test_wherever_the_journal_was_cut_off_the_whole_frames_stay_and_writing_goes_on(cut, page):
    disk = disk_with(DATA[:cut])
    journal, found = open_journal(disk, page)
    assert found == FRAMES[: len(found)]
    journal.append(FRAMES)
    assert open_journal(disk, page)[1] == FRAMES


@budget.examples(50)
@given(st.binary(max_size=40))
def test_garbage_behind_the_last_frame_is_cut(garbage):
    assert open_journal(disk_with(DATA + garbage))[1] == FRAMES


def test_zeros_behind_the_last_frame_are_cut():
    disk = disk_with(DATA + bytes(5000))
    assert open_journal(disk)[1] == FRAMES
    assert disk.tree()["journal"] == DATA


@budget.examples(60)
@given(st.integers(0, len(DATA) - 300), st.integers(0, 7), st.integers(30, 400))
def test_a_flipped_bit_before_the_end_is_told_and_not_cut(at, bit, page):
    damaged = bytearray(DATA)
    damaged[at] ^= 1 << bit
    with pytest.raises(CorruptionError, match="before its end"):
        open_journal(disk_with(bytes(damaged)), page)


def test_frames_that_are_there_are_skipped_and_the_highest_is_told():
    journal, _ = open_journal(Disk())
    assert journal.append(FRAMES[:3]) == 3
    assert journal.append(FRAMES[1:5]) == 5
    assert journal.append([]) == 5
    assert list(journal.read()) == FRAMES[:5]


def test_a_gap_is_refused():
    journal, _ = open_journal(Disk())
    with pytest.raises(ProtocolError, match="frame 2"):
        journal.append([frame(2)])


def test_frames_of_an_older_epoch_are_refused():
    journal, _ = open_journal(Disk())
    journal.append([frame(1, epoch=3)])
    with pytest.raises(ProtocolError, match="epoch 2"):
        journal.append([frame(2, epoch=2)])
    assert journal.written(3) == 1
    assert journal.written(2) == 0


def test_a_new_epoch_counts_from_one():
    journal, _ = open_journal(Disk())
    journal.append(FRAMES[:4])
    assert journal.append([frame(1, epoch=2), frame(2, epoch=2)]) == 2


def test_an_append_that_hit_a_full_disk_leaves_no_trace():
    disk = Disk()
    journal, _ = open_journal(disk)
    journal.append(FRAMES[:3])
    disk.full = True
    with pytest.raises(StoreError):
        journal.append(FRAMES[3:9])
    disk.full = False
    assert journal.append(FRAMES[3:5]) == 5
    assert open_journal(disk)[1] == FRAMES[:5]


@pytest.mark.parametrize("seed", range(5))
def test_what_append_returned_for_survives_the_loss_of_power(seed):
    disk = Disk()
    store = CrashStore(disk, crash_at=8)
    journal = Journal(store, "journal")
    journal.recover()
    written = 0
    with contextlib.suppress(Crashed):
        for number in range(len(FRAMES)):
            written = journal.append(FRAMES[number : number + 1])
    assert store.dead
    disk.lose_power(random.Random(seed))
    found = open_journal(disk)[1]
    assert written > 0
    assert found == FRAMES[: len(found)]
    assert len(found) >= written
