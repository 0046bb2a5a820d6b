"""Every case, in the order in which they are run."""

from tests.support.features import batches, formats, programs, spoiled

CASES = [*programs.CASES, *formats.CASES, *batches.CASES, *spoiled.CASES]
