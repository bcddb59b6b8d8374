"""The pages: Browse, which finds series, and View, which shows one."""
