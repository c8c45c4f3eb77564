"""Questions about companies, answered from what was observed: levels, changes, comparisons, who may be touched, alerts and rules."""
