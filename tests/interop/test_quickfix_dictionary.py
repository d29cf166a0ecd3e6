"""QuickFIX reads our FIX44.xml, and judges messages by it as by the standard's facts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import portcullis.dictionaries

quickfix = pytest.importorskip("quickfix")

pytestmark = pytest.mark.interop

FIX44 = Path(portcullis.dictionaries.__file__).with_name("FIX44.xml")
ORDER = "35=D|34=2|49=A|52=20240101-00:00:00|56=B|11=x|40=2|54=1|60=20240101-00:00:00|"
EMAIL = "35=C|34=2|49=A|52=20240101-00:00:00|56=B|94=0|147=s|164=t|"
PARTIES = "453=1|448=a|447=D|452=3|802=2|523=y|803=2|523=z|803=3|"


@pytest.fixture(scope="module")
def dictionary() -> Any:
    return quickfix.DataDictionary(str(FIX44))


def judge(dictionary: Any, body: str) -> str:
    """Name of the exception that QuickFIX raises on a message, framed rightly; ok if none."""
    body = body.replace("|", "\x01")
    framed = f"8=FIX.4.4\x019={len(body)}\x01{body}"
    framed += f"10={sum(framed.encode()) % 256:03d}\x01"
    try:
        dictionary.validate(quickfix.Message(framed, dictionary, True))
    except Exception as error:
        return type(error).__name__
    return "ok"


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (ORDER, "ok"),
        (ORDER + "18=G Z|44=1.5|55=BTC-USD|", "ok"),
        (ORDER + PARTIES, "ok"),
        (ORDER.replace("54=1|", ""), "RequiredTagMissing"),
        (ORDER.replace("40=2", "40=5"), "IncorrectTagValue"),
        (ORDER + "38=ten|", "IncorrectDataFormat"),
        (ORDER + "268=1|", "TagNotDefinedForMessage"),
        (ORDER + "999=1|", "InvalidTagNumber"),
        (EMAIL + "33=2|58=a|58=b|", "ok"),
        (EMAIL + "33=1|354=1|355=b|", "RequiredTagMissing"),
        (EMAIL, "RequiredTagMissing"),
        (ORDER.replace("35=D", "35=ZZ"), "InvalidMessageType"),
    ],
)
def test_quickfix_judges_by_our_dictionary(dictionary: Any, body: str, verdict: str) -> None:
    assert judge(dictionary, body) == verdict
