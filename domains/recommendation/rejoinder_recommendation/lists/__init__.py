"""Lists for people who are there now: candidates, the ranker that learns within the session, rules, diversity, reasons."""
