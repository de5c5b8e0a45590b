"""The shipped specs, one for each paper. See docs/language.md for the language."""
