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
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).parent
BUILD = runpy.run_path(str(HERE / "portcullis" / "_build.py"))
HOT_MODULES = BUILD["HOT_MODULES"]
SHARED_MODULE = BUILD["SHARED_MODULE"]
declarations_of = BUILD["declarations_of"]
REQUIRE = os.environ.get("PORTCULLIS_REQUIRE_COMPILED") == "1"
PURE = os.environ.get("PORTCULLIS_PURE") == "1"
CHECKED = os.environ.get("PORTCULLIS_CHECKED") == "1"
ANNOTATE = os.environ.get("PORTCULLIS_ANNOTATE") == "1"
if REQUIRE and PURE:
    raise SystemExit("PORTCULLIS_REQUIRE_COMPILED=1 and PORTCULLIS_PURE=1 exclude each other")


def extensions():
    """One extension per hot module, and one with the C code of memoryviews that all of them use.

    Each depends on the declarations whose C layouts it uses.
    """
    flags = ["-O3", "-g0", "-Wall", "-Wno-unused-function"]
    shared = SHARED_MODULE.replace(".", "/") + ".c"  # written by Cython
    return [
        Extension(SHARED_MODULE, [shared], extra_compile_args=flags, optional=not REQUIRE),
        *(
            Extension(
                name,
                [name.replace(".", "/") + ".py"],
                depends=sorted(map(str, declarations_of(name))),
                extra_compile_args=flags,
                optional=not REQUIRE,
            )
            for name in HOT_MODULES
        ),
    ]


class BuildHotModules(build_ext):
    """Translates all hot modules, then compiles the C, both on all processors.

    Warnings of Cython are errors. The code that every module with a memoryview needs is compiled
    once and shared: a third of the time, and a third of the size.
    """

    def build_extensions(self):
        try:
            from Cython.Build import cythonize
            from Cython.Compiler import Options
        except ImportError:
            if REQUIRE:
                raise
            return
        Options.warning_errors = True
        Options.annotate = ANNOTATE
        if CHECKED:
            keep_bounds_checks()
        processors = os.cpu_count() or 1
        translated = cythonize(
            self.extensions,
            nthreads=processors,
            quiet=True,
            force=self.force,
            shared_utility_qualified_name=SHARED_MODULE,
            compiler_directives={
                "language_level": "3",
                "embedsignature": True,
                "show_performance_hints": ANNOTATE,
            },
        )
        for extension, made in zip(self.extensions, translated, strict=True):
            extension.sources = made.sources
        self.parallel = processors
        super().build_extensions()


def keep_bounds_checks():
    """Make Cython read each boundscheck(False) of the sources as boundscheck(True)."""
    from Cython.Compiler.ParseTreeTransforms import InterpretCompilerDirectives

    as_written = InterpretCompilerDirectives.try_to_parse_directive

    def checked(self, name, args, kwds, position):
        if name == "boundscheck":
            return name, True
        return as_written(self, name, args, kwds, position)

    InterpretCompilerDirectives.try_to_parse_directive = checked


if PURE:
    setup()
else:
    setup(ext_modules=extensions(), cmdclass={"build_ext": BuildHotModules})
