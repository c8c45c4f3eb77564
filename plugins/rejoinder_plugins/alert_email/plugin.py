"""The plugin's hooks."""

from __future__ import annotations

import asyncio
import hashlib
import smtplib
import ssl
from email.message import EmailMessage
from typing import Final
from urllib.parse import urlsplit

from rejoinder.allowed_hosts import AllowedHosts
from rejoinder.context import Context, Deployment
from rejoinder.errors import AccessError
from rejoinder.hooks import hookimpl
from rejoinder.payloads import Alert, Delivery, DeliveryReceipt

from rejoinder_plugins.alert_email.settings import AlertEmailSettings

RECEIVER: Final = "email"

_TIMEOUT_S: Final = 10.0


class AlertEmailPlugin:
    """Sends alerts to the receiver `email`, at least once each."""

    rejoinder_spec = ">=1.0,<2"
    settings = AlertEmailSettings

    def __init__(self) -> None:
        self._hosts = AllowedHosts()

    @hookimpl()
    def start(self, deployment: Deployment) -> None:
        """Note which hosts the deployment allows."""
        self._hosts = AllowedHosts(deployment.api_hosts)

    @hookimpl()
    async def deliver_alert(self, delivery: Delivery, context: Context) -> DeliveryReceipt | None:
        """Send an alert for the receiver `email`; None for any other.

        The message's id is made of tenant and incident, so that mail programs show one that is sent again once. Only mail servers that
        the deployment allows are reached.
        """
        if delivery.receiver != RECEIVER:
            return None
        settings: AlertEmailSettings = context.settings
        if settings.host is None or settings.sender is None or not settings.to:
            return _failed("set `alert_email.host`, `alert_email.sender` and `alert_email.to` for this tenant")
        message = _message(delivery.alert, context.tenant, settings)
        try:
            checked, _, _ = await self._hosts.address(
                f"smtp://{settings.host}:{settings.port}", max(0, delivery.attempt - 1)
            )
            refused = await asyncio.to_thread(_send, settings, urlsplit(checked).hostname or "", message)
        except AccessError as error:
            return _failed(str(error))
        except (smtplib.SMTPException, OSError, UnicodeError) as error:
            code = getattr(error, "smtp_code", None)
            return _failed(f"the mail server did not take it: {type(error).__name__}{f' {code}' if code else ''}")
        return DeliveryReceipt(delivered=True, reason=f"{refused} addresses were refused" if refused else "")


class _Connection(smtplib.SMTP):
    """Connects to the address that was checked, and checks the certificate against the name."""

    def __init__(self, address: str, settings: AlertEmailSettings, context: ssl.SSLContext) -> None:
        super().__init__(timeout=_TIMEOUT_S)
        self._host = settings.host or ""
        self._wrapped = context if settings.encryption == "tls" else None
        self.connect(address, settings.port)

    def _get_socket(self, host: str, port: int, timeout: float) -> object:
        plain = super()._get_socket(host, port, timeout)  # type: ignore[misc]  # smtplib.SMTP_SSL overrides it likewise
        return plain if self._wrapped is None else self._wrapped.wrap_socket(plain, server_hostname=self._host)


def _send(settings: AlertEmailSettings, address: str, message: EmailMessage) -> int:
    """Send a message; return how many addresses were refused."""
    context = ssl.create_default_context()
    with _Connection(address, settings, context) as server:
        if settings.encryption == "starttls":
            server.starttls(context=context)
        if settings.user is not None and settings.password is not None:
            server.login(settings.user, settings.password.get_secret_value())
        return len(server.send_message(message))


def _message(alert: Alert, tenant: str, settings: AlertEmailSettings) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = " ".join(f"[{alert.severity}] {alert.title}".split())
    message["From"] = settings.sender
    message["To"] = ", ".join(settings.to)
    message["Date"] = alert.at
    digest = hashlib.sha256(f"{tenant}\0{alert.incident}".encode()).hexdigest()[:40]
    message["Message-ID"] = f"<{digest}@{(settings.sender or '').rpartition('@')[2]}>"
    message["X-Rejoinder-Incident"] = digest
    lines = [alert.explanation or alert.title, "", f"Incident: {alert.incident}"]
    for one in alert.evidence:
        lines += [
            "",
            f"- {one.title or one.source}{f' <{one.url}>' if one.url else ''}",
            f"  {one.quote or ''}".rstrip(),
        ]
    message.set_content("\n".join(lines))
    return message


def _failed(reason: str) -> DeliveryReceipt:
    return DeliveryReceipt(delivered=False, reason=reason)
