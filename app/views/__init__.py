"""Figures of a trace: one file per view, found by being here; no model, no gradio."""
