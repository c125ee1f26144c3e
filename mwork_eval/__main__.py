"""Run the command line with ``python -m mwork_eval``."""

from mwork_eval.cli.main import main

if __name__ == "__main__":
    main()
