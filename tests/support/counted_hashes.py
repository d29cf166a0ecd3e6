"""`portcullis` that tells which password hashes it computed, for tests.

The file named by PORTCULLIS_TEST_HASHES gets a line for each: its parameters n, r, p, written
once it is done. The arguments are a command line as usual.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any

from portcullis.tools.main import main

VARIABLE = "PORTCULLIS_TEST_HASHES"


def run() -> None:
    """The command line, with hashes that are told."""
    real = hashlib.scrypt

    def told(password: bytes, **terms: Any) -> bytes:
        digest = real(password, **terms)
        with open(os.environ[VARIABLE], "a") as file:
            file.write(f"{terms['n']} {terms['r']} {terms['p']}\n")
        return digest

    hashlib.scrypt = told
    main(prog_name="portcullis")


if __name__ == "__main__":
    run()
