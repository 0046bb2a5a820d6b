import subprocess
import sys

SCENE = """
import os, subprocess, sys, time
from mapreduce_operator.drivers.orphans import Orphans

orphans = Orphans()
# A child that starts a grandchild and dies at once.
child = subprocess.Popen(
    [sys.executable, "-c", "import subprocess; print(subprocess.Popen(['sleep', '60']).pid, flush=True)"],
    stdout=subprocess.PIPE,
)
grandchild = int(child.stdout.readline())
own = subprocess.Popen(["sleep", "60"])
child.wait()
assert orphans.reap(own=[own.pid]) == [grandchild], "the orphan was not adopted"
orphans.kill(own=[own.pid])
assert not os.path.exists(f"/proc/{grandchild}"), "the orphan lives"
assert own.poll() is None, "what is no orphan was killed"
own.kill()
own.wait()
"""


def test_a_process_whose_parent_died_is_adopted_and_ended() -> None:
    subprocess.run([sys.executable, "-c", SCENE], check=True, timeout=90)
