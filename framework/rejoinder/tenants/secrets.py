"""The deployment's secret, keys derived from it, and what is kept encrypted with them."""

from __future__ import annotations

import base64
import contextlib
import hmac
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken

from rejoinder.errors import SettingsError
from rejoinder.settings import DeploymentSettings, weakness

__all__ = ["SEALED", "Vault", "deployment_secret"]

SEALED = "$sealed"
"""The only key of a table that stands for an encrypted value."""
_FILE = "secret.key"


def deployment_secret(settings: DeploymentSettings) -> bytes:
    """Return the secret of this deployment: `security.secret_key`, else the file `secret.key` under `data_dir`.

    The file is made when it is not there.

    Raises:
        SettingsError: the file cannot be read or made, or, in production, others may read it or it is weak.
    """
    given = settings.security.secret_key
    if given is not None:
        return given.get_secret_value().encode()
    file = settings.data_dir / _FILE
    try:
        if not file.exists():
            _make(file)
        secret = file.read_text(encoding="utf-8").strip()
        readable = stat.S_IMODE(file.stat().st_mode) & 0o077
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: the secret cannot be read or made: {error}; set security.secret_key") from error
    production = settings.security.environment == "production"
    why = weakness(secret)
    if not secret or (why and production):
        raise SettingsError(f"{file}: the secret is too weak: {why}; restore the file, or remove it to have one made")
    if readable and production and os.name == "posix":
        raise SettingsError(f"{file}: others may read it; run: chmod 600 {file}")
    return secret.encode()


def _make(file: Path) -> None:
    """Write a new secret, whole or not at all; another process that is quicker wins."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{_FILE}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(secrets.token_urlsafe(48) + "\n")
            out.flush()
            os.fsync(out.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(beside, file)
    finally:
        beside.unlink()


class Vault:
    """Derives keys for one purpose each from the deployment's secret, which is read when it is first needed."""

    def __init__(self, settings: DeploymentSettings) -> None:
        self._settings = settings
        self._secret: bytes | None = None

    def key(self, purpose: str, tenant: str) -> bytes:
        """Return 32 bytes that are good for one purpose in one tenant only."""
        if self._secret is None:
            self._secret = deployment_secret(self._settings)
        return hmac.digest(self._secret, f"rejoinder/{purpose}/{tenant}".encode(), "sha256")

    def encrypt(self, purpose: str, tenant: str, data: bytes) -> bytes:
        """Encrypt for one purpose in one tenant."""
        return self._fernet(purpose, tenant).encrypt(data)

    def decrypt(self, purpose: str, tenant: str, ciphertext: bytes) -> bytes:
        """Return what was encrypted.

        Raises:
            SettingsError: it was encrypted with another secret, or for another purpose or tenant.
        """
        try:
            return self._fernet(purpose, tenant).decrypt(ciphertext)
        except InvalidToken:
            raise SettingsError(
                f"a stored secret of tenant {tenant!r} cannot be read: security.secret_key is not the one that it was "
                "stored with; restore that, or set the secret again"
            ) from None

    def seal(self, value: Any, tenant: str) -> dict[str, str]:
        """Encrypt a value that JSON can say."""
        return {SEALED: self.encrypt("settings", tenant, orjson.dumps(value)).decode()}

    def unseal(self, tree: Any, tenant: str) -> Any:
        """Return a tree with all that is encrypted within it opened.

        Raises:
            SettingsError: something was encrypted with another secret, or for another tenant.
        """
        if isinstance(tree, Mapping):
            if set(tree) == {SEALED}:
                return orjson.loads(self.decrypt("settings", tenant, str(tree[SEALED]).encode()))
            return {key: self.unseal(value, tenant) for key, value in tree.items()}
        return tree

    def _fernet(self, purpose: str, tenant: str) -> Fernet:
        return Fernet(base64.urlsafe_b64encode(self.key(purpose, tenant)))
