"""Stands in for the `cython` module where Cython is not installed.

Hot modules open with `import cython`, or this where that is missing. Annotations are never
evaluated, so only what runs at import or in a function body is here: decorators do nothing,
declarations give their value back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

_T = TypeVar("_T")

compiled = False


def _same(thing: _T) -> _T:
    return thing


def _decorator(*_args: Any, **_kwargs: Any) -> Callable[[_T], _T]:
    return _same


class _NoGil:
    """Works as `@cython.nogil`, as `with cython.nogil:` and as `with cython.gil:`."""

    def __call__(self, thing: _T) -> _T:
        return thing

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_exc: object) -> None:
        return None


nogil = _NoGil()
gil = _NoGil()
cclass = cfunc = ccall = final = inline = internal = _same
boundscheck = wraparound = initializedcheck = cdivision = overflowcheck = _decorator
exceptval = returns = locals = freelist = nonecheck = infer_types = _decorator
annotation_typing = profile = linetrace = binding = _decorator

# Types appear in `declare` and `cast` calls, which run in plain Python too.
char = uchar = short = ushort = int = uint = long = longlong = ulonglong = size_t = None
Py_ssize_t = bint = double = void = None


def declare(_type: Any = None, value: Any = None, **_named: Any) -> Any:
    return value


def cast(_type: Any, value: _T, **_options: Any) -> _T:
    return value
