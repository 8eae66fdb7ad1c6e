"""What perturbations moved, how reproducibly, and what could be predicted from them."""
