"""The shipped pages, one for each paper. See docs/language.md for the language."""
