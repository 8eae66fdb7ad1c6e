"""What other evidence says of mRNA as a stand-in for the activity of a regulator."""
