"""Choose the number of masks for gaps whose length is `auto`.

`probe` looks at every length of a gap at once; `choose` writes a few of them out, ranks the fills and does so for every
open gap of a request. `prior` holds what was fitted to a checkpoint (see `app.measure.length_fit`), `sentences` reads
the text around a gap, `fill_scores` scores a fill. Nothing here knows a strategy: how to fill a canvas is passed in.
"""
