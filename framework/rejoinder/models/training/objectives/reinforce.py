"""Learning from one bit on an answer that was given: REINFORCE, corrected for how likely it was that this answer was given.

With pi the model's probability of the answer, pi_0 the probability with which it was given and r the reward, the gradient of the loss is
-r * min(pi / pi_0, clip) * grad log pi. A bot that gives the best answer gives it for sure: pi_0 is 1, however unsure its model was, and
less only where chance chose among answers. An answer that was accepted has reward 1 and no ratio: it is learned like a right one, also by a
model that starts anew and finds it unlikely. One that was rejected has a small negative reward, and its ratio keeps log pi from running
away: the less likely the answer is, the less it is pushed down; the clip bounds what answers count that were rarely given.

Source: Williams 1992 (REINFORCE); Swaminathan & Joachims 2015, Batch learning from logged bandit feedback (arXiv:1502.02362), for the
clipped ratio; Kojima, Suhr & Artzi 2021 (arXiv:2108.04812) for leaving it out of what was accepted; Gao, Choi & Artzi 2022
(arXiv:2203.10079) and Gao et al. 2023 (arXiv:2305.12473) for extractive answers and users' bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rejoinder.errors import InvalidInputError

if TYPE_CHECKING:
    import torch

    from rejoinder.payloads import Example

REJECTION: Final = 0.1
"""The reward of a rejected answer is minus this: of many wrong answers one is ruled out, and nothing is said of the right one."""

CLIP: Final = 5.0
"""Most that a ratio of probabilities counts."""


def rejection_loss(log_likely: torch.Tensor, log_propensity: torch.Tensor) -> torch.Tensor:
    """Return the loss of rejected answers; its gradient lowers `log_likely`.

    Args:
        log_likely: (...) log-probabilities of the answers under the model, <= 0.
        log_propensity: of the same shape, of the probabilities with which they were given, <= 0.
    """
    ratio = (log_likely.detach() - log_propensity).exp().clamp(max=CLIP)
    return REJECTION * ratio * log_likely


def inverse_propensity(example: Example) -> float:
    """Return how much an answer counts that had the `propensity` which the example's target names: 1 / propensity, at most `CLIP`."""
    return min(1.0 / propensity_of(example), CLIP)


def propensity_of(example: Example) -> float:
    """Return the probability with which the answer was given: `propensity` in the example's target, 1 where it does not say.

    Raises:
        InvalidInputError: it is not in (0, 1].
    """
    target: Any = example.target
    said = target.get("propensity", 1.0) if isinstance(target, dict) else 1.0
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 < said <= 1:
        raise InvalidInputError(f"example {example.id!r}: propensity must be a number in (0, 1], came as {said!r}")
    return float(said)
