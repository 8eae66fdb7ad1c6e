"""What a user has beside expression: protein, half-lives, regulons, splicing, guides."""
