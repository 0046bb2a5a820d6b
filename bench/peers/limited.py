"""`mapreduce run` with a limit on the memory of a slot, which the command line takes from the machine.

limited.py MEBIBYTES PROGRAM INPUT OUTPUT
"""

import sys
from pathlib import Path

from mapreduce.spec import MIB, JobSpec, Limits
from mapreduce_cli import local, localjobs, programs
from mapreduce_cli.progress import Silent


def main(mebibytes, program, path, output):
    """Run the job with two workers."""
    spec = JobSpec(
        uid=localjobs.new_uid(),
        name="limited",
        program=programs.read(program),
        inputs=(str(Path(path).resolve()).lstrip("/"),),
        output=str(Path(output).resolve()).lstrip("/"),
        limits=Limits(slot_memory=int(mebibytes) * MIB),
    )
    local.run(spec, Path("/"), Silent())


if __name__ == "__main__":
    main(*sys.argv[1:])
