"""What differs between the two graph servers, hidden behind one small protocol."""
