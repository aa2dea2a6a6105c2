"""Files to token blocks: collect (clean, deduplicate) → split → cut → mix → shards → pack.

Each step is one module; `build.py` and `pack.py` chain them into the two stages.
"""
