"""Memory of the engine's tables: as many words as asked for, all zero, whatever their pages."""

from __future__ import annotations

import pytest

from portcullis.engine.memory import zeroed


@pytest.mark.parametrize("count", [0, 1, 1000, (1 << 17) - 1, (1 << 18) + 3])
def test_memory_has_as_many_words_as_asked_for_and_they_are_zero(count: int) -> None:
    words = zeroed(count)
    assert len(words) == count
    assert not any(words)


def test_words_take_the_values_of_their_type() -> None:
    signed, unsigned = zeroed(1), zeroed(1, "Q")
    signed[0] = -(2**63)
    unsigned[0] = 2**64 - 1
    assert (signed[0], unsigned[0]) == (-(2**63), 2**64 - 1)
