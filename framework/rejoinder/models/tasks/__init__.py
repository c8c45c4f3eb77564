"""The shipped learners, one task kind each."""
