"""Messages survive the wire, and what is no message is refused."""

import pytest

from mapreduce import protocol
from mapreduce.errors import ProtocolError
from mapreduce.history import Frame, HistoryEvent
from mapreduce.ids import AttemptId, TaskId
from mapreduce.plan import FileRange, ListedFile, Split

MAP = AttemptId(TaskId(0, "map", 17), 2, 1)
SPLIT = Split(17, (FileRange(ListedFile("in/a", "a", 9, "mtime:5"), 0, 9),))


def test_ids_read_as_people_write_them():
    assert [str(MAP), str(TaskId(1, "reduce", 3))] == ["map-17.e2.1", "s1-reduce-3"]


@pytest.mark.parametrize(
    "message",
    [
        protocol.Exchange(
            epoch=2,
            seen=4,
            running=(protocol.Progress(attempt=MAP, records=5, waiting=True),),
            reports=(protocol.Report(number=1, outcome=protocol.AttemptCancelled(attempt=MAP)),),
        ),
        protocol.Answer(
            epoch=2,
            number=5,
            acknowledged=1,
            assignments=(protocol.RunMap(attempt=MAP, split=SPLIT, ticket="t"),),
            locations=protocol.Locations(
                version=3,
                step=0,
                holders=(),
                outputs=(protocol.OutputsAt(first=0, last=3, epoch=2, number=0, holder=-1),),
            ),
            journal=(Frame(2, 1, HistoryEvent(event="EpochOpened", wall=1.0)),),
        ),
    ],
)
def test_a_message_comes_back_equal(message):
    assert protocol.decode(protocol.encode(message), type(message)) == message


@pytest.mark.parametrize(
    "body", [b"", b"\xc1", b"\x80", b"\x81\xa5epoch\xa1x", b"\x91" * 5000, b"\x81\xa1x" + b"\x91" * 500_000]
)
def test_a_body_that_is_no_message_is_refused(body):
    with pytest.raises(ProtocolError, match="Exchange"):
        protocol.decode(body, protocol.Exchange)


def test_a_body_over_the_limit_is_refused_unread():
    with pytest.raises(ProtocolError, match="larger than"):
        protocol.decode(bytes(protocol.MAX_BODY + 1), protocol.Exchange)
