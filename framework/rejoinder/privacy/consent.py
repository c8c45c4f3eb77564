"""Whether feedback may become training data. Whoever may not be learned from still rewards: only no example is stored."""

from __future__ import annotations

from collections.abc import Collection

from rejoinder.payloads import Decision, Feedback
from rejoinder.privacy.settings import PrivacySettings
from rejoinder.store.access import Access
from rejoinder.store.users import consents_of

__all__ = ["may_learn_from", "users_to_learn_from"]


async def may_learn_from(
    access: Access, tenant: str, feedback: Feedback, decision: Decision, rules: PrivacySettings
) -> bool:
    """Return whether examples may be made of a feedback.

    Those concerned are the person whose words the decision holds, and whoever gives the feedback. A person's own answer counts before
    the tenant's rule; staff who were not asked do their work, and agree.
    """
    customers = {user for user in (decision.user_id, feedback.user_id if feedback.role == "customer" else None) if user}
    said = await consents_of(access, tenant, sorted(customers | {feedback.user_id}))
    if any(answer is False for answer in said.values()) or rules.consent == "refused":
        return False
    return rules.consent == "assumed" or all(said.get(user) for user in customers)


async def users_to_learn_from(
    access: Access, tenant: str, users: Collection[str], rules: PrivacySettings
) -> frozenset[str]:
    """Return those of these users whose words may be learned from, by what they said and the tenant's rule."""
    if rules.consent == "refused":
        return frozenset()
    said = await consents_of(access, tenant, sorted(users))
    agreed = (True,) if rules.consent == "required" else (True, None)
    return frozenset(user for user in users if said.get(user) in agreed)
