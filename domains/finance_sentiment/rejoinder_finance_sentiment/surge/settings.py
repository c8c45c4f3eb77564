"""What a tenant decides about the watch for surges."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from rejoinder_finance_sentiment.surge.counts import CountSettings

__all__ = ["SurgeSettings"]

_WEEK_MINUTES: Final = 7 * 24 * 60
_LEAST_HALF_LIFE: Final = 15.0

TypeName = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,100}$")]


class SurgeSettings(BaseModel):
    """Which series are watched for surges, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    watch: tuple[TypeName, ...] = Field(
        default=("mention", "topic", "sentiment"),
        description="Types of observations of which each key is a series; of `sentiment` only what is negative of a company.",
    )
    measure: Literal["count", "share"] = Field(
        default="count",
        description="`share`: of all documents, where these are collected at a fixed rate, so that counts say little.",
    )
    bucket_minutes: Literal[15, 30, 60, 120, 180, 240, 360, 480, 720, 1440, 2880, 10080] = Field(
        default=60,
        description="Length of a bucket of time. Choose it so that a busy series has 5 documents a bucket or more.",
    )
    false_alarms: float = Field(
        default=1.0, gt=0, le=1000, description="Alarms without a reason that are wanted at most in 30 days and series."
    )
    factor: float = Field(
        default=2.5,
        gt=1,
        le=100,
        description="How many times the usual a surge is that is looked for; larger ones are found sooner.",
    )
    half_life_buckets: float | None = Field(
        default=None,
        ge=4,
        le=100_000,
        description="Buckets after which a count weighs half in what is usual; unset: those of a week, and at least 15.",
    )
    least_documents: int = Field(default=4, ge=1, le=10_000, description="Documents that a surge has at least.")

    def for_counts(self) -> CountSettings:
        """Return them as the detector takes them."""
        return CountSettings(
            bucket_s=self.bucket_minutes * 60.0,
            false_alarms=self.false_alarms,
            factor=self.factor,
            half_life=self.half_life_buckets or max(_LEAST_HALF_LIFE, _WEEK_MINUTES / self.bucket_minutes),
            least=self.least_documents,
        )
