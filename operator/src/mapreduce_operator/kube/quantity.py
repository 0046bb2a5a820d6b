"""Kubernetes quantities (`64Mi`, `500m`, `1.5G`) as whole numbers."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal
from typing import Final

from mapreduce.spec import LARGEST
from mapreduce_operator.kube.errors import InvalidSpec

_FACTORS: Final[dict[str, Decimal]] = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(1 << 10),
    "Mi": Decimal(1 << 20),
    "Gi": Decimal(1 << 30),
    "Ti": Decimal(1 << 40),
    "Pi": Decimal(1 << 50),
    "Ei": Decimal(1 << 60),
}
# ASCII digits only: Decimal would take others.
_FORM: Final = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)([numkMGTPE]|[KMGTPE]i)?")


def parse(value: int | str, field: str) -> Decimal:
    """Return the number; raises `InvalidSpec` that names the field."""
    match = _FORM.fullmatch(str(value))
    if match is None:
        raise InvalidSpec(f"{field}: {value!r} is not a quantity such as 64Mi, 2G or 500m")
    return Decimal(match[1]) * _FACTORS[match[2] or ""]


def whole(value: int | str, field: str) -> int:
    """Return a number of bytes, rounded up; raises `InvalidSpec` for what does not fit in 64 bits."""
    number = int(parse(value, field).to_integral_value(ROUND_CEILING))
    if abs(number) > LARGEST:
        raise InvalidSpec(f"{field}: {value!r} is more than fits in 64 bits")
    return number
