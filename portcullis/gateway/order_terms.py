"""What becomes of each body field of NewOrderSingle(D) and OrderCancelReplaceRequest(G).

Owns the one table that the translation obeys and that docs/rules-of-engagement.md shows ("Order
terms": a test renders it and compares), so code and document cannot differ. Every field that FIX
4.4 defines for D or G is named here; a field that is not (from a widened dictionary) is refused
as well. No field is ignored: an order with a term that we do not carry out is not the order that
the client meant, and is refused by the field's name.

Honoured: decides how the order trades. Carried: stored with the order and sent back on each of
its reports, after a restart too. Kept: stored in the journal with the order, not sent back,
because ExecutionReport(8) has no such field, or none that stands alone. Refused: the order is
answered with 103=11 and a text that names the field. `values` names those few values of a field
whose meaning is what we do anyway; any other is refused.

Must not know bytes, rows or sessions.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Use(IntEnum):
    """What is done with a field."""

    HONOURED = 1
    CARRIED = 2
    KEPT = 3
    REFUSED = 4


class Term(NamedTuple):
    """One field; `messages` holds the MsgTypes that have it, `values` the only ones taken."""

    tag: int
    name: str
    messages: str
    use: Use
    values: tuple[str, ...]
    reason: str

    @property
    def label(self) -> str:
        """The field as texts name it: ExecInst(18)."""
        return f"{self.name}({self.tag})"


class _Block(NamedTuple):
    use: Use
    reason: str
    fields: str
    values: tuple[str, ...] = ()


# Fields that only one of the two messages has.
_ONLY = {"D": {23, 81, 117, 140, 232, 233, 234}, "G": {37, 41, 66, 586}}

_BLOCKS = (
    # --- honoured ------------------------------------------------------------------------------
    _Block(
        Use.HONOURED,
        "Names the order: unique over the day's D and G and over live orders, up to 36 characters",
        "11 ClOrdID",
    ),
    _Block(
        Use.HONOURED,
        "Name the order to be replaced; the first is required, the second must agree if sent",
        "41 OrigClOrdID, 37 OrderID",
    ),
    _Block(
        Use.HONOURED,
        "The session's account, or another that it may name; absent: its default. "
        "Each report carries it",
        "1 Account",
    ),
    _Block(
        Use.HONOURED,
        "The instrument: 55 as configured, or 48 with 22=8; both must agree. "
        "55 is on each report, 48 and 22 if sent",
        "55 Symbol, 48 SecurityID, 22 SecurityIDSource",
    ),
    _Block(
        Use.HONOURED,
        "Buy, sell; short sales (5, 6) where the instrument allows short marking",
        "54 Side",
        ("1", "2", "5", "6"),
    ),
    _Block(
        Use.HONOURED,
        "A positive multiple of the lot, up to the instrument's bound; in G the new total",
        "38 OrderQty",
    ),
    _Block(Use.HONOURED, "Market, limit", "40 OrdType", ("1", "2")),
    _Block(
        Use.HONOURED,
        "Of limit orders: a positive multiple of the tick, up to the instrument's bound. "
        "A market order with a price is refused",
        "44 Price",
    ),
    _Block(
        Use.HONOURED,
        "Day (the default), good till cancel, immediate or cancel, fill or kill",
        "59 TimeInForce",
        ("0", "1", "3", "4"),
    ),
    # --- carried -------------------------------------------------------------------------------
    _Block(Use.CARRIED, "Sent back digit for digit", "60 TransactTime"),
    _Block(
        Use.CARRIED,
        "All orders are executed automatically, whichever value is sent",
        "21 HandlInst",
    ),
    _Block(
        Use.CARRIED,
        "Yours; on a report that has a text of ours, ours stands in its place",
        "58 Text",
    ),
    _Block(
        Use.CARRIED,
        "References and labels of the client's own, without effect on the order",
        "15 Currency, 106 Issuer, 107 SecurityDesc, 376 ComplianceID, 377 SolicitedFlag, "
        "481 MoneyLaunderingStatus, 494 Designation, 513 RegistID, 526 SecondaryClOrdID, "
        "528 OrderCapacity, 529 OrderRestrictions, 581 AccountType, 582 CustOrderCapacity, "
        "583 ClOrdLinkID",
    ),
    _Block(
        Use.CARRIED,
        "The whole group, in the order sent",
        "453 NoPartyIDs, 448 PartyID, 447 PartyIDSource, 452 PartyRole, 802 NoPartySubIDs, "
        "523 PartySubID, 803 PartySubIDType",
    ),
    _Block(Use.CARRIED, "Regular settlement is what we do", "63 SettlType", ("0",)),
    _Block(Use.CARRIED, "Per unit is how we read prices", "423 PriceType", ("2",)),
    _Block(Use.CARRIED, "Cash is how we trade", "544 CashMargin", ("1",)),
    _Block(Use.CARRIED, "Account(1) is a name of ours", "660 AcctIDSource", ("99",)),
    _Block(Use.CARRIED, "Regular booking is what we do", "775 BookingType", ("0",)),
    _Block(Use.CARRIED, "Units is how we read quantities", "854 QtyType", ("0",)),
    # --- kept ----------------------------------------------------------------------------------
    _Block(
        Use.KEPT,
        "Stored; ExecutionReport(8) has no such field",
        "100 ExDestination, 140 PrevClosePx",
    ),
    _Block(
        Use.KEPT,
        "Stored; sending it back would need MessageEncoding(347)",
        "348 EncodedIssuerLen, 349 EncodedIssuer, 350 EncodedSecurityDescLen, "
        "351 EncodedSecurityDesc, 354 EncodedTextLen, 355 EncodedText",
    ),
    _Block(Use.KEPT, "Stored; regular processing is what we do", "81 ProcessCode", ("0",)),
    _Block(
        Use.KEPT,
        "Stored; N is what we do",
        "114 LocateReqd, 121 ForexReq",
        ("N",),
    ),
    # --- refused -------------------------------------------------------------------------------
    _Block(Use.REFUSED, "Execution instructions are not carried out", "18 ExecInst"),
    _Block(Use.REFUSED, "No stop orders", "99 StopPx"),
    _Block(
        Use.REFUSED,
        "No minimum, hidden, cash, percentage or second-leg quantities",
        "110 MinQty, 111 MaxFloor, 210 MaxShow, 152 CashOrderQty, 516 OrderPercent, "
        "468 RoundingDirection, 469 RoundingModulus, 192 OrderQty2",
    ),
    _Block(
        Use.REFUSED,
        "An order works at once, until its time in force ends it",
        "126 ExpireTime, 168 EffectiveTime, 432 ExpireDate, 427 GTBookingInst, "
        "386 NoTradingSessions, 336 TradingSessionID, 625 TradingSessionSubID",
    ),
    _Block(
        Use.REFUSED,
        "No pegs, discretion, strategies or second prices",
        "211 PegOffsetValue, 835 PegMoveType, 836 PegOffsetType, 837 PegLimitType, "
        "838 PegRoundDirection, 840 PegScope, 388 DiscretionInst, 389 DiscretionOffsetValue, "
        "841 DiscretionMoveType, 842 DiscretionOffsetType, 843 DiscretionLimitType, "
        "844 DiscretionRoundDirection, 846 DiscretionScope, 847 TargetStrategy, "
        "848 TargetStrategyParameters, 849 ParticipationRate, 640 Price2",
    ),
    _Block(
        Use.REFUSED,
        "An order stands alone: no lists, quotes or indications behind it",
        "66 ListID, 23 IOIID, 117 QuoteID",
    ),
    _Block(
        Use.REFUSED,
        "A guard that we do not check: the order is found by its ids alone",
        "586 OrigOrdModTime",
    ),
    _Block(
        Use.REFUSED,
        "No allocation, booking or clearing instructions",
        "70 AllocID, 78 NoAllocs, 79 AllocAccount, 80 AllocQty, 467 IndividualAllocID, "
        "661 AllocAcctIDSource, 736 AllocSettlCurrency, 539 NoNestedPartyIDs, "
        "524 NestedPartyID, 525 NestedPartyIDSource, 538 NestedPartyRole, "
        "804 NoNestedPartySubIDs, 545 NestedPartySubID, 805 NestedPartySubIDType, "
        "589 DayBookingInst, 590 BookingUnit, 591 PreallocMethod, 635 ClearingFeeIndicator",
    ),
    _Block(
        Use.REFUSED,
        "Commission, trade date, settlement and cancellation rights are not the order's to set",
        "12 Commission, 13 CommType, 479 CommCurrency, 497 FundRenewWaiv, 64 SettlDate, "
        "193 SettlDate2, 75 TradeDate, 120 SettlCurrency, 480 CancellationRights",
    ),
    _Block(
        Use.REFUSED,
        "No derivatives' position instructions",
        "77 PositionEffect, 203 CoveredOrUncovered",
    ),
    _Block(
        Use.REFUSED,
        "The instrument is named by Symbol(55) or SecurityID(48) alone: "
        "anything else said of it could name another",
        "65 SymbolSfx, 167 SecurityType, 762 SecuritySubType, 200 MaturityMonthYear, "
        "541 MaturityDate, 201 PutOrCall, 202 StrikePrice, 947 StrikeCurrency, "
        "206 OptAttribute, 207 SecurityExchange, 223 CouponRate, 224 CouponPaymentDate, "
        "225 IssueDate, 226 RepurchaseTerm, 227 RepurchaseRate, 228 Factor, "
        "231 ContractMultiplier, 239 RepoCollateralSecurityType, 240 RedemptionDate, "
        "255 CreditRating, 454 NoSecurityAltID, 455 SecurityAltID, 456 SecurityAltIDSource, "
        "460 Product, 461 CFICode, 470 CountryOfIssue, 471 StateOrProvinceOfIssue, "
        "472 LocaleOfIssue, 543 InstrRegistry, 667 ContractSettlMonth, 691 Pool, "
        "864 NoEvents, 865 EventType, 866 EventDate, 867 EventPx, 868 EventText, "
        "873 DatedDate, 874 InterestAccrualDate, 875 CPProgram, 876 CPRegType",
    ),
    _Block(
        Use.REFUSED,
        "No financing terms",
        "913 AgreementDesc, 914 AgreementID, 915 AgreementDate, 918 AgreementCurrency, "
        "788 TerminationType, 916 StartDate, 917 EndDate, 919 DeliveryType, 898 MarginRatio, "
        "229 TradeOriginationDate",
    ),
    _Block(
        Use.REFUSED,
        "No stipulations, yields or benchmarks",
        "232 NoStipulations, 233 StipulationType, 234 StipulationValue, 235 YieldType, "
        "236 Yield, 701 YieldCalcDate, 696 YieldRedemptionDate, 697 YieldRedemptionPrice, "
        "698 YieldRedemptionPriceType, 218 Spread, 220 BenchmarkCurveCurrency, "
        "221 BenchmarkCurveName, 222 BenchmarkCurvePoint, 662 BenchmarkPrice, "
        "663 BenchmarkPriceType, 699 BenchmarkSecurityID, 761 BenchmarkSecurityIDSource",
    ),
    _Block(
        Use.REFUSED,
        "No underlyings",
        "711 NoUnderlyings, 311 UnderlyingSymbol, 312 UnderlyingSymbolSfx, "
        "309 UnderlyingSecurityID, 305 UnderlyingSecurityIDSource, "
        "457 NoUnderlyingSecurityAltID, 458 UnderlyingSecurityAltID, "
        "459 UnderlyingSecurityAltIDSource, 462 UnderlyingProduct, 463 UnderlyingCFICode, "
        "310 UnderlyingSecurityType, 763 UnderlyingSecuritySubType, "
        "313 UnderlyingMaturityMonthYear, 542 UnderlyingMaturityDate, 315 UnderlyingPutOrCall, "
        "241 UnderlyingCouponPaymentDate, 242 UnderlyingIssueDate, "
        "243 UnderlyingRepoCollateralSecurityType, 244 UnderlyingRepurchaseTerm, "
        "245 UnderlyingRepurchaseRate, 246 UnderlyingFactor, 256 UnderlyingCreditRating, "
        "595 UnderlyingInstrRegistry, 592 UnderlyingCountryOfIssue, "
        "593 UnderlyingStateOrProvinceOfIssue, 594 UnderlyingLocaleOfIssue, "
        "247 UnderlyingRedemptionDate, 316 UnderlyingStrikePrice, "
        "941 UnderlyingStrikeCurrency, 317 UnderlyingOptAttribute, "
        "436 UnderlyingContractMultiplier, 435 UnderlyingCouponRate, "
        "308 UnderlyingSecurityExchange, 306 UnderlyingIssuer, 362 EncodedUnderlyingIssuerLen, "
        "363 EncodedUnderlyingIssuer, 307 UnderlyingSecurityDesc, "
        "364 EncodedUnderlyingSecurityDescLen, 365 EncodedUnderlyingSecurityDesc, "
        "877 UnderlyingCPProgram, 878 UnderlyingCPRegType, 318 UnderlyingCurrency, "
        "879 UnderlyingQty, 810 UnderlyingPx, 882 UnderlyingDirtyPrice, "
        "883 UnderlyingEndPrice, 884 UnderlyingStartValue, 885 UnderlyingCurrentValue, "
        "886 UnderlyingEndValue, 887 NoUnderlyingStips, 888 UnderlyingStipType, "
        "889 UnderlyingStipValue",
    ),
)


def _expand() -> dict[int, Term]:
    terms: dict[int, Term] = {}
    for block in _BLOCKS:
        for entry in block.fields.split(", "):
            number, name = entry.split(" ")
            tag = int(number)
            messages = next((m for m, tags in _ONLY.items() if tag in tags), "DG")
            terms[tag] = Term(tag, name, messages, block.use, block.values, block.reason)
    return terms


TERMS: dict[int, Term] = _expand()

# Members of the one group that is carried: it ends with the first field that is none of these.
CARRIED_GROUP = 453
CARRIED_GROUP_MEMBERS = frozenset({448, 447, 452, 802, 523, 803})


def refused_text(tag: int, value: str = "") -> str:
    """Text(58) that refuses a field, or one value of it."""
    term = TERMS.get(tag)
    label = term.label if term else f"tag {tag}"
    return f"Unsupported order term: {label}" + (f"={value}" if value else "")


def markdown_table() -> str:
    """The table as docs/rules-of-engagement.md shows it."""
    lines = ["| Fields | Use | Why |", "|---|---|---|"]
    for block in _BLOCKS:
        labels = []
        for entry in block.fields.split(", "):
            term = TERMS[int(entry.split(" ")[0])]
            only = "" if len(term.messages) == 2 else f" ({term.messages} only)"
            labels.append(term.label + only)
        taken = f", only {', '.join(block.values)}" if block.values else ""
        use = block.use.name.lower() + taken
        lines.append(f"| {', '.join(labels)} | {use} | {block.reason} |")
    return "\n".join(lines) + "\n"
