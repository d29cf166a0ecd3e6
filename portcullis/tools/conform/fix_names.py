"""Names of FIX 4.4 message types and fields, for scenarios that use them and for reports.

A list of this tool's own: what it calls a field does not come from a gateway's dictionary.
"""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "0": "Heartbeat",
    "1": "TestRequest",
    "2": "ResendRequest",
    "3": "Reject",
    "4": "SequenceReset",
    "5": "Logout",
    "8": "ExecutionReport",
    "9": "OrderCancelReject",
    "A": "Logon",
    "AF": "OrderMassStatusRequest",
    "B": "News",
    "C": "Email",
    "D": "NewOrderSingle",
    "F": "OrderCancelRequest",
    "G": "OrderCancelReplaceRequest",
    "H": "OrderStatusRequest",
    "d": "SecurityDefinition",
    "j": "BusinessMessageReject",
    "q": "OrderMassCancelRequest",
    "r": "OrderMassCancelReport",
}
TYPES: dict[str, str] = {name: msg_type for msg_type, name in MESSAGES.items()}

FIELDS: dict[int, str] = {
    1: "Account",
    6: "AvgPx",
    7: "BeginSeqNo",
    8: "BeginString",
    9: "BodyLength",
    10: "CheckSum",
    11: "ClOrdID",
    14: "CumQty",
    16: "EndSeqNo",
    17: "ExecID",
    18: "ExecInst",
    19: "ExecRefID",
    21: "HandlInst",
    22: "SecurityIDSource",
    31: "LastPx",
    32: "LastQty",
    34: "MsgSeqNum",
    35: "MsgType",
    36: "NewSeqNo",
    37: "OrderID",
    38: "OrderQty",
    39: "OrdStatus",
    40: "OrdType",
    41: "OrigClOrdID",
    43: "PossDupFlag",
    44: "Price",
    45: "RefSeqNum",
    48: "SecurityID",
    49: "SenderCompID",
    50: "SenderSubID",
    52: "SendingTime",
    54: "Side",
    55: "Symbol",
    56: "TargetCompID",
    57: "TargetSubID",
    58: "Text",
    59: "TimeInForce",
    60: "TransactTime",
    97: "PossResend",
    98: "EncryptMethod",
    99: "StopPx",
    102: "CxlRejReason",
    103: "OrdRejReason",
    108: "HeartBtInt",
    112: "TestReqID",
    115: "OnBehalfOfCompID",
    116: "OnBehalfOfSubID",
    122: "OrigSendingTime",
    123: "GapFillFlag",
    128: "DeliverToCompID",
    129: "DeliverToSubID",
    141: "ResetSeqNumFlag",
    142: "SenderLocationID",
    143: "TargetLocationID",
    144: "OnBehalfOfLocationID",
    145: "DeliverToLocationID",
    150: "ExecType",
    151: "LeavesQty",
    371: "RefTagID",
    372: "RefMsgType",
    373: "SessionRejectReason",
    378: "ExecRestatementReason",
    379: "BusinessRejectRefID",
    380: "BusinessRejectReason",
    383: "MaxMessageSize",
    424: "DayOrderQty",
    425: "DayCumQty",
    426: "DayAvgPx",
    434: "CxlRejResponseTo",
    447: "PartyIDSource",
    448: "PartyID",
    452: "PartyRole",
    453: "NoPartyIDs",
    526: "SecondaryClOrdID",
    527: "SecondaryExecID",
    530: "MassCancelRequestType",
    531: "MassCancelResponse",
    532: "MassCancelRejectReason",
    533: "TotalAffectedOrders",
    553: "Username",
    554: "Password",
    584: "MassStatusReqID",
    585: "MassStatusReqType",
    789: "NextExpectedMsgSeqNum",
    790: "OrdStatusReqID",
    851: "LastLiquidityInd",
    911: "TotNumReports",
    912: "LastRptRequested",
}
# What stands in the header behind 8, 9, 35.
HEADER = frozenset(
    int(tag)
    for tag in "34 43 49 50 52 56 57 90 91 97 115 116 122 128 129 142 143 144 145 212 213"
    " 347 369 627".split()
)
# Compared as numbers, for "5" and "5.00" are one quantity.
NUMBERS = frozenset((6, 14, 31, 32, 38, 44, 99, 151, 424, 425, 426))
# Never shown.
SECRETS = frozenset((95, 96, 554, 925, 1400, 1401, 1402, 1403, 1404))


def field_name(tag: str) -> str:
    """A tag with its name, as in ClOrdID(11)."""
    name = FIELDS.get(int(tag)) if tag.isdigit() else None
    return f"{name}({tag})" if name else tag


def message_name(msg_type: str) -> str:
    """A MsgType with its name, as in Logon(A)."""
    name = MESSAGES.get(msg_type)
    return f"{name}({msg_type})" if name else f"MsgType {msg_type}"
