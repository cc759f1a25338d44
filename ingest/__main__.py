"""`python -m ingest PATH...`: makes the store match the files below the given paths."""

from sql.base.start import prepare_process


def main() -> int:
    """Entry point; what takes long to import is imported where Ctrl-C is expected."""
    prepare_process()
    from ingest.command_line import main as run

    return run()


if __name__ == "__main__":
    raise SystemExit(main())
