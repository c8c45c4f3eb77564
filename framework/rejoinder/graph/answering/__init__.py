"""Questions answered from the graph: which entity is meant, which relations lead to the answer, and what is found there."""
