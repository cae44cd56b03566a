"""The ensemble as it serves: plain files and arithmetic. Nothing here imports what training needs."""
