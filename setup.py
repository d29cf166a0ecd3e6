"""Builds the hot modules as C extensions; everything static stands in pyproject.toml.

Environment:
    PORTCULLIS_REQUIRE_COMPILED=1  a missing C compiler is an error (default: build without)
    PORTCULLIS_PURE=1              compile nothing
    PORTCULLIS_CHECKED=1           keep every bounds check, whatever a function switched off
    PORTCULLIS_ANNOTATE=1          leave Cython's annotation pages beside the sources
"""

import os
import runpy
from pathlib import Path

from setuptools import Extension, setup

HERE = Path(__file__).parent
BUILD = runpy.run_path(str(HERE / "portcullis" / "_build.py"))
REQUIRE = os.environ.get("PORTCULLIS_REQUIRE_COMPILED") == "1"
PURE = os.environ.get("PORTCULLIS_PURE") == "1"
CHECKED = os.environ.get("PORTCULLIS_CHECKED") == "1"
ANNOTATE = os.environ.get("PORTCULLIS_ANNOTATE") == "1"
if REQUIRE and PURE:
    raise SystemExit("PORTCULLIS_REQUIRE_COMPILED=1 and PORTCULLIS_PURE=1 exclude each other")


def extensions():
    """One extension per hot module; each depends on the declarations whose C layouts it uses."""
    directives = {
        "language_level": "3",
        "embedsignature": True,
        "show_performance_hints": ANNOTATE,
    }
    made = []
    for name in BUILD["HOT_MODULES"]:
        extension = Extension(
            name,
            [name.replace(".", "/") + ".py"],
            depends=sorted(map(str, BUILD["declarations_of"](name))),
            extra_compile_args=["-O3", "-Wall", "-Wno-unused-function"],
            optional=not REQUIRE,
        )
        extension.cython_directives = directives
        made.append(extension)
    return made


def build_ext_class():
    """Cython's build_ext, with warnings of its own as errors; None where Cython is missing."""
    try:
        from Cython.Compiler import Options
        from Cython.Distutils import build_ext
    except ImportError:
        if REQUIRE:
            raise
        return None
    Options.warning_errors = True
    Options.annotate = ANNOTATE
    if CHECKED:
        keep_bounds_checks()
    return build_ext


def keep_bounds_checks():
    """Make Cython read each boundscheck(False) of the sources as boundscheck(True)."""
    from Cython.Compiler.ParseTreeTransforms import InterpretCompilerDirectives

    as_written = InterpretCompilerDirectives.try_to_parse_directive

    def checked(self, name, args, kwds, position):
        if name == "boundscheck":
            return name, True
        return as_written(self, name, args, kwds, position)

    InterpretCompilerDirectives.try_to_parse_directive = checked


command = None if PURE else build_ext_class()
if command is None:
    setup()
else:
    setup(ext_modules=extensions(), cmdclass={"build_ext": command})
