"""The one door to the database: where a store is, who has it, and how a statement gets there and back."""
