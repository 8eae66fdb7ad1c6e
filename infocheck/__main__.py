"""``python -m infocheck``: the same as the command ``infocheck``."""

from infocheck.cli import main

if __name__ == "__main__":
    main()
