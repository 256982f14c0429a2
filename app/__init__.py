"""The playground: one pipeline, one direction.

`InfillRequest -> Canvas -> decode(denoiser, strategy) -> Step... -> Trace -> views`. Read `request`, `canvas`,
`passes`, `step`, `decode`, `trace`, `infill`; then any file in `strategies/` or `views/`.
"""
