"""Runs in other forms: one HTML file that replays without a server, an animated GIF.

`script` joins the modules of assets/page into the one script that the page and that file carry.
"""
