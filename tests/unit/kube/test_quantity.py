"""Quantities of the Kubernetes API as numbers."""

from decimal import Decimal

import pytest

from mapreduce_operator.kube import quantity
from mapreduce_operator.kube.errors import InvalidSpec


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (7, 7),
        ("64Mi", 64 << 20),
        ("1.5Gi", 3 << 29),
        ("2G", 2 * 10**9),
        ("1k", 1000),
        ("1e3", 1000),
        ("1E", 10**18),
        ("100m", 1),
        (".5Ki", 512),
    ],
)
def test_a_quantity_is_rounded_up_to_a_whole_number(text, number):
    assert quantity.whole(text, "memory") == number


def test_a_share_of_a_cpu_keeps_its_fraction():
    assert quantity.parse("250m", "cpu") == Decimal("0.25")


@pytest.mark.parametrize("text", ["99999999E", "8Ei", "9223372036854775808", 1 << 63, "1e100", "-9Ei"])
def test_more_than_a_message_can_carry_is_refused_with_the_field(text):
    with pytest.raises(InvalidSpec, match=r"memory: .* is more than fits in 64 bits"):
        quantity.whole(text, "memory")


@pytest.mark.parametrize("text", ["", "Mi", "64MiB", "1 Gi", "0x10", "٣", "1e9999999", "NaN", "Infinity"])
def test_anything_else_is_refused_with_the_field(text):
    with pytest.raises(InvalidSpec, match=r"memory: .* is not a quantity"):
        quantity.whole(text, "memory")
