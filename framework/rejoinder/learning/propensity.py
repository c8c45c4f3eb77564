"""How likely something was to be shown: as decisions note it, and in the `target` of examples that feedback on them becomes.

What is learned from one bit on something that was shown counts by it: see `rejoinder.models.training.objectives.reinforce`.
"""

from __future__ import annotations

from typing import Final

from rejoinder.payloads import Decision, Json

PROPENSITY: Final = "propensity"
"""Name of the entry in an example's target; where it is missing, nothing was left to chance."""


def propensity_of_shown(decision: Decision, shown: str) -> float:
    """Return the probability in [0, 1] with which a candidate stood where it was shown; 1 where the decision does not say.

    Args:
        shown: the candidate's id.
    """
    return next((one.propensity for one in decision.candidates if one.id == shown), 1.0)


def without_propensity(target: Json) -> Json:
    """Return what an example's target says, apart from how likely that was to be shown; None where nothing is left.

    Example:
        >>> without_propensity({"start": 3, "end": 9, "propensity": 0.2}), without_propensity({"propensity": 0.2})
        ({'start': 3, 'end': 9}, None)
    """
    if not isinstance(target, dict) or PROPENSITY not in target:
        return target
    return {name: value for name, value in target.items() if name != PROPENSITY} or None
