"""Where orders go outside: one module a venue. The internal book is not one of them."""
