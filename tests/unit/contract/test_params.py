"""Parameters: text in, what the program declares out, or a refusal that helps."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Annotated

import msgspec
import pytest

from mapreduce.errors import ProgramError, UserError
from mapreduce.params import bind


class Plain:
    count: int
    word: str = "the"
    share: float = 0.5
    loud: bool = False
    sizes: list[int] | None = None


@dataclasses.dataclass
class Data:
    count: int
    word: str = "the"

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("count must not be negative")


class Checked(msgspec.Struct):
    count: Annotated[int, msgspec.Meta(ge=1)]
    word: str = "the"


class Untyped:
    count = 3


class Growing:
    words: list[str] = []  # noqa: RUF012 - what is refused


class Keyed:
    words: dict[str, int] = {}  # noqa: RUF012 - what is refused


def test_without_a_class_they_are_a_mapping_of_text_with_attributes():
    params = bind(None, {"n": "3"})
    assert (params.n, params["n"], params.get("m"), dict(params)) == ("3", "3", None, {"n": "3"})
    assert not hasattr(params, "m")
    with pytest.raises(TypeError):
        params["n"] = "4"


@pytest.mark.parametrize("ask", [lambda params: params["m"], lambda params: params.m])
def test_one_that_was_not_given_is_named_with_those_that_were(ask):
    with pytest.raises(
        UserError, match=r"the parameter 'm' was not given; there are n, o: give it with --param"
    ) as caught:
        ask(bind(None, {"n": "3", "o": "4"}))
    assert isinstance(caught.value, (KeyError, AttributeError))


def test_where_none_was_given_none_is_named():
    with pytest.raises(UserError, match=r"^the parameter 'm' was not given: give it with --param"):
        bind(None, {})["m"]


def test_an_annotated_class_gives_types_and_defaults():
    params = bind(Plain, {"count": "12", "share": "1e-3", "loud": "true", "sizes": "[1, 2]", "word": "12"})
    assert (params.count, params.share, params.loud, params.sizes, params.word) == (12, 0.001, True, [1, 2], "12")
    assert bind(Plain, {"count": "1"}).word == "the"


@pytest.mark.parametrize("wanted", [Data, Checked])
def test_dataclasses_and_structs_do_too(wanted):
    assert bind(wanted, {"count": "12"}) == wanted(count=12, word="the")


@pytest.mark.parametrize(
    ("wanted", "given", "message"),
    [
        (Plain, {}, r"needs the parameter count: int: give it with --param.*knows count: int, word: str = 'the'"),
        (Plain, {"count": "1", "cuont": "2"}, r"has no parameter 'cuont'; the program knows count: int"),
        (Plain, {"count": "many"}, r"the parameter count is int, which 'many' is not"),
        (Plain, {"count": "1", "sizes": "[1,"}, r"the parameter sizes is list\[int\] | None, which '\[1,' is not"),
        (Data, {"count": "-1"}, r"ValueError: count must not be negative"),
        (Checked, {"count": "0"}, r"which '0' is not \(Expected `int` >= 1\)"),
        (Untyped, {}, r"Params.count has no type: write count: int = 3"),
        (Growing, {}, r"default of Params.words is a list, which could be changed: use a tuple instead"),
        (Keyed, {}, r"Params.words is a dict, .*: use dataclasses.field\(default_factory=dict\) instead"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_name_the_type_and_what_is_known(wanted, given, message):
    with pytest.raises(ProgramError, match=message):
        bind(wanted, given)


def family():
    """Return fresh classes of parameters that inherit: a dataclass keeps a mark of having been used."""

    class Common:
        n: int = 10
        words: list[str] = dataclasses.field(default_factory=list)

    class Heir(Common):
        k: int = 1

    class Changed(Heir):
        n = 20

    class OfData(Data):
        k: int = 1
        word = "a"

    @dataclasses.dataclass(frozen=True)
    class Frozen:
        n: int

    class OfFrozen(Frozen):
        k: int = 1

    return Common, Heir, Changed, OfData, OfFrozen


@pytest.mark.parametrize("used_before", [False, True])
def test_what_params_inherit_counts_whatever_was_bound_before(used_before):
    common, heir, changed, of_data, of_frozen = family()
    if used_before:
        assert bind(common, {}).n == 10
        assert bind(heir, {}).k == 1
    made = bind(heir, {"n": "5", "k": "2", "words": '["a"]'})
    assert (made.n, made.k, made.words) == (5, 2, ["a"])
    assert (bind(heir, {}).n, bind(heir, {}).words, bind(changed, {}).n) == (10, [], 20)
    assert bind(changed, {"n": "3"}).n == 3
    made = bind(of_data, {"count": "3", "k": "2"})
    assert (made.count, made.word, made.k) == (3, "a", 2)
    with pytest.raises(ProgramError, match="must not be negative"):
        bind(of_data, {"count": "-1"})
    assert bind(of_frozen, {"n": "3", "k": "2"}) == of_frozen(n=3, k=2)
    assert bind(common, {"n": "4"}).words == []
    with pytest.raises(ProgramError, match=r"no parameter 'k'; the program knows n: int = 10, words: list\[str\] = …"):
        bind(common, {"k": "4"})


class Extended:
    separator: bytes = b","
    stops: pathlib.Path = pathlib.Path("stops.txt")
    others: tuple[pathlib.PurePosixPath, ...] = ()


def test_bytes_are_the_text_that_was_given_and_paths_are_paths():
    params = bind(Extended, {"separator": "abcd", "stops": "a/b.txt", "others": '["c", "d"]'})
    assert (params.separator, params.stops) == (b"abcd", pathlib.Path("a/b.txt"))
    assert params.others == (pathlib.PurePosixPath("c"), pathlib.PurePosixPath("d"))


class Odd:
    sink: Plain


def test_a_type_that_no_text_can_be_is_refused_by_its_name():
    with pytest.raises(ProgramError, match="the parameter sink is Plain, which"):
        bind(Odd, {"sink": "x"})
