"""The labs that come with archspec, one YAML file each: `archspec lab`. Imports nothing."""
