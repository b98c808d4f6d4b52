"""`python -m afray` is the program `afray`."""

from afray.cli.main import main

if __name__ == "__main__":
    main()
