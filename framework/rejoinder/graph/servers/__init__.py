"""The graph server that needs nothing installed: ArcadeDB from its wheel, in a process of its own, shared by all processes of a machine."""
