"""The report of a run, as a page, as Markdown and as text."""
