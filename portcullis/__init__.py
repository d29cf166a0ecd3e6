"""Portcullis, an order gateway: FIX 4.4 in, matched, journaled, reports out.

The packages, from the bottom up: dictionaries, codecs, sessions; journal, engine, venues;
gateway, client, tools. docs/architecture.md shows how an order goes through them.
"""

from portcullis._build import choose_mode
from portcullis._version import VERSION as __version__

choose_mode()

__all__ = ["__version__"]
