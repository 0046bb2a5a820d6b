from pathlib import Path

import pytest

from hack import check_page


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for folder in (check_page.SOURCES, check_page.BUNDLE):
        folder.mkdir(parents=True)
    (check_page.SOURCES / "dom.ts").write_text("element.textContent = text;\n")
    (check_page.BUNDLE / "page.js").write_text("e.textContent=t\n")
    (check_page.BUNDLE / "page.css").write_text("p{margin:0}\n")
    return tmp_path


def test_a_page_that_knows_only_text_passes(tree: Path) -> None:
    assert check_page.main() == 0


@pytest.mark.parametrize(
    "line",
    [
        "element.innerHTML = name;",
        "element.outerHTML = name;",
        "element.insertAdjacentHTML('beforeend', name);",
        "document.write(name);",
        "const made = '<p style=\"x\">';",
        "element.style.cssText = name;",
        "element.setAttribute('style', name);",
        "eval(name);",
        "const made = new Function(name);",
        "setTimeout('alert(1)', 5);",
        "fetch('https://elsewhere.example');",
        "localStorage.token = token;",
    ],
)
def test_what_runs_text_or_reaches_elsewhere_is_found_in_sources_and_bundle(
    tree: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    for path in (check_page.SOURCES / "view.ts", check_page.BUNDLE / "page.js"):
        path.write_text(f"const a = 1;\n{line}\n")

    assert check_page.main() == 1
    told = capsys.readouterr().out
    assert f"{check_page.SOURCES}/view.ts:2:" in told
    assert f"{check_page.BUNDLE}/page.js:2:" in told


def test_a_bundle_cannot_end_the_element_that_it_stands_in(tree: Path) -> None:
    (check_page.BUNDLE / "page.js").write_text('const a = "</SCRIPT>";\n')

    assert check_page.main() == 1


def test_a_style_that_loads_something_is_found(tree: Path) -> None:
    (check_page.BUNDLE / "page.css").write_text("p{background:url(//elsewhere.example/a.png)}\n")

    assert check_page.main() == 1


def test_long_functions_and_modules_are_named(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = "    x();\n" * 60
    (check_page.SOURCES / "long.ts").write_text(f"class A {{\n  private draw(): void {{\n{body}  }}\n}}\n")
    (check_page.SOURCES / "longer.ts").write_text("x();\n" * 401)

    assert check_page.main() == 1
    told = capsys.readouterr().out
    assert "long.ts:2: a function of 62 lines" in told
    assert "longer.ts: 401 lines" in told
