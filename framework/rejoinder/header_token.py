"""A secret that goes into a header of the requests that a plugin sends."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class HeaderToken(BaseModel):
    """Settings of whatever sends requests to a tenant's own address: inherit from it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    token: SecretStr | None = Field(
        default=None,
        description="Secret that the receiver expects in the header named by `token_header`; unset: none is sent.",
    )
    token_header: str = Field(
        default="Authorization",
        pattern=r"^[A-Za-z0-9-]+$",
        max_length=100,
        description="Header that carries the token; in `Authorization` the token follows the word `Bearer`.",
    )

    @field_validator("token")
    @classmethod
    def _fits_a_header(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None:
            secret = token.get_secret_value()
            if not secret or not secret.isascii() or not secret.isprintable() or secret != secret.strip():
                raise ValueError("a token is sent in a header: printable ASCII without spaces at its ends, not empty")
        return token

    def token_headers(self) -> dict[str, str]:
        """Return the header with the token; empty where there is none."""
        if self.token is None:
            return {}
        secret = self.token.get_secret_value()
        return {self.token_header: f"Bearer {secret}" if self.token_header.lower() == "authorization" else secret}
