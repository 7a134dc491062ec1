"""scale: proves that a deploy ran out of memory, gives its machine what it needs, runs the deploy again."""

__version__ = "0.1.0"
