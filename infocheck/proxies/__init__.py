"""How far a regulator's mRNA stands for its protein or activity."""
