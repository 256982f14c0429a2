"""Start the page: choose a model, build the page, launch it, load the model."""

from __future__ import annotations

import argparse
import importlib.util
import os
import socket
import sys
from typing import Any

import models
from app import presets
from app.errors import InfillError, quoted
from app.flags import add_model_flags, model_settings
from app.space import model_choice, spacefile
from app.space.hardware import in_a_space, on_zero_gpu
from app.space.schema import Candidate
from app.ui import log
from app.ui.pool import ModelPool
from models.denoiser import Denoiser
from models.serve.lazy import LazyDenoiser

_BUNDLED = Candidate(repo=None, family="llama", quant="none", memory=0)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the page: the model's, those that are offered, where to listen."""
    add_model_flags(parser, default=None)
    parser.add_argument(
        "--offer",
        metavar="NAMES",
        help="other models that visitors may choose, separated by commas: names as for --model, "
        f"{models.HERE} (published ones that are on this machine; nothing is downloaded), or {models.ALL} (all that "
        f"fit into memory; downloaded when chosen) (default: {models.HERE}; in a Space, what the Spacefile says)",
    )
    parser.add_argument("--port", type=int, default=None, help="default: 7860 or the next free one")
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        help="address to listen at; 0.0.0.0 lets everybody in the network in (default: this machine only)",
    )
    parser.add_argument("--log-format", choices=log.FORMATS, default="text", help="a line a run, as text or JSON")
    parser.add_argument("--mcp", action="store_true", help="also offer filling as a tool to assistants, over MCP")


def add_command(commands: Any) -> None:
    """Add the command `page` to what `add_subparsers` returned."""
    command = commands.add_parser("page", help="serve the page, as `python app.py` does", allow_abbrev=False)
    add_flags(command)
    command.set_defaults(run=lambda args, load: serve(args))


def serve(options: argparse.Namespace) -> int:
    """Serve the page until SIGTERM or Ctrl-C, which let runs end first and the process with exit code 0.

    On ZeroGPU the model is loaded before the launch, which packs what is on the emulated GPU for the workers.
    Raises InfillError for a model that does not exist, an address or port that cannot be used, and `--mcp` without its
    package.
    """
    if options.mcp and importlib.util.find_spec("mcp") is None:
        raise InfillError("--mcp needs the package mcp; install it with pip install 'mcp>=1.21,<2'")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if os.environ.get("SPACE_ID"):  # there the visitors' addresses are those that the proxy in front tells uvicorn
        os.environ.setdefault("FORWARDED_ALLOW_IPS", "*")
    deployed = (spacefile.ROOT / spacefile.NAME).is_file()  # an installed package has no Spacefile
    file = spacefile.read(spacefile.ROOT) if deployed else None
    candidates = file.models if file else {"bundled": _BUNDLED}
    named = _offered(options.offer, file)
    choice = model_choice.choose(candidates, os.environ, asked=options.model)
    calibrated = presets.presets(choice.model)
    for notice in choice.notices:
        print(notice, file=sys.stderr)
    settings = {**choice.settings, **model_settings(options)}
    zero_gpu = on_zero_gpu(os.environ)

    def load() -> Denoiser:
        try:
            return models.load(choice.model, progress=denoiser.report, **settings)
        except ValueError as error:
            if not zero_gpu:  # the visitor who presses Fill sees the message, and may try again
                raise
            print(f"'{choice.model}' cannot be loaded, so 'bundled' is: {error}", file=sys.stderr)
            return models.load("bundled")

    log.start(options.log_format)
    denoiser = LazyDenoiser(load)
    # On ZeroGPU the other models would be loaded outside a worker, where torch sees an emulated GPU.
    offers = None if zero_gpu else lambda: models.offers(named)
    pool = ModelPool(denoiser, name=choice.model, offers=offers, named=named, merge=not zero_gpu)
    _launch(
        choice.model,
        denoiser,
        pool,
        calibrated,
        address=(options.host, options.port),
        zero_gpu=zero_gpu,
        mcp=options.mcp,
    )
    return 0


def _offered(flag: str | None, file: spacefile.Spacefile | None) -> tuple[str, ...]:
    """Return what visitors may choose, as for `models.offers`. Raises InfillError for a model that does not exist."""
    if flag is not None:
        place, named = "--offer", tuple(filter(None, map(str.strip, flag.split(","))))
    elif file and in_a_space(os.environ):
        place, named = "deploy.offer in the Spacefile", tuple(file.content.deploy.offer)
    else:
        return (models.HERE,)
    for name in named:
        try:
            models.check_offer(name)
        except ValueError as error:
            raise InfillError(f"{place}: {error}") from None
    return named


def _launch(
    name: str,
    denoiser: LazyDenoiser,
    pool: ModelPool,
    calibrated: presets.Presets,
    *,
    address: tuple[str | None, int | None],
    zero_gpu: bool,
    mcp: bool,
) -> None:
    from app.ui import connections, shutdown, watch
    from app.ui.page import build, launch_options  # imports gradio

    # On ZeroGPU the parent would run outside a worker, where torch sees an emulated GPU and there is no real one.
    parent = models.load_parent if name == "bundled" and not zero_gpu else None
    page = build(pool, parent=parent, presets=calibrated, zero_gpu=zero_gpu)
    if zero_gpu:
        denoiser.get()
    shutdown.listen()
    host, port = address
    if host is not None and not _is_ours(host):  # uvicorn would try a hundred ports
        raise InfillError(f"{quoted(host)} is not an address of this machine; try --host 0.0.0.0")
    try:
        page.launch(server_name=host, server_port=port, prevent_thread_lock=True, mcp_server=mcp, **launch_options())
    except (OSError, OverflowError):
        if port is None:
            raise
        raise InfillError(f"port {port} is in use or not between 1 and 65535; choose another with --port") from None
    if server := getattr(page, "server", None):  # a launch that something has replaced has none
        connections.limit(server.config)
    denoiser.start()
    shutdown.wait(page, watch.going)


def _is_ours(host: str) -> bool:
    """Return whether this machine can listen at an address."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True


def main() -> int:
    """Serve the page for `python app.py`; the exit code is 2 for a mistake that the user can fix."""
    parser = argparse.ArgumentParser(prog="app.py", description="Serve the infilling playground's page.")
    add_flags(parser)
    try:
        return serve(parser.parse_args())
    except InfillError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
