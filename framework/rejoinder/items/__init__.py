"""Items that can be recommended, and what people do with them."""
