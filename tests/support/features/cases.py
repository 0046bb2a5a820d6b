"""Every case, in the order in which they are run."""

from tests.support.features import formats, programs, spoiled

CASES = [*programs.CASES, *formats.CASES, *spoiled.CASES]
