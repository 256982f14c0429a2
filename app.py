"""Entry point of the page, here and on a Hugging Face Space: choose a model, build the page, launch it, load the model.

On ZeroGPU the model is loaded before the launch, which packs what is on the emulated GPU for the workers.
"""

import argparse
import os
import sys

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before gradio is imported: no look-ups at start
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

if __name__ == "__main__":
    import models
    from app import presets as calibration
    from app.errors import InfillError
    from app.flags import add_model_flags, model_settings
    from app.space import presets, spacefile
    from app.space.hardware import on_zero_gpu
    from app.ui.page import build, launch_options
    from app.ui.shelf import Shelf
    from models.denoiser import Denoiser
    from models.serve.lazy import LazyDenoiser

    parser = argparse.ArgumentParser(description="The infilling playground's page.")
    add_model_flags(parser, default=None)
    parser.add_argument("--port", type=int, default=None, help="default: 7860 or the next free one")
    options = parser.parse_args()
    try:
        choice = presets.choose(spacefile.read().presets, os.environ, asked=options.model)
        calibrated = calibration.presets(choice.model)
    except InfillError as error:
        parser.error(str(error))
    for notice in choice.notices:
        print(notice, file=sys.stderr)
    settings = {**choice.settings, **model_settings(options)}
    zero = on_zero_gpu(os.environ)

    def load() -> Denoiser:
        try:
            return models.load(choice.model, progress=denoiser.tell, **settings)
        except ValueError as error:
            if not zero:  # there whoever fills is told, and may try again
                raise
            print(f"'{choice.model}' cannot be loaded, so 'bundled' is: {error}", file=sys.stderr)
            return models.load("bundled")

    denoiser = LazyDenoiser(load)
    # The parent would run outside of a worker, where there is no GPU and torch believes that there is one.
    shelf = Shelf(denoiser, name=choice.model, offers=None if zero else models.offers, merge=not zero)
    parent = models.load_parent if choice.model == "bundled" and not zero else None
    page = build(shelf, parent=parent, presets=calibrated)
    if zero:
        denoiser.get()
    try:
        page.launch(server_port=options.port, prevent_thread_lock=True, **launch_options())
    except (OSError, OverflowError):
        if options.port is None:
            raise
        parser.error(f"port {options.port} is taken, or is none (1 to 65535): give another one, or leave --port away")
    denoiser.start()
    page.block_thread()
