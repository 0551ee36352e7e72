"""Worked lines as a person reads them: in a terminal, as Markdown, as one HTML page, as JSON."""
