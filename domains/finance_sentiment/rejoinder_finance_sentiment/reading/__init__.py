"""What is read from a text: companies, sentiment of the text and of each of them, topics."""
