"""A file's name in, the end that tells its format out."""

from __future__ import annotations

PROSE = frozenset({"markdown", "rst", "asciidoc"})
"""The formats of pages that a program may complete or put into others (Middleman, Ansible, Sphinx...): `page.html.md.erb`,
`options.rst.inc`. Files of other formats with such a suffix are no pages. What is between the marks of a template is text."""
TEMPLATES = frozenset(
    {
        *(".erb", ".ejs", ".hbs", ".in", ".inc", ".j2", ".jinja", ".jinja2"),
        *(".liquid", ".mustache", ".njk", ".template", ".tmpl", ".tpl"),
    }
)


def suffix_of(name: str) -> str:
    """The suffix of a file's name, as `PurePath.suffix` has it.

    >>> suffix_of("notes.tar.gz"), suffix_of(".profile"), suffix_of("end.")
    ('.gz', '', '')
    """
    dot = name.rfind(".")
    return name[dot:] if 0 < dot < len(name) - 1 else ""


def without_template(name: str) -> str:
    """A name without the suffix that says that a program completes the file or puts it into others.

    >>> without_template("standards.html.md.erb"), without_template("kiln.md")
    ('standards.html.md', 'kiln.md')
    """
    suffix = suffix_of(name)
    return name.removesuffix(suffix) if suffix.lower() in TEMPLATES else name
