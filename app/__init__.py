"""The application: requests, the denoising loop, strategies, page and command line.

Data flows one way: `infill` turns a request and a denoiser into traces; `sampler` binds the two; `sampling` is the
loop, `strategies` choose what to write, `length` chooses the number of masks, `trace` records a run, `views` draw it.
The page (`ui`), the commands (`cli`, `measure`) and deployment (`space`) are built on these.
"""
