"""Statements in the format camt.053 of ISO 20022, versions 02 to 13. Names of elements are those of its schema."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from wallets.exceptions import StatementRefused
from wallets.statements.lines import (
    LONGEST_REFERENCE,
    Head,
    Line,
    LineKind,
    StatementFile,
    amount_of,
    day_of,
    printable,
    reference_of,
)
from wallets.statements.sources import StatementSource

_DEEPEST: Final = 40
_MOST_BEFORE: Final = 1000
_PATH: Final = ("Document", "BkToCstmrStmt", "Stmt")
_OPENING: Final = ("OPBD", "PRCD")  # opening booked, previously closed booked
_CLOSING: Final = ("CLBD",)
_RETURNED: Final = frozenset({"RRTN", "ARET", "RPCR"})  # sub-families of the ISO 20022 External Code Sets
_OWN_REFERENCES: Final = ("AcctSvcrRef", "AcctSvcrTxId", "Prtry/Ref")  # written by our bank, never by the payer
_SEVERAL: Final = "several payments in one entry, whose amounts the bank does not tell"


def read_camt(source: StatementSource, *, today: date) -> StatementFile:
    """Read a statement up to its first entry. Raises StatementRefused, also while the lines are read."""
    parts = _parts(source)
    before: list[Element] = []
    first = next(parts, None)
    while first is not None and _name(first) != "Ntry":
        before.append(first)
        if len(before) > _MOST_BEFORE:
            raise StatementRefused("The statement has too many balances.")
        first = next(parts, None)
    return StatementFile(head=_head(before), lines=_lines(first, parts, today=today))


def _parts(source: StatementSource) -> Iterator[Element]:
    """Yield each member of the file's only `Stmt`, and forget it."""
    path: list[Element] = []
    statements = 0
    try:
        for event, element in iterparse(source, events=("start", "end"), forbid_dtd=True):
            if event == "start":
                path.append(element)
                statements += _begin(path)
                continue
            path.pop()
            if len(path) == len(_PATH) and _name(path[-1]) == _PATH[-1]:
                yield element
                path[-1].remove(element)
                source.mark()
    except DefusedXmlException as error:
        raise StatementRefused("The file declares a document type or entities, which no statement has.") from error
    except ParseError as error:
        raise StatementRefused(f"The file is cut off or is no XML: {error}.") from error
    if not statements:
        raise StatementRefused("The file is no bank statement (camt.053).")


def _begin(path: list[Element]) -> int:
    """Check an element that begins. Return 1 if it is a statement, else 0."""
    if len(path) > _DEEPEST:
        raise StatementRefused("The file nests more deeply than any statement.")
    if len(path) == 1 and (_name(path[0]) != _PATH[0] or "camt.053." not in path[0].tag):
        raise StatementRefused("The file is no bank statement (camt.053).")
    if len(path) != len(_PATH) or tuple(_name(element) for element in path) != _PATH:
        return 0
    if any(_name(each) == _PATH[-1] for each in list(path[-2])[:-1]):
        raise StatementRefused("The file holds several statements. Import each one from a file of its own.")
    return 1


def _head(parts: list[Element]) -> Head:
    account = next((part for part in parts if _name(part) == "Acct"), None)
    number = _text(account, "Id/IBAN") or _text(account, "Id/Othr/Id")
    if not number:
        raise StatementRefused("The statement names no account before its entries.")
    balances = {_text(part, "Tp/CdOrPrtry/Cd"): part for part in reversed(parts) if _name(part) == "Bal"}
    return Head(
        account=number,
        opening=_balance(balances, _OPENING, place="The opening balance"),
        closing=_balance(balances, _CLOSING, place="The closing balance"),
    )


def _balance(balances: dict[str, Element], codes: tuple[str, ...], *, place: str) -> Decimal:
    found = next((balances[code] for code in codes if code in balances), None)
    if found is None:
        raise StatementRefused(f"{place} is missing before the statement's entries.")
    amount = _amount(found.find("{*}Amt"), place=place)
    return -amount if _text(found, "CdtDbtInd") == "DBIT" else amount


def _lines(first: Element | None, rest: Iterator[Element], *, today: date) -> Iterator[Line]:
    number = 0
    entries = [first] if first is not None else []
    for part in _chained(entries, rest):
        if _name(part) != "Ntry":
            continue
        number += 1
        yield from _entry(part, today=today, place=f"Entry {number}")


def _chained(first: list[Element], rest: Iterator[Element]) -> Iterator[Element]:
    while first:
        yield first.pop()
    yield from rest


def _entry(entry: Element, *, today: date, place: str) -> Iterator[Line]:
    details = entry.findall("{*}NtryDtls/{*}TxDtls")
    if (_text(entry, "Sts/Cd") or _text(entry, "Sts")) != "BOOK":
        yield Line(
            kind=LineKind.PENDING, amount=Decimal(0), booked_on=today, bank_reference="", counterparty=_payer(entry)
        )
        return
    amount = _amount(entry.find("{*}Amt"), place=place)
    kind = _kind(entry, place=place) if amount else LineKind.NOTHING
    told: dict[str, Any] = {
        "kind": kind,
        "booked_on": day_of(_text(entry, "BookgDt/Dt") or _text(entry, "BookgDt/DtTm"), today=today, place=place),
    }
    reference = reference_of(_text(entry, "AcctSvcrRef"), place=place)
    if amount < 0:
        raise StatementRefused(f"{place} has a negative amount.")
    comes_in = kind in (LineKind.CREDIT, LineKind.GIVEN_BACK)
    shares = _shares(details, amount=amount) if comes_in and _holds_several(entry, details) else []
    if shares or (kind is LineKind.CREDIT and _holds_several(entry, details)):
        if not shares:
            yield Line(amount=amount, bank_reference=reference, counterparty="", remark=_SEVERAL, **told)
        for ordinal, (detail, share) in enumerate(zip(details, shares, strict=False), start=1):
            own = reference_of(_text(detail, "Refs/AcctSvcrRef"), place=place)
            name = own if own and own != reference else f"{reference}/{ordinal}" if reference else ""
            told["kind"] = LineKind.GIVEN_BACK if _is_returned(detail) else kind
            yield Line(amount=share, bank_reference=name, counterparty=_payer(detail), texts=_texts(detail), **told)
        return
    reference = reference or reference_of(_text(entry, "NtryDtls/TxDtls/Refs/AcctSvcrRef"), place=place)
    if kind is LineKind.TAKEN_BACK:
        told["originals"] = _originals(details, besides=reference)
    yield Line(amount=amount, bank_reference=reference, counterparty=_payer(entry), texts=_texts(entry), **told)


def _originals(details: list[Element], *, besides: str) -> tuple[str, ...]:
    """Return the references that the bank has given to the payments of an entry, besides the entry's own."""
    paths = [f"{{*}}Refs/{'/'.join(f'{{*}}{name}' for name in path.split('/'))}" for path in _OWN_REFERENCES]
    told = [printable(found.text or "") for detail in details for path in paths for found in detail.findall(path)]
    return tuple(sorted({each for each in told if 0 < len(each) <= LONGEST_REFERENCE} - {besides}))


def _kind(entry: Element, *, place: str) -> LineKind:
    """Return the kind of an entry. A payment that its bank returned is a reversal too, whichever way it is told."""
    details = entry.findall("{*}NtryDtls/{*}TxDtls")
    is_return = _is_returned(entry) or (bool(details) and all(map(_is_returned, details)))
    is_reversal = is_return or _text(entry, "RvslInd") in {"true", "1"}
    match _text(entry, "CdtDbtInd"):
        case "CRDT":
            return LineKind.GIVEN_BACK if is_reversal else LineKind.CREDIT
        case "DBIT":
            return LineKind.TAKEN_BACK if is_reversal else LineKind.DEBIT
    raise StatementRefused(f"{place} does not say whether it is a credit or a debit.")


def _is_returned(payment: Element) -> bool:
    """Say whether a payment is the return of an earlier one: by `RtrInf`, or by the bank's code for it."""
    return payment.find("{*}RtrInf") is not None or _text(payment, "BkTxCd/Domn/Fmly/SubFmlyCd") in _RETURNED


def _holds_several(entry: Element, details: list[Element]) -> bool:
    count = _text(entry, "NtryDtls/Btch/NbOfTxs")
    return len(details) > 1 or (count.isdecimal() and int(count[:9]) > 1)


def _shares(details: list[Element], *, amount: Decimal) -> list[Decimal]:
    """Return the amount of each payment of an entry, or nothing unless all are credits and add up to the entry's."""
    found: list[Decimal] = []
    for detail in details:
        told = detail.find("{*}Amt")
        told = detail.find("{*}AmtDtls/{*}TxAmt/{*}Amt") if told is None else told
        if told is None or _text(detail, "CdtDbtInd") == "DBIT":
            return []
        try:
            found.append(_amount(told, place=""))
        except StatementRefused:
            return []
    return found if sum(found) == amount and all(share > 0 for share in found) else []


def _payer(payment: Element) -> str:
    for who in (".//{*}RltdPties/{*}Dbtr/{*}Pty/{*}Nm", ".//{*}RltdPties/{*}Dbtr/{*}Nm"):
        if (name := payment.findtext(who)) is not None:
            return printable(name)
    return ""


def _texts(payment: Element) -> tuple[str, ...]:
    """Return the texts of a payment: the payer's own reference, each structured one, and the free text as one."""
    structured = [element.text or "" for element in payment.findall(".//{*}RmtInf//{*}CdtrRefInf/{*}Ref")]
    free = "".join(element.text or "" for element in payment.findall(".//{*}RmtInf/{*}Ustrd"))
    own = [element.text or "" for element in payment.findall(".//{*}Refs/{*}EndToEndId")]
    return tuple(text for text in map(printable, [*own, *structured, free]) if text)


def _amount(element: Element | None, *, place: str) -> Decimal:
    if element is None:
        raise StatementRefused(f"{place} has no amount.")
    return amount_of(element.text or "", currency=element.get("Ccy", ""), place=place)


def _text(element: Element | None, path: str) -> str:
    if element is None:
        return ""
    found: Any = element.findtext("/".join(f"{{*}}{name}" for name in path.split("/")))
    return (found or "").strip()


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]
