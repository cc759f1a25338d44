"""Text documents of OpenDocument (ISO/IEC 26300), zipped or flat: styles, list numbers, and the order of reading."""
