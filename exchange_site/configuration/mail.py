"""E-mail: the server that sends it, and what its links lead to."""

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass

from exchange_site.configuration.kinds import Count, Port
from exchange_site.configuration.variables import PARSED, Group, variable

MailTls = Annotated[Literal["starttls", "implicit", "none"], BeforeValidator(lambda text: text.strip().lower())]


@dataclass(frozen=True, config=PARSED)
class Mail(Group):
    title: ClassVar[str] = "E-mail"

    host: str = variable(
        "EMAIL_HOST",
        "",
        "server that sends e-mails; if it is empty, development prints them in the worker's output, and production"
        " drops them",
        unit="host",
    )
    port: Port = variable("EMAIL_PORT", "587", "port of that server", unit="port")
    user: str = variable("EMAIL_USER", "", "user name at that server; empty if it needs none")
    password: str = variable("EMAIL_PASSWORD", "", "password at that server", secret=True)
    tls: MailTls = variable("EMAIL_TLS", "starttls", "`starttls`, `implicit` (often port 465) or `none`")
    sender: str = variable("EMAIL_FROM", "noreply@localhost", "address from which e-mails come", unit="address")
    link_url: str = variable(
        "EMAIL_LINK_URL",
        "",
        "where links in e-mails lead: `/reset-password#token=…` and `/verify-email#token=…` are added; if it is empty,"
        " e-mails have the token alone",
        unit="URL",
    )
    reset_minutes: Count = variable(
        "RESET_TOKEN_MINUTES", "30", "how long a link for a new password works", unit="minutes"
    )
    verify_hours: Count = variable(
        "EMAIL_TOKEN_HOURS", "24", "how long a link that confirms an e-mail address works", unit="hours"
    )

    timeout_seconds: ClassVar[int] = 10  # of each step of a conversation with the server
