"""Both ends of a copy, the far one in a process of its own."""

import contextlib
import errno
import gzip
import hashlib
import io
import json
import os

import pytest
import zstandard

from mapreduce_cli.cluster import cat, decompress, streams, transfer
from mapreduce_cli.cluster.problems import Broken, Refused
from mapreduce_worker.gateway import sealed
from tests.support.transfer_pipe import LocalPipe


@pytest.fixture
def volume(tmp_path):
    """The folder that the far end takes for its claim."""
    made = tmp_path / "volume"
    made.mkdir()
    return made


@pytest.fixture
def here(tmp_path):
    made = tmp_path / "here"
    made.mkdir()
    return made


def ignore(block):
    """Count nothing."""


def upload(volume, source, path, *, force=False):
    with contextlib.closing(LocalPipe(volume, do="receive", path=path, force=force)) as pipe:
        return streams.upload(pipe, str(source), ignore)


def download(volume, path, target, *, force=False, spoil=None):
    with contextlib.closing(LocalPipe(volume, do="send", path=path)) as pipe:
        pipe.spoil = spoil or pipe.spoil
        return streams.download(pipe, str(target), force=force, progress=ignore)


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def make_tree(folder):
    (folder / "sub" / "empty").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"one\r\n\0two")
    (folder / "nothing").write_bytes(b"")
    (folder / "sub" / "b ü.bin").write_bytes(bytes(range(256)) * 9000)


def test_a_folder_arrives_as_it_is_and_comes_back_as_it_was(volume, here):
    make_tree(here / "texts")
    facts = upload(volume, here / "texts", "deep/in")
    assert (facts["files"], facts["bytes"]) == (3, 9 + 256 * 9000)
    assert tree(volume / "deep/in") == tree(here / "texts")
    download(volume, "deep/in", here / "back")
    assert tree(here / "back") == tree(here / "texts")
    assert sorted(os.listdir(volume / "deep")) == ["in"], "nothing is left beside it"


def test_a_file_arrives_under_the_name_that_was_asked_for(volume, here):
    (here / "a").write_bytes(b"x" * 3_000_000)
    upload(volume, here / "a", "b")
    assert (volume / "b").read_bytes() == b"x" * 3_000_000


def test_what_stands_there_is_replaced_only_by_force(volume, here):
    (here / "a").write_bytes(b"new")
    (volume / "a").write_bytes(b"old")
    with pytest.raises(Refused, match="a exists already"):
        upload(volume, here / "a", "a")
    assert (volume / "a").read_bytes() == b"old"
    upload(volume, here / "a", "a", force=True)
    assert tree(volume) == {"a": b"new"}


def test_a_volume_without_hard_links_takes_a_file_too(volume, here, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    (volume / "a.txt").write_text("one")
    download(volume, "a.txt", here / "a.txt")
    assert tree(here) == {"a.txt": b"one"}
    with pytest.raises(FileExistsError):
        transfer._place_once(str(volume / "a.txt"), str(here / "a.txt"))


def test_by_force_a_folder_is_added_to(volume, here):
    make_tree(here / "texts")
    (volume / "in").mkdir()
    (volume / "in" / "kept").write_bytes(b"kept")
    (volume / "in" / "a.txt").write_bytes(b"old")
    upload(volume, here / "texts", "in", force=True)
    assert tree(volume / "in") == tree(here / "texts") | {"kept": b"kept"}


def test_a_file_never_takes_the_place_of_a_folder(volume, here):
    (here / "a").write_bytes(b"new")
    (volume / "a").mkdir()
    with pytest.raises(Refused, match="a is a folder"):
        upload(volume, here / "a", "a", force=True)


def test_an_upload_that_breaks_off_leaves_nothing(volume, here):
    (here / "a").write_bytes(b"x" * 5_000_000)
    pipe = LocalPipe(volume, do="receive", path="a", force=False)
    sent = []

    def stop(block):
        sent.append(block)
        if len(sent) == 3:
            raise KeyboardInterrupt

    with contextlib.closing(pipe), pytest.raises(KeyboardInterrupt):
        streams.upload(pipe, str(here / "a"), stop)
    assert pipe.process.returncode
    assert tree(volume) == {}


def test_a_download_that_breaks_off_leaves_nothing(volume, here):
    (volume / "a").write_bytes(b"x" * 5_000_000)
    came = []

    def cut(data):
        came.append(data)
        return data if len(came) < 20 else b""

    with pytest.raises(Broken, match="broke off"):
        download(volume, "a", here / "a", spoil=cut)
    assert tree(here) == {}


def test_a_byte_that_changed_on_the_way_is_found(volume, here):
    (volume / "a").write_bytes(b"x" * 1000)
    with pytest.raises(Refused, match="checksum"):
        download(volume, "a", here / "a", spoil=lambda data: data.replace(b"xxxx", b"xxxy", 1))
    assert tree(here) == {}


def test_a_file_that_grows_while_it_is_copied_is_refused(volume, here):
    source = here / "a"
    source.write_bytes(b"x" * 3_000_000)

    def grow(block):
        with source.open("ab") as file:
            file.write(b"y")

    pipe = LocalPipe(volume, do="receive", path="a", force=False)
    with contextlib.closing(pipe), pytest.raises(Refused, match="changed while it was copied"):
        streams.upload(pipe, str(source), grow)
    assert tree(volume) == {}


def test_links_that_lead_out_of_the_volume_are_not_followed(volume, here):
    (here / "secret").write_text("s")
    (volume / "out").symlink_to(here)
    with pytest.raises(Refused, match="leads out of the volume"):
        download(volume, "out/secret", here / "stolen")
    with pytest.raises(Refused, match="leads out of the volume"):
        upload(volume, here / "secret", "out/new")
    assert not (here / "new").exists()


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil"])
def test_a_name_that_leaves_the_target_is_refused(here, name):
    frames = iter(
        [
            (b"I", b'{"kind": "folder", "files": 1, "bytes": 1}'),
            (b"F", json.dumps({"path": name, "size": 1}).encode()),
        ]
    )
    with pytest.raises(transfer.Refusal, match="sent the name"):
        transfer.receive(str(here / "target"), frames)
    assert tree(here) == {}


def test_what_does_not_fit_is_refused_before_it_is_moved(here):
    frames = iter([(b"I", b'{"kind": "file", "files": 1, "bytes": 1152921504606846976}')])
    with pytest.raises(transfer.Refusal, match="bytes free"):
        transfer.receive(str(here / "target"), frames)


def test_a_link_and_a_pipe_in_a_folder_are_left_out_and_told(volume, here):
    make_tree(here / "texts")
    (here / "texts" / "loop").symlink_to(here / "texts")
    os.mkfifo(here / "texts" / "fifo")
    assert upload(volume, here / "texts", "in")["skipped"] == ["loop", "fifo"]


def test_a_list_that_is_longer_than_a_frame_arrives(volume, here):
    """Both ways, and back as what the other end has."""
    (here / "texts").mkdir()
    names = [f"{number:06d}{'x' * 245}" for number in range(4400)]
    for name in names:
        (here / "texts" / name).symlink_to("nowhere")
    assert upload(volume, here / "texts", "in")["skipped"] == names
    (volume / "in" / "a").write_bytes(b"1")
    for name in names:
        (volume / "in" / name).symlink_to("nowhere")
    assert download(volume, "in", here / "back")["skipped"] == names
    assert tree(here / "back") == {"a": b"1"}


@pytest.mark.parametrize("size", [0, 1, transfer.BLOCK - 1, transfer.BLOCK, transfer.BLOCK + 1, 3 * transfer.BLOCK])
def test_a_message_of_any_length_is_read_as_it_was_written(size):
    value = {"a": "x" * (size - len('{"a": ""}'))} if size > 9 else {}
    stream = io.BytesIO(transfer.message(b"I", value) + transfer.frame(b"D", b"y") + transfer.message(b"Z", {}))
    kinds = [(kind, json.loads(payload) if kind != b"D" else payload) for kind, payload in transfer.frames(stream.read)]
    assert kinds == [(b"I", value), (b"D", b"y"), (b"Z", {})]


def test_a_message_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(transfer, "LONGEST", 2 << 20)
    stream = io.BytesIO(transfer.frame(b"M", b"x" * transfer.BLOCK) * 3)
    with pytest.raises(EOFError, match="a message of more than"):
        list(transfer.frames(stream.read))


def test_what_a_killed_copy_left_long_ago_is_swept(volume, here):
    (here / "a").write_bytes(b"new")
    for name, seconds in ((".a.00.copying", 100_000), (".a.11.copying", 10)):
        (volume / name).write_bytes(b"half")
        at = (volume / name).stat().st_mtime - seconds
        os.utime(volume / name, (at, at))
    upload(volume, here / "a", "a")
    assert sorted(tree(volume)) == [".a.11.copying", "a"]


# --- the output of a job ---------------------------------------------------------------------


def make_output(folder, files):
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    known = [{"name": name, "size": len(content)} for name, content in files.items()]
    (folder / "_manifest.json").write_bytes(sealed.seal({"uid": "u1", "files": known}))


def printed(volume, path, *, raw=False):
    out = io.BytesIO()
    with contextlib.closing(LocalPipe(volume, do="output", path=path)) as pipe, streams.told():
        incoming = streams.frames(pipe)
        assert next(incoming)[0] == b"I"
        cat.copy_out(incoming, out.write, raw=raw)
    return out.getvalue()


def test_the_files_of_an_output_are_printed_in_the_manifests_order(volume):
    make_output(volume / "wc", {"part-r-00001.tsv": b"b\t1\n", "part-r-00000.tsv": b"a\t1\n"})
    (volume / "wc" / "other.tsv").write_bytes(b"no")
    assert printed(volume, "wc") == b"b\t1\na\t1\n"


def test_an_output_whose_list_of_files_is_longer_than_a_frame_is_printed(volume):
    made = {f"part-r-{number:05d}{'x' * 235}.tsv": b"%d\n" % number for number in range(3800)}
    make_output(volume / "wc", made)
    assert (volume / "wc" / "_manifest.json").stat().st_size > transfer.BLOCK
    assert printed(volume, "wc") == b"".join(made.values())


def test_compressed_output_is_decompressed_unless_it_is_wanted_raw(volume):
    data = gzip.compress(b"a\t1\n" * 100_000, mtime=0) + gzip.compress(b"b\t2\n", mtime=0)
    make_output(volume / "wc", {"output.tsv.gz": data})
    assert printed(volume, "wc") == b"a\t1\n" * 100_000 + b"b\t2\n"
    assert hashlib.sha256(printed(volume, "wc", raw=True)).digest() == hashlib.sha256(data).digest()


def test_zstandard_output_of_several_frames_is_decompressed(volume):
    frames = [zstandard.ZstdCompressor().compress(text) for text in (b"a\t1\n" * 100_000, b"b\t2\n")]
    make_output(volume / "wc", {"output.tsv.zst": b"".join(frames)})
    assert printed(volume, "wc") == b"a\t1\n" * 100_000 + b"b\t2\n"


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_what_expands_a_thousandfold_is_printed_in_bounded_pieces(suffix):
    text = b"\0" * (64 << 20)
    data = gzip.compress(text, mtime=0) if suffix == ".gz" else zstandard.ZstdCompressor().compress(text)
    made = [len(piece) for piece in decompress.reader(f"output.tsv{suffix}", raw=False).feed(data)]
    assert sum(made) == len(text)
    assert max(made) <= 16 << 20


def test_truncated_output_is_told_of(volume):
    make_output(volume / "wc", {"output.tsv.gz": gzip.compress(b"a\t1\n" * 100)[:-9]})
    with pytest.raises(Broken, match=r"output.tsv.gz is truncated"):
        printed(volume, "wc")


def test_a_folder_that_is_no_output_is_refused(volume):
    (volume / "in").mkdir()
    with pytest.raises(Refused, match="in is no output of a job"):
        printed(volume, "in")


def test_an_output_whose_manifest_is_damaged_is_not_printed(volume):
    make_output(volume / "wc", {"output.tsv": b"a\t1\n", "output.tsw": b"b\t1\n"})
    manifest = volume / "wc" / "_manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"output.tsv", b"output.tsw"))
    with pytest.raises(Refused, match="damaged"):
        printed(volume, "wc")
