"""File formats of graphs: CSV, JSON lines, triples, and DataFrames; each is read row by row, and what is bad in it is told row by row."""
