"""Parameters: text from the command line or the resource, as the program wants it.

They are given as `--param NAME=VALUE` or `spec.params`. Without more, `self.params` is a read-only
mapping of text. A class `Params` inside the job (annotated, a dataclass or a `msgspec.Struct`)
gives names, types and defaults:

    class TopWords(mr.Job):
        class Params:
            n: int = 10
            language: str

        def map(self, line):
            if len(line) > self.params.n: ...

Text becomes a bool, a number, bytes (in UTF-8), a path, or whatever msgspec makes of it; a list or dictionary is
given as JSON.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pathlib
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from mapreduce.errors import ProgramError, UserError

_HOW: Final = "give it with --param, or in spec.params"


class NoSuchParamError(UserError, KeyError):
    """The program asks for a parameter that was not given."""

    __str__ = Exception.__str__


class NoSuchParamAttributeError(UserError, AttributeError):
    """The same, asked for as an attribute."""


class Params(Mapping[str, str]):
    """What was given, as it was given: `self.params["n"]` or `self.params.n`, both a str."""

    __slots__ = ("_given",)

    def __init__(self, given: Mapping[str, str]) -> None:
        """Take the parameters by name."""
        self._given = dict(given)

    def __getitem__(self, name: str) -> str:
        """Return one parameter; raises `NoSuchParamError`."""
        try:
            return self._given[name]
        except KeyError:
            raise NoSuchParamError(self._missing(name)) from None

    def __getattr__(self, name: str) -> str:
        """Return one parameter; raises `NoSuchParamAttributeError`."""
        if name.startswith("_") or name not in self._given:
            raise NoSuchParamAttributeError(self._missing(name))
        return self._given[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self._given)

    def __len__(self) -> int:
        """Return how many were given."""
        return len(self._given)

    def __repr__(self) -> str:
        """Return them as a dictionary."""
        return f"Params({self._given!r})"

    def _missing(self, name: str) -> str:
        others = f"; there are {', '.join(self._given)}" if self._given else ""
        return f"the parameter {name!r} was not given{others}: {_HOW}"


class _Field(msgspec.Struct, frozen=True):
    name: str
    type: Any
    required: bool
    default: str


def bind(wanted: type | None, given: Mapping[str, str]) -> Any:
    """Return `self.params`: an instance of the job's class `Params`, or a mapping if it has none.

    Raises `ProgramError` for a parameter that is missing, unknown, or not of its type.
    """
    if wanted is None:
        return Params(given)
    fields = {field.name: field for field in _fields(wanted)}
    known = "the program knows " + (", ".join(map(_describe, fields.values())) or "no parameters")
    for name in given:
        if name not in fields:
            raise ProgramError(f"the program has no parameter {name!r}; {known}")
    for field in fields.values():
        if field.required and field.name not in given:
            raise ProgramError(f"the program needs the parameter {_describe(field)}: {_HOW}; {known}")
    values = {name: _convert(fields[name], text, known) for name, text in given.items()}
    try:
        return wanted(**values)
    except Exception as error:  # the user's own class checks its values
        raise ProgramError(f"the parameters are refused: {type(error).__name__}: {error}; {known}") from error


def _fields(wanted: type) -> list[_Field]:
    if issubclass(wanted, msgspec.Struct):
        return [_Field(field.name, field.type, field.required, repr(field.default)) for field in _of_struct(wanted)]
    types = _types(wanted)
    if not _is_decorated(wanted):
        _make_dataclass(wanted, types)
    fields: tuple[dataclasses.Field[Any], ...] = dataclasses.fields(wanted)  # type: ignore[arg-type]  # it is one
    return [_of_dataclass(field, types[field.name]) for field in fields if field.init]


def _is_decorated(cls: type) -> bool:
    """Tell whether a class is a dataclass itself: `dataclasses.is_dataclass` says so of every heir of one too."""
    return "__dataclass_fields__" in vars(cls)


def _make_dataclass(wanted: type, types: dict[str, Any]) -> None:
    """Make a dataclass of a plain class, with what it and all its plain bases annotate; the bases stay as they are."""
    known: set[str] = set()
    plain: set[str] = set()
    for cls in wanted.__mro__:
        said = set(types) & (set(vars(cls)) | set(inspect.get_annotations(cls)))
        if not _is_decorated(cls):
            _check_annotated(cls, types)
            plain |= said - known
        known |= said
    if not plain and dataclasses.is_dataclass(wanted):
        return
    wanted.__annotations__ = {name: kind for name, kind in types.items() if name in plain}
    for name in plain:
        # A dataclass takes such a default away from the class where it stands: here that must not be a base.
        if isinstance(value := getattr(wanted, name, None), dataclasses.Field):
            setattr(wanted, name, copy.copy(value))
    frozen = dataclasses.is_dataclass(wanted) and wanted.__dataclass_params__.frozen  # type: ignore[attr-defined]
    try:
        dataclasses.dataclass(kw_only=True, frozen=frozen)(wanted)
    except (TypeError, ValueError) as error:
        raise ProgramError(f"the class Params cannot be used: {error}") from error


def _of_struct(wanted: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    try:
        return msgspec.structs.fields(wanted)
    except (NameError, TypeError) as error:
        raise ProgramError(f"the types of the class Params cannot be found: {error}") from error


def _types(wanted: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(wanted, include_extras=True)
    except (NameError, TypeError, AttributeError) as error:
        raise ProgramError(f"the types of the class Params cannot be found: {error}") from error


def _of_dataclass(field: dataclasses.Field[Any], kind: Any) -> _Field:
    required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    default = "…" if field.default is dataclasses.MISSING else repr(field.default)
    return _Field(field.name, kind, required, default)


def _check_annotated(cls: type, types: dict[str, Any]) -> None:
    """Refuse a default without a type, which would never be set, and one that the program could change."""
    for name, value in vars(cls).items():
        if name in types and isinstance(value, (list, dict, set)):
            kind = type(value).__name__
            instead = "a tuple" if kind == "list" else f"dataclasses.field(default_factory={kind})"
            raise ProgramError(
                f"the default of Params.{name} is a {kind}, which could be changed: use {instead} instead"
            )
        plain = isinstance(value, (str, int, float, bool, list, tuple, dict, set, type(None)))
        if plain and not name.startswith("_") and name not in types:
            raise ProgramError(f"Params.{name} has no type: write {name}: {type(value).__name__} = {value!r:.80}")


def _convert(field: _Field, text: str, known: str) -> Any:
    if field.type is bytes:
        return text.encode()
    try:
        return msgspec.convert(text, field.type, strict=False, dec_hook=_extended)
    except (msgspec.ValidationError, TypeError) as error:
        fault: Exception = error
    if text[:1] in ("[", "{"):
        try:
            return msgspec.json.decode(text, type=field.type, dec_hook=_extended)
        except (msgspec.MsgspecError, TypeError) as error:
            fault = error
    raise ProgramError(
        f"the parameter {field.name} is {_name(field.type)}, which {text!r:.80} is not ({fault}); {known}"
    )


def _extended(kind: type, value: Any) -> Any:
    """Read what msgspec does not know."""
    if issubclass(kind, pathlib.PurePath) and isinstance(value, str):
        return kind(value)
    raise TypeError(f"parameters cannot be of the type {_name(kind)}")


def _describe(field: _Field) -> str:
    return f"{field.name}: {_name(field.type)}" + ("" if field.required else f" = {field.default}")


def _name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not typing.get_args(kind) else str(kind).replace("typing.", "")
