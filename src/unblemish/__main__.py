"""`python -m unblemish` is `unblemish`."""

from unblemish.commands.app import main

if __name__ == "__main__":
    main()
