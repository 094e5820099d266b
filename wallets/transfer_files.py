"""Writes files by which a bank is told to pay: pain.001.001.09 of ISO 20022. Names of elements are those of its schema.

https://www.iso20022.org/message/pain.001 (CustomerCreditTransferInitiationV09). The order of elements is the schema's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from wallets.bank_accounts import BankAccount, is_bic

NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
_ABA: Final = "USABA"
"""The code of American routing numbers in ISO 20022's external code set of clearing systems."""
_UNKNOWN: Final = "NOTPROVIDED"
_CURRENCY: Final = "USD"


@dataclass(frozen=True, kw_only=True)
class Debtor:
    """Our account that pays; `bank` is a BIC, a routing number, or nothing."""

    name: str
    account: str
    is_iban: bool
    bank: str


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """A payment of US dollars, by the name that banks keep from end to end."""

    end_to_end_id: str
    amount: Decimal
    name: str
    account: BankAccount


def write_transfers(*, message_id: str, made_at: datetime, debtor: Debtor, transfers: Sequence[Transfer]) -> bytes:
    """Return the file that orders the transfers, each booked by itself and executed on the day of `made_at` (UTC)."""
    document = Element("Document", {"xmlns": NAMESPACE})
    message = SubElement(document, "CstmrCdtTrfInitn")
    _add_header(message, message_id=message_id, made_at=made_at, debtor=debtor, transfers=transfers)
    payment = SubElement(message, "PmtInf")
    _add_text(payment, "PmtInfId", message_id)
    _add_text(payment, "PmtMtd", "TRF")
    _add_text(payment, "BtchBookg", "false")  # a statement then has a line for each payout
    _add_sums(payment, transfers)
    _add_text(SubElement(payment, "ReqdExctnDt"), "Dt", made_at.date().isoformat())
    _add_text(SubElement(payment, "Dbtr"), "Nm", debtor.name)
    _add_account(SubElement(payment, "DbtrAcct"), number=debtor.account, is_iban=debtor.is_iban)
    _add_bank(SubElement(payment, "DbtrAgt"), code=debtor.bank)
    _add_text(payment, "ChrgBr", "SHAR")
    for transfer in transfers:
        _add_transfer(SubElement(payment, "CdtTrfTxInf"), transfer)
    written: bytes = tostring(document, encoding="utf-8", xml_declaration=True)
    return written


def _add_header(
    message: Element, *, message_id: str, made_at: datetime, debtor: Debtor, transfers: Sequence[Transfer]
) -> None:
    header = SubElement(message, "GrpHdr")
    _add_text(header, "MsgId", message_id)
    _add_text(header, "CreDtTm", made_at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    _add_sums(header, transfers)
    _add_text(SubElement(header, "InitgPty"), "Nm", debtor.name)


def _add_sums(parent: Element, transfers: Sequence[Transfer]) -> None:
    _add_text(parent, "NbOfTxs", str(len(transfers)))
    _add_text(parent, "CtrlSum", f"{sum(transfer.amount for transfer in transfers):.2f}")


def _add_transfer(parent: Element, transfer: Transfer) -> None:
    _add_text(SubElement(parent, "PmtId"), "EndToEndId", transfer.end_to_end_id)
    amount = SubElement(SubElement(parent, "Amt"), "InstdAmt", {"Ccy": _CURRENCY})
    amount.text = f"{transfer.amount:.2f}"
    if transfer.account.routing:
        _add_bank(SubElement(parent, "CdtrAgt"), code=transfer.account.routing)
    _add_text(SubElement(parent, "Cdtr"), "Nm", transfer.name)
    _add_account(SubElement(parent, "CdtrAcct"), number=transfer.account.number, is_iban=transfer.account.is_iban)
    # Banks that send money back without its name often repeat this text.
    _add_text(SubElement(parent, "RmtInf"), "Ustrd", transfer.end_to_end_id)


def _add_account(parent: Element, *, number: str, is_iban: bool) -> None:
    identity = SubElement(parent, "Id")
    if is_iban:
        _add_text(identity, "IBAN", number)
    else:
        _add_text(SubElement(identity, "Othr"), "Id", number)


def _add_bank(parent: Element, *, code: str) -> None:
    bank = SubElement(parent, "FinInstnId")
    if is_bic(code):
        _add_text(bank, "BICFI", code)
    elif code:
        member = SubElement(bank, "ClrSysMmbId")
        _add_text(SubElement(member, "ClrSysId"), "Cd", _ABA)
        _add_text(member, "MmbId", code)
    else:
        _add_text(SubElement(bank, "Othr"), "Id", _UNKNOWN)


def _add_text(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = text
