"""English words and how common they are."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from rejoinder.word_sets import word_set

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["COMMON", "TYPED", "english_words"]

COMMON: Final = 12_000
"""Places in `english_words` up to which a word is common."""

_LEAST: Final = 200
"""Times that a word must occur in what the list was counted on: rarer ones are as often slips as words."""


TYPED: Final = word_set(
    # what people type for short
    "asap atm brb btw cuz dept dms dob eod etc faq ffs fwd fyi hmu idk ikr imho imo irl lmk lol mins msg msgs omg pls plz "
    "pov ppl rly secs smh sry tbf tbh thru thx tmr tnx txt tysm tyvm wtf yall "
    # things that are newer than films' words
    "admin app apps bluetooth bot captcha chatbot crypto dropdown ebook ebooks emoji emojis ethernet firefox hashtag hotspots html "
    "http https instagram ios linkedin logins logout mastercard netflix paypal podcasts popup popups postcode reddit refurb routers "
    "signup smartphone smartphones smartwatch snapchat spotify tiktok touchscreen unsubscribe url urls usb usernames voicemail webcam "
    "webinar webpage whatsapp wifi "
    # money, addresses, papers
    "apr chf cvc cvv eur gbp gdp gst iban inr jpy kyc otp pdf pdfs png pto refi roi sepa sku sms ssn usa usd usps "
    "vpn "
)
"""What people type to a bot and films do not say: known as it is, and never taken for another word."""


@lru_cache(maxsize=1)
def english_words() -> Mapping[str, int]:
    """Return the lower-cased words of English, the commonest first, each with its place in that order, from 0.

    Read once in a process, in about half a second. Source: the English list of the package pyspellchecker, counted on film subtitles.
    """
    from spellchecker import SpellChecker

    counts = SpellChecker(language="en").word_frequency.dictionary
    words = sorted(
        (word for word in counts if counts[word] >= _LEAST and word.isalpha()), key=lambda word: (-counts[word], word)
    )
    return {word: place for place, word in enumerate(words)}
