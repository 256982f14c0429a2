"""Entry point of the page, on this machine and on a Hugging Face Space; the same as `python -m app page`."""

import sys

if __name__ == "__main__":
    from app.ui.launch import main

    sys.exit(main())
