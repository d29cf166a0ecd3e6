"""No secret stays, whatever surrounds it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcullis.gateway.redaction import redact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8=FIX.4.4|35=A|553=me|554=hush|925=hush|10=001|",
         "8=FIX.4.4|35=A|553=me|554=***|925=***|10=001|"),
        ("35=A|95=9|96=hush|hush|108=30|10=001|", "35=A|95=9|96=***|108=30|10=001|"),
        ("35=BE|1401=4|1402=hush|1404=hush|10=001|", "35=BE|1401=***|1402=***|1404=***|10=001|"),
        ("35=A|95=10|96=***|10=001|", "35=A|95=10|96=***|10=001|"),
        # A length that is not true, and none at all.
        ("35=A|95=3|96=hush|hush|10=001|8=", "35=A|95=3|96=***|10=001|8="),
        ("35=A|96=hush|hush|10=001|", "35=A|96=***|10=001|"),
        ("35=A|95=99999|96=hush|hush", "35=A|95=99999|96=***"),
        ("554=hush", "554=***"),
        ("35=D|0554=hush|00554=hush|", "35=D|0554=***|00554=***|"),
        ("35=D|11=1554=a|1554=b|38=96|", "35=D|11=1554=a|1554=b|38=96|"),
    ],
)  # fmt: skip
def test_values_go_and_the_rest_stays(text: str, expected: str) -> None:
    assert redact(text.replace("|", "\x01").encode()) == expected.replace("|", "\x01").encode()


@given(
    st.sampled_from([b"554", b"925", b"1400"]),
    st.binary(max_size=40).map(lambda octets: octets.replace(b"\x01", b"")),
    st.binary(max_size=40).filter(lambda octets: not octets[-1:].isdigit()),
)
def test_a_plain_secret_goes_from_any_surroundings(
    tag: bytes, secret: bytes, before: bytes
) -> None:
    found = redact(before + tag + b"=hush" + secret + b"\x01" + before)
    assert b"hush" not in found
