"""Records: tables, the database they are in, and one module of access functions per area.

Every access function takes where to run (a `Database` or a session) and then a tenant; a row of another tenant does not exist
for it. Functions for the whole deployment say so in their first line.
"""
