"""Bank statements as a bank would write them, in camt.053 and in CSV."""

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from wallets.services.importing import Upload, import_statement
from wallets.statements.lines import Head

IBAN = "GB82WEST12345698765432"
DAY = (datetime.now(UTC) - timedelta(days=3)).date()


def entry(amount, *, sign="CRDT", reference="", name="", text="", day=DAY, more="", **other):
    """Return an entry. `other`: status, currency, reversal, details."""
    details = other.get("details") or detail(reference="", name=name, text=text)
    bank = f"<AcctSvcrRef>{reference}</AcctSvcrRef>" if reference else ""
    return (
        f'<Ntry><Amt Ccy="{other.get("currency", "USD")}">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd>'
        f"{'<RvslInd>true</RvslInd>' if other.get('reversal') else ''}"
        f"<Sts><Cd>{other.get('status', 'BOOK')}</Cd></Sts><BookgDt><Dt>{day}</Dt></BookgDt>{bank}{more}"
        f"<NtryDtls>{details}</NtryDtls></Ntry>"
    )


def detail(*, reference="", name="", text="", amount="", sign="CRDT", currency="USD"):
    told = f'<Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd>' if amount else ""
    refs = f"<Refs><AcctSvcrRef>{reference}</AcctSvcrRef></Refs>" if reference else ""
    return (
        f"<TxDtls>{refs}{told}<RltdPties><Dbtr><Pty><Nm>{name}</Nm></Pty></Dbtr></RltdPties>"
        f"<RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls>"
    )


def balance(code, amount):
    sign, told = ("CRDT" if Decimal(amount) >= 0 else "DBIT"), str(amount).lstrip("-")
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
        f'<Amt Ccy="USD">{told}</Amt><CdtDbtInd>{sign}</CdtDbtInd></Bal>'
    )


def camt(*entries, opening="0", closing, account=IBAN, version="08"):
    """Return a statement as bytes."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"><BkToCstmrStmt>'
        "<GrpHdr><MsgId>1</MsgId></GrpHdr>"
        f"<Stmt><Id>1</Id><Acct><Id><IBAN>{account}</IBAN></Id></Acct>"
        f"{balance('OPBD', opening)}{balance('CLBD', closing)}{''.join(entries)}</Stmt></BkToCstmrStmt></Document>"
    )
    return text.encode()


def table(*rows, columns="date,amount,currency,reference,counterparty,text,status"):
    """Return a statement in CSV as bytes."""
    return "\r\n".join([columns, *rows, ""]).encode()


def head(closing, *, opening="0", account=IBAN):
    return Head(account=account, opening=Decimal(opening), closing=Decimal(closing))


def import_file(content, *, by, head=None, name="statement.xml"):
    return import_statement(upload=Upload(file=io.BytesIO(content), name=name, by=by, head=head))
