"""Files and state that an earlier run left."""
