"""A report is one file that shows its job alone, whatever is in its texts; and nothing but its data is ever read."""

import base64
import hashlib
import random
import re
import zlib

import msgspec
import pytest

from mapreduce.errors import CorruptionError
from mapreduce_page import assets, model, report
from mapreduce_page.fold import Fold
from tests.support.page_events import Story, spec
from tests.support.page_reader import Reader

HOSTILE = "</script><script>alert(1)</script><!-- \x1b[31m \u202e \u2028 <!--data-->"


def hostile():
    story = Story(Fold(spec(name=HOSTILE, params={HOSTILE: HOSTILE})), maps=1).event("Assigned", "map-0")
    return story.event("Failed", "map-0", reason=HOSTILE, message=HOSTILE, traceback=HOSTILE, log=HOSTILE)


def rendered(story):
    return report.render(story.fold, now=story.wall)


DEEP = b'{"v":1,"update":{},"later":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def block(data):
    return assets.frozen(base64.b64encode(data).decode()).encode()


def packed(value):
    return deflated(msgspec.json.encode(value))


def deflated(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def test_a_report_tells_what_a_page_would_be_told():
    story = hostile().ran("map-0.e1.1")
    told = report.read(rendered(story))
    reader = Reader()
    reader.read(told.update)
    assert reader.known() == story.page().known()
    assert told.texts == story.fold.all_texts()


def test_text_of_the_job_is_nowhere_in_it_as_text():
    assert b"alert" not in rendered(hostile()).replace(assets.text("page.js").encode(), b"")


def test_a_browser_runs_and_loads_nothing_but_what_is_named_in_the_policy():
    file = rendered(hostile()).decode()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', file)
    inline = re.findall(r"<(script|style)>(.*?)</\1>", file, re.DOTALL)
    assert [name for name, _ in inline] == ["style", "script"]
    for name, content in inline:
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "connect-src" not in policy
    assert len(re.findall("<script", file.replace(inline[1][1], ""))) == 2, "the data, which is no code, and the page"
    assert file.index("Content-Security-Policy") < file.index("<style>")
    assert not re.search(r'(src|href)="(?!data:)', file.replace(inline[1][1], ""))


def test_the_live_page_has_nothing_inline():
    page = assets.live()
    assert not re.search(r"<script>|<style>|<!--(style|script|data)-->", page)
    assert re.findall(r'(?:src|href)="(/[^"]*)"', page) == ["/page.css", "/page.js"]


def test_10000_tasks_of_which_400_failed_each_in_its_own_way_are_at_most_2_mb():
    chance = random.Random(7)
    words = [chance.randbytes(6).hex() for _ in range(5000)]
    story = Story(maps=10_000)
    for index in range(10_000):
        story.wall += chance.random()
        of = f"map-{index}"
        if index % 25 == 0:
            trace = "\n".join(
                f'  File "job_{chance.choice(words)}.py", line {chance.randrange(999)}, in {chance.choice(words)}'
                for _ in range(120)
            )
            story.event("Assigned", of, after=chance.random(), worker=f"w-{index % 50}", worker_uid="u")
            log = " ".join(chance.choices(words, k=400))
            story.event("Failed", of, reason="UserCodeFailed", message=log[:1500], traceback=f"{trace}\nE: x", log=log)
            of = f"map-{index}.e1.1"
        story.event("Assigned", of, after=chance.random(), worker=f"w-{index % 50}", worker_uid="u")
        story.event("Started", of, after=chance.random() / 100, slot=index % 4)
        story.event(
            "Finished", of, after=chance.random() * 9, records=chance.randrange(9999), size=chance.randrange(1 << 26)
        )
    file = rendered(story)
    assert len(file) <= 2_000_000
    told = report.read(file)
    assert len(told.update.attempts.row) == 10_400
    assert len(told.update.groups or []) == 200
    assert sum(bool(text.traceback) for texts in told.texts.values() for text in texts) >= 200


def test_few_failures_keep_all_of_their_texts():
    story = Story(maps=9)
    for index in range(3):
        story.event("Assigned", f"map-{index}")
        story.event("Failed", f"map-{index}", reason="R", traceback=f'  File "a.py", line {index}, in f\n' * 200)
    told = report.read(rendered(story))
    assert told.texts == story.fold.all_texts()


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (b"", "no block of data"),
        (b"<html>hello</html>", "no block of data"),
        (block(b"\0\1\2"), "cannot be read"),
        (block(packed([1])), "cannot be read"),
        (block(packed({"v": 1, "update": {"attempts": {"row": "x"}}})), "cannot be read"),
        (block(deflated(DEEP)), "cannot be read"),
        (block(packed({"v": 2, "later": True})), "newer version"),
        (b"x" * (64 << 20) + b"x", "more than"),
    ],
)
def test_what_is_no_report_is_refused(file, why):
    with pytest.raises(CorruptionError, match=why):
        report.read(file)


def test_a_small_block_that_unpacks_to_very_much_is_refused(monkeypatch):
    monkeypatch.setattr(report, "_LARGEST_DATA", 1 << 20)
    with pytest.raises(CorruptionError, match="unpacks to more than"):
        report.read(block(packed("a" * (2 << 20))))


def test_of_a_file_that_somebody_changed_only_the_data_is_taken():
    file = rendered(hostile()).replace(b"<body>", b"<body><script>steal()</script>")
    assert b"steal" not in report.page(report.read(file))
    assert model.KINDS[report.read(file).update.attempts.kind[0]] == "map"
