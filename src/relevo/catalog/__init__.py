"""What answers cost: prices as data and the arithmetic on them."""
