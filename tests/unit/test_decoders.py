"""Decoders of msgspec are made when a module is imported: made in two threads at once, they crash the process."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROCESSES_WITH_THREADS = ("src/mapreduce", "operator/src", "worker/src")
ALLOWED = {
    # Behind a lock.
    ("src/mapreduce/protocol/wire.py", "_decoder"),
    # A child process with one thread.
    ("worker/src/mapreduce_worker/gateway/merge_process.py", "main"),
    # Met when the module is imported.
    ("operator/src/mapreduce_operator/kube/fields.py", "read"),
    # The command line, in its one thread.
    ("src/mapreduce/kept_job.py", "read_job"),
    ("src/mapreduce/kept_job.py", "read_plan"),
    # The main thread of a slot, before user code runs.
    ("src/mapreduce/params.py", "_convert"),
}
PLAIN = {"bytes", "dict", "list", "str"}
"""Of types of Python nothing is kept."""

RACE = """
import sys, threading
import msgspec
from mapreduce.protocol import wire
sys.setswitchinterval(1e-6)
for number in range(300):
    inner = msgspec.defstruct(f"Inner{number}", [(f"field{index}", int | str | None) for index in range(8)])
    outer = msgspec.defstruct(f"Outer{number}", [("first", tuple[inner, ...]), ("second", dict[str, inner])])
    body = wire.encode(outer((inner(*range(8)),), {"x": inner(*range(8))}))
    gate = threading.Barrier(4)
    def meet():
        gate.wait()
        wire.decode(body, outer)
    threads = [threading.Thread(target=meet) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""


def made_late(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield the functions, and lines, in which a decoder is made, or a type is met, when they are called."""
    for function in ast.walk(tree):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        for call in ast.walk(function):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            kinds = [word.value for word in call.keywords if word.arg == "type"]
            if call.func.attr == "Decoder":
                kinds = [*kinds, *call.args]
            elif call.func.attr == "convert":
                kinds = [*kinds, *call.args[1:]]
            elif call.func.attr != "decode":
                continue
            if any(not is_plain(kind) for kind in kinds):
                yield function.name, call.lineno


def is_plain(kind: ast.expr) -> bool:
    """Tell whether a type is one of Python's own."""
    outer = kind.value if isinstance(kind, ast.Subscript) else kind
    return isinstance(outer, ast.Name) and outer.id in PLAIN


def test_no_function_makes_a_decoder_of_its_own_but_those_that_one_thread_calls() -> None:
    paths = [path for folder in PROCESSES_WITH_THREADS for path in (ROOT / folder).rglob("*.py")]
    found = {
        (path.relative_to(ROOT).as_posix(), function)
        for path in paths
        for function, _ in made_late(ast.parse(path.read_text()))
    }
    assert found == ALLOWED


def test_a_decoder_that_is_made_late_is_noticed() -> None:
    late = "def read(body):\n    return msgspec.msgpack.decode(body, type=Index)\n"
    made = "def read(body):\n    return msgspec.json.Decoder(Index).decode(body)\n"
    plain = "def read(body):\n    return msgspec.json.decode(body, type=dict[str, object])\n"
    assert [list(made_late(ast.parse(text))) for text in (late, made, plain)] == [[("read", 2)], [("read", 2)], []]


def test_threads_that_meet_a_message_for_the_first_time_at_once_all_live() -> None:
    # In a process of its own, since a crash is no exception; each of many types is another chance for one.
    assert subprocess.run([sys.executable, "-P", "-c", RACE], check=False).returncode == 0
