"""Pictures of a run: each figure one small class, (run, folder) to files."""
