"""From results to a page, a JSON document and a notebook card."""
