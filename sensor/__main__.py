"""`python -m sensor`: the command line without an installed script."""

from sensor.cli.main import entry

if __name__ == "__main__":
    entry()
