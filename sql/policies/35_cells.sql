-- The mean of a cell tells of all of its chunks, and a search by cells needs all cells: such a user searches in two stages.
CREATE ROW POLICY OR REPLACE rag_groups ON rag.cells
USING 0
TO ALL EXCEPT rag_all_documents
