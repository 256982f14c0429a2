"""The denoising loop and what it needs; it does not know any strategy by name.

`request` and `template` say what was asked for, `start` what is written already, `layout` turns that into a `canvas`,
`decode` is the loop over `step`s, `forwards` makes and counts every forward pass, `constraints` keeps banned words out,
`unfamiliar` tells what a model cannot know of a text.
"""
