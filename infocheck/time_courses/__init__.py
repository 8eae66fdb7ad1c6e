"""Samples in time: their grid, what changes between them, and what they can say of rates."""
