"""What may stand in a message: FIX dictionaries, binary layouts, and the code that reads them."""
