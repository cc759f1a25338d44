"""Text in, what can be counted out: tokens, sentences, words of a language, exact names."""
