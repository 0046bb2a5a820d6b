from pathlib import Path

import pytest

from hack import check_sizes


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for folder in ("src", "operator/src", "tests/unit"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def test_small_modules_pass(tree: Path) -> None:
    (tree / "src" / "small.py").write_text("def one() -> int:\n    return 1\n")

    assert check_sizes.main() == 0


def test_a_module_over_the_limit_is_named_with_its_length(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "operator" / "src" / "long.py").write_text("x = 1\n" * 401)

    assert check_sizes.main() == 1
    assert capsys.readouterr().out == "operator/src/long.py: 401 lines, at most 400\n"


def test_a_function_over_the_limit_is_named_with_its_line(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "tests" / "unit" / "test_long.py").write_text("\nasync def long() -> None:\n" + "    x = 1\n" * 50)

    assert check_sizes.main() == 1
    assert capsys.readouterr().out == "tests/unit/test_long.py:2: long has 51 lines, at most 50\n"


@pytest.mark.parametrize("marker", ["operator/__init__.py", "tests/__init__.py", "tests/unit/__init__.py"])
def test_a_package_marker_where_none_may_stand_is_found(
    tree: Path, capsys: pytest.CaptureFixture[str], marker: str
) -> None:
    (tree / marker).touch()

    assert check_sizes.main() == 1
    assert capsys.readouterr().out.startswith(f"{marker}: ")
