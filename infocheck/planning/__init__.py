"""The study before the money is spent: systems, designs on a grid, and the best of them."""
