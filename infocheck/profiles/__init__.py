"""Systems that come with the package, one JSON file each; ``infocheck.system`` reads them."""
