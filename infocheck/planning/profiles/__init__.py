"""Systems that come with the package, one JSON file each; read by the module system."""
