"""Sizes and counts, as they are written and read."""

import pytest

from mapreduce_cli import sizes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("65536", 65536),
        ("16MiB", 16 << 20),
        ("16Mi", 16 << 20),
        ("16 mib", 16 << 20),
        ("1.5GiB", 3 << 29),
        ("2GB", 2 * 10**9),
        ("2k", 2000),
        ("7B", 7),
    ],
)
def test_a_size_is_read_with_its_unit(text: str, size: int) -> None:
    assert sizes.parse(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1e3", "1 XiB", "1i", "1.", "٣"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        sizes.parse(text)


@pytest.mark.parametrize("text", ["99999999999TiB", "9" * 19, "9" * 5000])
def test_more_bytes_than_a_message_can_carry_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is more bytes than a file can have"):
        sizes.parse(text)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (123_456, "123 kB"), (2.5e12, "2.5 TB")]
)
def test_a_size_is_written_with_about_three_digits(size: float, text: str) -> None:
    assert sizes.render(size) == text


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (9999, "9999"), (12_345, "12.3 k"), (4_500_000, "4.5 M")])
def test_a_count_is_written_short(number: float, text: str) -> None:
    assert sizes.count(number) == text
