"""`python -m scaler` and the `scale` command."""

from scaler.cli.main import main

if __name__ == "__main__":
    main()
