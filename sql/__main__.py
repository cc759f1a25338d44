"""`python -m sql [STATEMENT]`: any SQL against the store."""

from sql.base.start import prepare_process


def main() -> int:
    """Entry point; what takes long to import is imported where Ctrl-C is expected."""
    prepare_process()
    from sql.shell.command_line import main as run

    return run()


if __name__ == "__main__":
    raise SystemExit(main())
