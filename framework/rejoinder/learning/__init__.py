"""Learning: the correction memory, the instant learner, what is held back, metrics, evaluation and simulation.

Import what is needed from the modules themselves; nothing is imported here, so that `import rejoinder` stays light.
"""
