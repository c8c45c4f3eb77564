"""The promotion gate: only better models get through, at a stated error rate."""

from rejoinder.learning.gate.judge import Check, Scored, Verdict, judge
from rejoinder.learning.gate.sequential import RewardTest
from rejoinder.learning.gate.spending import attempt_number

__all__ = ["Check", "RewardTest", "Scored", "Verdict", "attempt_number", "judge"]
