"""Entry point of the page, here and on a Hugging Face Space: build it, launch it, then load the model."""

import argparse
import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before gradio is imported: no look-ups at start
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

if __name__ == "__main__":
    import models
    from app.ui.page import build, launch_options
    from models.lazy import LazyDenoiser

    parser = argparse.ArgumentParser(description="The infilling playground's page.")
    parser.add_argument("--model", default="bundled", help="'bundled', 'toy', or a checkpoint folder")
    parser.add_argument("--port", type=int, default=None, help="default: 7860 or the next free one")
    options = parser.parse_args()
    try:
        models.find(options.model)
    except ValueError as error:
        parser.error(str(error))
    denoiser = LazyDenoiser(lambda: models.load(options.model))
    page = build(denoiser)
    page.launch(server_port=options.port, prevent_thread_lock=True, **launch_options())
    denoiser.start()
    page.block_thread()
