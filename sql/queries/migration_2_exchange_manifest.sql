-- Puts the manifest of version 2 in the place of that of version 1.
EXCHANGE TABLES manifest AND manifest_2
