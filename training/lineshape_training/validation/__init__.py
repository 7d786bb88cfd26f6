"""Is a generator believable, does it copy, and does it help?"""
