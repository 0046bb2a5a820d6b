"""Tickets open what they name, for the job they name, until they expire, and nothing else."""

import pytest

from mapreduce import tickets

KEY, OLD = b"k" * 32, b"o" * 32
SCOPE = tickets.partition_scope(0, 3)
TICKET = tickets.mint(KEY, "job", SCOPE, 1000.0)


def test_a_ticket_opens_its_scope_until_it_expires_also_under_the_previous_key():
    assert tickets.check(TICKET, [KEY], "job", SCOPE, 999.0)
    assert tickets.check(TICKET, [OLD, KEY], "job", SCOPE, 1000.0)
    assert not tickets.check(TICKET, [KEY], "job", SCOPE, 1001.0)


def test_a_scope_with_a_dot_in_it_is_no_trouble():
    scope = tickets.part_scope("reduce-3.e1.0")
    assert tickets.check(tickets.mint(KEY, "job", scope, 10.0), [KEY], "job", scope, 5.0)


@pytest.mark.parametrize(
    "ticket",
    [
        "",
        ".",
        "..",
        TICKET[:-1],
        TICKET + "0",
        TICKET.replace("1000", "2000"),
        TICKET.replace("-3", "-4"),
        "partition-0-3.٣٣٣٣.x",
        f"partition-0-3.{'9' * 5000}.x",
        TICKET[:-1] + "é",
    ],
)
def test_a_forged_ticket_opens_nothing(ticket):
    assert not tickets.check(ticket, [KEY], "job", SCOPE, 0.0)


def test_a_ticket_opens_no_other_scope_job_or_key():
    assert not tickets.check(TICKET, [KEY], "job", tickets.partition_scope(0, 4), 0.0)
    assert not tickets.check(TICKET, [KEY], "other", SCOPE, 0.0)
    assert not tickets.check(TICKET, [OLD], "job", SCOPE, 0.0)
