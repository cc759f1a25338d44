"""Documents of Word and PowerPoint: zip archives of XML parts that refer to each other (ECMA-376)."""
